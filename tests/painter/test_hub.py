"""The painter of hub models, with tiny untrained models of every pipeline that a preset names."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dreamkicks.device import choose
from dreamkicks.errors import Cancelled, DreamkicksError, PainterError, UnknownPreset, WeightsError
from dreamkicks.painter.hub import HubPainter
from dreamkicks.painter.painter import Painter, Step, open_painter
from dreamkicks.painter.presets import find_preset, presets
from dreamkicks.painter.vocabulary import words_file
from dreamkicks.pictures import fit_square
from tests.painter import tiny

SIDE = 64
IMG2IMG = ("StableDiffusionPipeline", "LatentConsistencyModelPipeline", "StableDiffusionXLPipeline")
every_pipeline = pytest.mark.parametrize("kind", tiny.CLASSES)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of a kind, made once."""
    root = tmp_path_factory.mktemp("models")
    return lambda kind: root / kind if (root / kind).exists() else tiny.save(kind, root / kind)


@pytest.fixture
def painters(models: Callable[[str], Path]) -> Callable[[str], Painter]:
    """The painter of a tiny model; FLUX.2 has no size of its own and is given one that a test can wait for."""

    def painter(kind: str) -> Painter:
        if kind == "Flux2KleinPipeline":
            return HubPainter(replace(find_preset(str(models(kind))), size=SIDE), models(kind))
        return open_painter(str(models(kind)))

    return painter


@pytest.fixture(scope="module")
def shoe() -> Image.Image:
    picture = Image.new("RGB", (90, 60), "white")
    picture.paste((200, 30, 40), (10, 20, 80, 40))
    picture.paste((20, 30, 40), (10, 40, 80, 50))
    return picture


def test_every_pipeline_of_a_preset_is_tried_here() -> None:
    assert {preset.imagine for preset in presets().values() if preset.repo} == set(tiny.CLASSES)


@every_pipeline
def test_imagines(kind: str, painters: Callable[[str], Painter]) -> None:
    painter, told = painters(kind), list[Step]()
    painting = painter.imagine("red high-top", 7, size=SIDE, on_step=told.append)

    steps = painter.preset.steps
    assert (painting.picture.mode, painting.picture.size) == ("RGB", (SIDE, SIDE))
    assert (painting.seed, painting.steps, painting.model) == (7, steps, painter.preset.name)
    assert (painting.understood, painting.ignored) == (("red high-top",), ())
    assert painting.seconds > 0
    assert [(step.number, step.total) for step in told] == [(number, steps) for number in range(1, steps + 1)]
    assert all(step.preview is not None and 1 < step.preview.width <= 128 for step in told)


@every_pipeline
def test_edits(kind: str, painters: Callable[[str], Painter], shoe: Image.Image) -> None:
    painter, told = painters(kind), list[Step]()
    painting = painter.edit(shoe, "make it blue", 7, on_step=told.append)

    steps = painter.preset.steps
    assert painting.picture.size == (SIDE, SIDE)
    assert painting.steps == steps == len(told) == told[-1].number == told[-1].total
    assert painting.understood == ("make it blue",)
    assert painting.picture.tobytes() != fit_square(shoe, SIDE).tobytes()


@every_pipeline
def test_a_seed_and_words_make_a_picture(kind: str, painters: Callable[[str], Painter], shoe: Image.Image) -> None:
    painter = painters(kind)

    def imagined(words: str, seed: int) -> bytes:
        return painter.imagine(words, seed, size=SIDE).picture.tobytes()

    def edited(picture: Image.Image, words: str, seed: int) -> bytes:
        return painter.edit(picture, words, seed).picture.tobytes()

    assert imagined("red", 1) == imagined("red", 1)
    assert len({imagined("red", 1), imagined("red", 2), imagined("blue", 1)}) == 3
    assert edited(shoe, "red", 1) == edited(shoe, "red", 1)
    other = shoe.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    assert len({edited(shoe, "red", 1), edited(shoe, "red", 2), edited(shoe, "blue", 1), edited(other, "red", 1)}) == 4


