"""The painter that ships, with its real weights: what is asked for is there, and an edit leaves the rest."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dreamkicks import locations
from dreamkicks.errors import Cancelled, PainterError, WeightsError
from dreamkicks.painter.blueprint import silhouette_name
from dreamkicks.painter.builtin import BuiltinPainter
from dreamkicks.painter.colour import to_lab
from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.painter import Painter, Painting, Step, open_painter
from dreamkicks.painter.presets import find_preset
from dreamkicks.painter.vocabulary import colour_name
from dreamkicks.settings import Settings
from dreamkicks.studio import Studio
from tests.drawing import sneaker

SEEDS = range(4)


@pytest.fixture(scope="module")
def painter() -> Painter:
    return open_painter()


def seen(painting: Painting) -> Measured:
    found = measure(np.asarray(painting.picture))
    assert found is not None
    return found


@pytest.mark.parametrize("colour", ["red", "blue", "green", "black", "yellow"])
def test_the_upper_has_the_colour_asked_for(painter: Painter, colour: str) -> None:
    shown = [seen(painter.imagine(f"{colour} low-top", seed)).blueprint.upper for seed in SEEDS]
    named = [colour_name(lab) for lab in shown if lab is not None]
    alike = {"green": ("green", "dark green"), "black": ("black", "charcoal"), "yellow": ("yellow", "mustard")}
    assert sum(name in alike.get(colour, (colour,)) for name in named) >= 3, named


def test_the_sole_and_the_silhouette_too(painter: Painter) -> None:
    for asked in ("low-top", "high-top"):
        shown = [seen(painter.imagine(f"a red {asked} with a black sole", seed)).blueprint for seed in SEEDS]
        assert sum(silhouette_name(one.height or 0) == asked for one in shown) >= 3
        assert sum(one.sole is not None and one.sole[0] < 35 for one in shown) >= 3


def test_seeds_differ_in_outline_and_the_paper_stays_clean(painter: Painter) -> None:
    dreams = [painter.imagine("a sneaker", seed) for seed in range(8)]
    heights = [seen(dream).blueprint.height or 0 for dream in dreams]
    assert max(heights) - min(heights) > 0.1
    for dream in dreams:
        around = cv2.dilate(seen(dream).mask.astype(np.uint8), np.ones((25, 25), np.uint8)) == 0
        assert (np.asarray(dream.picture)[around] == 255).mean() > 0.99


def test_an_edit_of_a_colour_leaves_the_rest(painter: Painter) -> None:
    before = painter.imagine("a red low-top with a white sole", 3)
    after = painter.edit(before.picture, "navy", 4)
    one, two = seen(before), seen(after)
    assert two.blueprint.upper is not None and colour_name(two.blueprint.upper) == "navy"
    assert (one.mask & two.mask).sum() / (one.mask | two.mask).sum() > 0.9
    sole = one.mask & two.mask
    sole[: max(one.sole_line, two.sole_line) + 4] = False
    labs = [to_lab(np.asarray(painting.picture))[sole].mean(0) for painting in (before, after)]
    assert math.dist(*labs) < 15


def test_several_parts_each_get_their_own_colour(painter: Painter) -> None:
    before = painter.imagine("a grey low-top with a white sole", 5)
    told: list[Step] = []
    after = painter.edit(before.picture, "yellow heel, red toe and a black sole", 6, on_step=told.append)
    was, now = seen(before).blueprint, seen(after).blueprint
    assert was.heel and now.heel and was.toe and now.toe and now.sole
    assert now.heel[2] > was.heel[2] + 10  # yellower
    assert now.toe[1] > was.toe[1] + 20  # redder
    assert now.sole[0] < 35
    one = painter.preset.steps
    assert after.steps == 3 * one and [step.number for step in told] == list(range(1, 3 * one + 1))
    assert {step.total for step in told} == {3 * one}


def test_a_cancel_in_a_later_turn_tells_all_steps_that_ran(painter: Painter) -> None:
    before = painter.imagine("a grey low-top", 5).picture

    def stop(step: Step) -> None:
        if step.number == painter.preset.steps + 1:
            raise Cancelled

    with pytest.raises(Cancelled) as caught:
        painter.edit(before, "red upper, black sole", 1, on_step=stop)
    assert caught.value.steps == painter.preset.steps + 1


def test_soles_grow_and_shrink(painter: Painter) -> None:
    before = [painter.imagine("a blue low-top with a white sole", seed) for seed in SEEDS]
    for word, sign in (("chunkier sole", 1), ("thinner sole", -1)):
        grown = []
        for painting in before:
            was, now = seen(painting), seen(painter.edit(painting.picture, word, 3))
            grown.append(sign * ((now.box[3] - now.sole_line) - (was.box[3] - was.sole_line)))
        assert sum(rows >= 4 for rows in grown) >= 3, (word, grown)


@pytest.mark.parametrize(("before", "asked", "height"), [("low-top", "high-top", 0.62), ("high-top", "low-top", 0.43)])
def test_silhouettes_are_swapped_and_the_rest_stays(painter: Painter, before: str, asked: str, height: float) -> None:
    told: list[Step] = []
    for seed in SEEDS:
        dream = painter.imagine(f"a red {before} with a white sole", seed)
        after = painter.edit(dream.picture, asked, 1, on_step=told.append)
        was, now = seen(dream), seen(after)
        assert after.steps == 1 and now.blueprint.height == pytest.approx(height, abs=0.05)
        assert was.blueprint.upper and now.blueprint.upper
        assert colour_name(now.blueprint.upper) == colour_name(was.blueprint.upper)
        assert 0.7 < sharpness(after.picture, now) / sharpness(dream.picture, was) < 1.3
        changed = (np.asarray(after.picture) != np.asarray(dream.picture)).any(-1)
        lower_edge = np.maximum(was.mask.argmax(0), now.mask.argmax(0))
        assert not changed[np.arange(256)[:, None] > lower_edge + 30].any()
        toe = slice(was.box[2] - 30, was.box[2])
        assert np.abs(was.mask[:, toe].sum(0) - now.mask[:, toe].sum(0)).mean() < 10
        half = painter.edit(dream.picture, asked, 1, strength=0.5)
        middle = ((was.blueprint.height or 0) + (now.blueprint.height or 0)) / 2
        # A height is that of the highest row, and painted collars are uneven by some rows of a hundred or so to the shoe's length.
        assert seen(half).blueprint.height == pytest.approx(middle, abs=0.04)
        hardly = painter.edit(dream.picture, asked, 1, strength=0.01)
        assert np.abs(np.asarray(hardly.picture, float) - np.asarray(dream.picture, float)).mean() < 0.5
    last = told[-1].preview
    assert last is not None and last.size == (128, 128)
    assert np.abs(np.asarray(last, float) - np.asarray(after.picture.reduce(2), float)).mean() < 2


def test_no_shoe_is_made_as_high_as_it_is(painter: Painter) -> None:
    boot = painter.edit(painter.imagine("a green low-top", 2).picture, "boot", 1).picture
    for before in (boot, ImageOps.mirror(boot)):
        again = painter.edit(before, "high-top", 1)
        assert again.picture.tobytes() == before.tobytes() and again.steps == 0
        assert again.remark is not None and "already" in again.remark
    red = painter.edit(boot, "a red high-top", 1)
    assert red.remark is None and red.steps == painter.preset.steps


def test_what_stands_above_the_band_is_lowered_too(painter: Painter) -> None:
    boot = painter.imagine("a black boot", 1).picture
    left, _, right, bottom = seen(painter.imagine("a black boot", 1)).box
    shoe = boot.crop((left, 0, right, bottom)).resize((232, 340)).crop((0, 340 - 210, 232, 340))
    tall = Image.new("RGB", (256, 256), "white")
    tall.paste(shoe, (12, 18))
    before = measure(np.asarray(tall))
    assert before is not None and (before.blueprint.height or 0) > 0.8
    assert seen(painter.edit(tall, "low-top", 1)).blueprint.height == pytest.approx(0.44, abs=0.05)


def test_edits_in_a_row_neither_blur_nor_grey_the_picture(painter: Painter) -> None:
    kept = []
    for seed in SEEDS:
        dream = painter.imagine("a black low-top with a white sole", seed)
        after = dream
        for instruction in ("make it red", "gum sole", "make it blue", "white sole", "yellow toe", "make it green"):
            after = painter.edit(after.picture, instruction, 1)
        kept.append(sharpness(after.picture, seen(after)) / sharpness(dream.picture, seen(dream)))
        assert (np.asarray(after.picture)[:40] == 255).all()
    assert 0.8 < np.median(kept) < 1.3, kept


def sharpness(picture: Image.Image, shown: Measured) -> float:
    return float(cv2.Laplacian(np.asarray(picture.convert("L"), np.float32), cv2.CV_32F)[shown.mask].std())


def test_an_edit_of_a_colour_keeps_what_is_finer_than_the_network_sees(painter: Painter) -> None:
    plain = painter.imagine("a grey low-top with a white sole", 5)
    shown = seen(plain)
    draw = np.random.default_rng(0)
    left, top, right, _ = shown.box
    inside = np.zeros(shown.mask.shape, bool)
    inside[top + 20 : shown.sole_line - 12, left + 40 : right - 40] = True
    inside &= shown.mask
    grain = draw.choice([-12.0, 12.0], size=inside.shape) * inside
    speckled = np.clip(np.asarray(plain.picture) + grain[..., None], 0, 255).astype(np.uint8)
    after = np.asarray(painter.edit(Image.fromarray(speckled), "make it blue", 1).picture.convert("L"), np.float32)
    fine = after - cv2.GaussianBlur(after, (0, 0), 2)
    assert np.corrcoef(fine[inside], grain[inside])[0, 1] > 0.3


def test_an_edit_of_a_colour_paints_no_details_on_what_was_plain(painter: Painter) -> None:
    plain = frame(sneaker("#b8b8b8", sole="#404040"))
    after = np.asarray(painter.edit(plain, "make it green", 1).picture.convert("L"), np.float32)
    before = np.asarray(plain.convert("L"), np.float32)
    edges = cv2.dilate((np.abs(cv2.Laplacian(before, cv2.CV_32F)) > 8).astype(np.uint8), np.ones((13, 13), np.uint8))
    inside = (edges == 0) & (before < 200) & (before > 150)
    assert inside.sum() > 1000
    assert np.abs(after - cv2.GaussianBlur(after, (0, 0), 3))[inside].mean() < 1


def test_strength_is_how_far_an_edit_moves(painter: Painter) -> None:
    before = painter.imagine("a red low-top with a white sole", 3).picture
    away = []
    for strength in (0.0, 0.5, 1.0):
        after = painter.edit(before, "green", 1, strength=strength).picture
        away.append(float(np.abs(np.asarray(after, np.float32) - np.asarray(before)).mean()))
    assert away[0] < 4 and away[0] < away[1] < away[2]


def test_a_shoe_that_faces_left_is_painted_as_one_that_faces_right(painter: Painter) -> None:
    right = painter.imagine("a grey low-top with a white sole", 5).picture
    told: list[Step] = []
    left = painter.edit(ImageOps.mirror(right), "red toe", 6, on_step=told.append).picture
    assert ImageOps.mirror(left).tobytes() == painter.edit(right, "red toe", 6, on_step=told.append).picture.tobytes()
    redder = to_lab(np.asarray(left))[..., 1] - to_lab(np.asarray(ImageOps.mirror(right)))[..., 1]
    assert redder[:, :80].max() > 30 and redder[:, 160:].max() < 2
    shown_left, shown_right = (step.preview for step in told)
    assert shown_left is not None and shown_right is not None and shown_left.tobytes() != shown_right.tobytes()
    assert ImageOps.mirror(shown_left).tobytes() == shown_right.tobytes()


@pytest.mark.parametrize("words", ["glowing unicorns", "sole", "make it nice"])
def test_what_it_can_not_paint_leaves_the_picture_as_it_is(painter: Painter, words: str) -> None:
    dream = painter.imagine("a red low-top", 3).picture
    photograph = ImageOps.mirror(ImageOps.pad(dream, (400, 300), color="tan"))
    for before in (dream, photograph):
        after = painter.edit(before, words, 1)
        assert after.picture.tobytes() == before.tobytes() and after.steps == 0
        assert after.remark is not None and "Nothing" in after.remark


def test_pictures_that_are_no_side_views_are_remarked_on(painter: Painter) -> None:
    dream = painter.imagine("a red low-top", 3)
    assert dream.remark is None and painter.edit(dream.picture, "blue", 1).remark is None
    remark = painter.edit(Image.new("RGB", (128, 128), "navy"), "red", 1).remark
    assert remark is not None and "from the side" in remark and "models list" in remark
    studio = Studio(Settings())
    studio.repaint(ImageOps.flip(dream.picture), "blue", 1)
    assert studio.remark == remark
    studio.repaint(dream.picture, "blue", 1)
    assert studio.remark is None


def test_what_is_asked_for_is_told(painter: Painter) -> None:
    told: list[Step] = []
    painting = painter.imagine("glowing red shoe with a gum sole", 1, on_step=told.append)
    assert painting.understood == ("red", "shoe", "gum", "sole") and painting.ignored == ("glowing",)
    assert (painting.model, painting.picture.width, painting.seed) == ("builtin", 256, 1)
    assert painting.seconds > 0 and painting.steps == len(told) == told[-1].total


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(locations.weights() / "painter", tmp_path / "painter"))


@pytest.mark.parametrize("name", ["unet/config.json", "vae/diffusion_pytorch_model.safetensors", "model_index.json"])
def test_damaged_weights_are_named(tmp_path: Path, name: str) -> None:
    folder = copied(tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(WeightsError, match=Path(name).name):
        BuiltinPainter(find_preset("builtin"), folder)
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=Path(name).name):
        BuiltinPainter(find_preset("builtin"), folder)


def test_a_device_that_is_not_there_is_said() -> None:
    with pytest.raises(PainterError, match="no device 'tpu'"):
        BuiltinPainter(find_preset("builtin"), locations.weights() / "painter", "tpu")


def test_it_is_opened_once(painter: Painter) -> None:
    assert open_painter() is painter


def test_it_is_laid_out_as_diffusers_does() -> None:
    folder = locations.weights() / "painter"
    index = json.loads((folder / "model_index.json").read_text())
    parts = [name for name in index if not name.startswith("_")]
    assert sorted(parts) == ["prior", "reader", "scheduler", "unet", "vae"]
    assert all((folder / part).is_dir() for part in parts)
    assert not [file for file in folder.rglob("*") if file.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