@every_pipeline
@pytest.mark.parametrize("what", ["imagine", "edit"])
def test_cancelling_takes_effect_within_a_step(
    kind: str, what: str, painters: Callable[[str], Painter], shoe: Image.Image
) -> None:
    painter, told = painters(kind), list[Step]()

    def stop(step: Step) -> None:
        told.append(step)
        if step.number == 2:
            raise Cancelled

    with pytest.raises(Cancelled) as caught:
        if what == "imagine":
            painter.imagine("red", 1, size=SIDE, on_step=stop)
        else:
            painter.edit(shoe, "red", 1, on_step=stop)
    assert caught.value.steps == 2 == len(told)
    assert painter.imagine("red", 1, size=SIDE).steps == painter.preset.steps


@every_pipeline
def test_the_pipeline_is_asked_as_diffusers_documents_it(
    kind: str, models: Callable[[str], Path], shoe: Image.Image
) -> None:
    """The same picture comes from diffusers itself, called by hand."""
    import diffusers

    preset = replace(find_preset(str(models(kind))), size=SIDE, steps=3, guidance=3.0)
    painter = HubPainter(preset, models(kind))
    words = words_file("hub.toml")
    options: dict[str, Any] = {"num_inference_steps": 3, "guidance_scale": 3.0}
    if kind not in ("LatentConsistencyModelPipeline", "Flux2KleinPipeline"):  # these take none
        options["negative_prompt"] = words["negative"]

    pipe = getattr(diffusers, preset.imagine).from_pretrained(models(kind), dtype=choose().dtype)
    place: dict[str, Any] = {"width": SIDE, "height": SIDE}
    if "InstructPix2Pix" in kind:
        place = {"image": Image.new("RGB", (SIDE, SIDE), "white"), "image_guidance_scale": 1.5}
    asked = words["imagine"].replace("{prompt}", "red {high}-top")
    by_hand = pipe(prompt=asked, generator=torch.Generator().manual_seed(5), **place, **options).images[0]
    assert painter.imagine("red {high}-top", 5).picture.tobytes() == by_hand.tobytes()

    pipe = getattr(diffusers, preset.edit).from_pretrained(models(kind), dtype=choose().dtype)
    if kind in IMG2IMG:
        asked = words["edit"].replace("{instruction}", "blue")
        place = {"strength": 0.6}
        if "Consistency" not in kind:
            options["num_inference_steps"] = 5  # of which a strength of 0.6 leaves 3
    else:
        asked = "blue"
    place |= {"image": fit_square(shoe, SIDE)}
    by_hand = pipe(prompt=asked, generator=torch.Generator().manual_seed(5), **place, **options).images[0]
    assert painter.edit(shoe, "blue", 5).picture.tobytes() == by_hand.tobytes()


@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_without_guidance_there_is_no_negative_prompt(guidance: float, models: Callable[[str], Path]) -> None:
    import diffusers

    folder = models("StableDiffusionPipeline")
    painter = HubPainter(replace(find_preset(str(folder)), guidance=guidance), folder)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, dtype=choose().dtype)
    asked = words_file("hub.toml")["imagine"].replace("{prompt}", "red")
    by_hand = pipe(
        asked,
        generator=torch.Generator().manual_seed(1),
        num_inference_steps=2,
        guidance_scale=guidance,
        width=64,
        height=64,
    ).images[0]
    assert painter.imagine("red", 1).picture.tobytes() == by_hand.tobytes()


@pytest.mark.parametrize("kind", IMG2IMG)
@pytest.mark.parametrize(
    ("steps", "strength"),
    [(1, 0.1), (1, 1.0), (2, 0.1), (2, 0.3), (2, 0.57), (2, 1.0), (3, 1 / 3), (3, 0.6), (3, 0.9), (29, 0.6)],
)
def test_an_edit_runs_the_steps_of_the_preset(
    kind: str, steps: int, strength: float, models: Callable[[str], Path], shoe: Image.Image
) -> None:
    painter = open_painter(str(models(kind)))
    assert isinstance(painter, HubPainter)
    before, painter.preset = painter.preset, replace(painter.preset, steps=steps)
    try:
        assert painter.edit(shoe, "red", 1, strength=strength).steps == steps
    finally:
        painter.preset = before


def test_an_edit_loses_no_step_to_rounding(models: Callable[[str], Path], shoe: Image.Image) -> None:
    folder = models("StableDiffusionPipeline")
    painter = HubPainter(replace(find_preset(str(folder)), steps=29), folder)
    assert painter.edit(shoe, "red", 1, strength=0.29).steps == 29  # int(100 * 0.29) is 28


@pytest.mark.parametrize("kind", IMG2IMG)
def test_strength_is_how_far_an_edit_moves(kind: str, painters: Callable[[str], Painter], shoe: Image.Image) -> None:
    painter = painters(kind)
    pictures = {
        painter.edit(shoe, "red", 1, strength=strength).picture.tobytes() for strength in (0.001, 0.3, 0.6, 1.0)
    }
    assert len(pictures) == 4


def test_strength_loosens_the_hold_on_the_picture(painters: Callable[[str], Painter], shoe: Image.Image) -> None:
    painter = painters("StableDiffusionInstructPix2PixPipeline")
    assert isinstance(painter, HubPainter)

    def held(image_guidance: float) -> bytes:
        before, painter.preset = painter.preset, replace(painter.preset, image_guidance=image_guidance)
        try:
            return painter.edit(shoe, "red", 1).picture.tobytes()
        finally:
            painter.preset = before

    for strength, image_guidance in ((0.25, 1.75), (0.5, 1.5), (1.0, 1.0)):
        assert painter.edit(shoe, "red", 1, strength=strength).picture.tobytes() == held(image_guidance)
    assert len({held(1.75), held(1.5), held(1.0)}) == 3


@pytest.mark.parametrize(
    ("kind", "wanted", "painted"),
    [
        ("StableDiffusionPipeline", 64, 64),
        ("StableDiffusionPipeline", 50, 48),
        ("StableDiffusionPipeline", 61, 64),
        ("StableDiffusionPipeline", 1, 8),
        ("StableDiffusionInstructPix2PixPipeline", 101, 104),
        ("Flux2KleinPipeline", 57, 64),
        ("Flux2KleinPipeline", 1, 16),
    ],
)
def test_sizes_are_rounded_to_what_the_model_can_paint(
    kind: str, wanted: int, painted: int, painters: Callable[[str], Painter]
) -> None:
    painting = painters(kind).imagine("red", 1, size=wanted)
    assert painting.picture.size == (painted, painted)


def test_too_little_memory_says_what_to_do(painters: Callable[[str], Painter]) -> None:
    painter = painters("StableDiffusionPipeline")
    with pytest.raises(PainterError, match=r"Out of memory: .* needs about 4 GB on the .* smaller preset"):
        painter.imagine("red", 1, size=100_000_000)  # more than any machine can address
    assert painter.imagine("red", 1).steps == 2


def test_a_model_that_does_not_fit_its_pipeline_is_one_line(models: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models("StableDiffusionInstructPix2PixPipeline"), folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(PainterError) as caught:  # eight input channels where the pipeline has four
        open_painter(str(folder)).imagine("red", 1)
    assert "could not paint" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_written_on_the_terminal(models: Callable[[str], Path], shoe: Image.Image, capfd: Any) -> None:
    for kind in tiny.CLASSES:
        painter = HubPainter(replace(find_preset(str(models(kind))), size=SIDE), models(kind))
        painter.imagine("a very long wish " * 40, 1)
        painter.edit(shoe, "red", 1)
    assert capfd.readouterr() == ("", "")


def test_both_pipelines_share_one_set_of_weights(models: Callable[[str], Path], shoe: Image.Image) -> None:
    """Editing after the files are gone works: nothing is loaded a second time."""
    folder = models("StableDiffusionXLPipeline").with_name("passing")
    tiny.save("StableDiffusionXLPipeline", folder)
    painter = open_painter(str(folder))
    shutil.rmtree(folder)
    assert painter.edit(shoe, "red", 1).steps == 2


# -------------------------------------------------------------------- folders


def changed(models: Callable[[str], Path], tmp_path: Path, kind: str = "StableDiffusionPipeline") -> Path:
    return Path(shutil.copytree(models(kind), tmp_path / "model"))


def test_a_folder_tells_its_own_size_and_steps(models: Callable[[str], Path], tmp_path: Path) -> None:
    folder = changed(models, tmp_path)
    turbo = find_preset(str(folder))
    assert (turbo.steps, turbo.guidance, turbo.size) == (2, 0.0, 64)

    scheduler = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(scheduler.read_text())
    scheduler.write_text(json.dumps(config | {"timestep_spacing": "leading"}))
    plain = find_preset(str(folder))
    assert (plain.steps, plain.guidance) == (25, 7.5)
    assert plain.is_folder
    assert open_painter(str(folder)).imagine("red", 1).steps == 25

    scheduler.write_text(json.dumps(config | {"timestep_spacing": "leading", "_class_name": "LCMScheduler"}))
    assert find_preset(str(folder)).steps == 2


def test_a_folder_saved_from_the_edit_pipeline_is_known(models: Callable[[str], Path], tmp_path: Path) -> None:
    folder = changed(models, tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionImg2ImgPipeline"}))
    assert open_painter(str(folder)).imagine("red", 1).picture.width == 64


def test_a_folder_with_half_precision_only_is_loaded(tmp_path: Path) -> None:
    folder = tiny.save("StableDiffusionPipeline", tmp_path / "half", variant="fp16")
    assert not list(folder.rglob("model.safetensors"))
    assert open_painter(str(folder)).imagine("red", 1).picture.width == 64


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_pickles_are_never_opened(models: Callable[[str], Path], tmp_path: Path, part: str) -> None:
    folder = changed(models, tmp_path)
    for path in (folder / part).glob("*.safetensors"):
        path.rename(path.with_name("pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"))
    with pytest.raises(PainterError, match=r"has no safetensors, only .*model.bin") as caught:
        open_painter(str(folder))
    assert str(folder / part) in str(caught.value)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("left", [0, 5, 400, -100])
def test_truncated_weights_are_named(models: Callable[[str], Path], tmp_path: Path, part: str, left: int) -> None:
    folder = changed(models, tmp_path)
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:left])
    with pytest.raises(WeightsError, match="can't be loaded") as caught:
        open_painter(str(folder))
    assert str(folder) in str(caught.value)
    assert "again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.get_default_dtype() == torch.float32  # other models of this process are loaded as before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("unet/config.json", "{"),
        ("unet/config.json", '{"_class_name": "UNet2DConditionModel", "block_out_channels": "many"}'),
        ("vae/config.json", "[]"),
        ("scheduler/scheduler_config.json", ""),
        ("tokenizer/vocab.json", "{"),
        ("text_encoder/config.json", '{"model_type": "clip_text_model", "hidden_size": 12}'),
    ],
)
def test_a_damaged_configuration_is_named(
    models: Callable[[str], Path], tmp_path: Path, name: str, content: str
) -> None:
    folder = changed(models, tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(WeightsError, match="can't be loaded") as caught:
        open_painter(str(folder))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["unet", "scheduler", "tokenizer"])
def test_a_missing_part_is_named(models: Callable[[str], Path], tmp_path: Path, part: str) -> None:
    folder = changed(models, tmp_path)
    shutil.rmtree(folder / part)
    with pytest.raises(PainterError, match=f"files of its {part} are missing"):
        open_painter(str(folder))


def test_code_in_a_folder_is_never_run(models: Callable[[str], Path], tmp_path: Path) -> None:
    folder = changed(models, tmp_path)
    trace = tmp_path / "it-ran"
    for place in (folder / "unet" / "custom.py", folder / "custom.py", folder / "pipeline.py"):
        place.write_text(f"open({str(trace)!r}, 'w').close()\nclass Custom: pass\n")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["custom", "Custom"]}))
    with pytest.raises(DreamkicksError):
        open_painter(str(folder))
    assert not trace.exists()


def test_a_folder_of_another_pipeline_says_which_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "AudioLDMPipeline"}')
    with pytest.raises(PainterError, match=r"holds a AudioLDMPipeline.*StableDiffusionXLPipeline") as caught:
        open_painter(str(tmp_path))
    assert "SneakerPipeline" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"unet": []}'])
def test_a_broken_index_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model_index.json").write_bytes(content)
    with pytest.raises(PainterError, match=r"model_index.json can't be read"):
        open_painter(str(tmp_path))


@pytest.mark.parametrize("name", [".", "x" * 300])
def test_a_folder_without_an_index_is_no_model(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownPreset):
        open_painter(str(tmp_path / name))


def test_a_device_that_is_not_here_is_said(models: Callable[[str], Path]) -> None:
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(PainterError, match="no device"):
        open_painter(str(models("StableDiffusionPipeline")), missing)


def test_the_painter_is_what_the_protocol_says() -> None:
    for name in ("imagine", "edit"):
        mine, agreed = (inspect.signature(getattr(owner, name)) for owner in (HubPainter, Painter))
        assert mine == agreed
