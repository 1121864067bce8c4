"""The files of hub models: found, pulled from a hub and removed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from dreamkicks.errors import ModelMissing, PainterError, StorageError, UnknownPreset
from dreamkicks.painter import hub
from dreamkicks.painter.painter import open_painter
from tests.painter import tiny
from tests.painter.fakehub import COMMIT, FakeHub, pulled, run

REPO = "stabilityai/sd-turbo"
CACHED = "models--stabilityai--sd-turbo"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as crowded as the real ones: half and full precision, pickles, checkpoints, another framework's weights."""
    folder = tiny.save("StableDiffusionPipeline", tmp_path_factory.mktemp("repository"), variant="fp16")
    tiny.save("StableDiffusionPipeline", folder)
    (folder / "README.md").write_text("# about")
    (folder / "sd_turbo.safetensors").write_bytes(b"a copy of all of it")
    (folder / "v1.ckpt").write_bytes(b"a pickle")
    for part in ("unet", "vae", "text_encoder"):
        for name in (
            "diffusion_pytorch_model.bin",
            "pytorch_model.fp16.bin",
            "model.onnx",
            "flax_model.msgpack",
            "x.pt",
        ):
            (folder / part / name).write_bytes(b"never asked for")
    (folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"for training")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "config.json").write_text("{}")
    (folder / "safety_checker" / "model.fp16.safetensors").write_bytes(b"1.2 GB in truth")
    return folder


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as server:  # a pull asks for several files at a time
        yield server


@pytest.fixture
def fakehub(server: HTTPServer, repository: Path) -> FakeHub:
    return FakeHub(server, REPO, repository)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no Hugging Face cache."""
    from huggingface_hub import constants

    monkeypatch.setenv("DREAMKICKS_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    attempts: list[object] = []

    def refuse(*to: object) -> None:
        attempts.append(to)
        raise OSError("a test that may open no connection opened one")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not attempts


def cache_of(cache: Path, repository: Path, *left_out: str) -> Path:
    """A snapshot as the hub's library keeps it, without the named files."""
    snapshot = cache / CACHED / "snapshots" / COMMIT
    shutil.copytree(repository, snapshot, ignore=lambda _, names: [name for name in names if name in left_out])
    (cache / CACHED / "refs").mkdir()
    (cache / CACHED / "refs" / "main").write_text(COMMIT)
    return snapshot


def test_a_pull_brings_what_paints_and_nothing_else(fakehub: FakeHub, home: Path) -> None:
    answer = pulled(home, fakehub.url)

    folder = Path(str(answer["folder"]))
    assert folder.is_relative_to(home / "models")
    weights = {name for name in fakehub.asked if name.endswith(".safetensors")}
    assert weights == {
        "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    }
    assert {Path(name).suffix for name in fakehub.asked} == {".safetensors", ".json", ".txt"}
    assert not any(name.startswith("safety_checker/") for name in fakehub.asked)

    told = answer["told"]
    assert isinstance(told, list)
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert told[-1] == [here, here]
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    preset = hub.hub_preset("sd-turbo")
    assert hub.local_folder(preset) == folder
    assert hub.size_on_disk(preset) == here
    assert hub.HubPainter(preset, folder).imagine("red", 1, size=64).steps == 2


def test_a_preset_without_a_variant_is_pulled_in_full_precision(
    server: HTTPServer, repository: Path, home: Path
) -> None:
    preset = hub.hub_preset("instruct-pix2pix")
    fakehub = FakeHub(server, preset.repo, repository, str(preset.revision))
    pulled(home, fakehub.url, "instruct-pix2pix")
    assert {name for name in fakehub.asked if name.endswith(".safetensors")} == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_a_model_paints_without_a_connection(home: Path, repository: Path, no_network: None) -> None:
    cache_of(home / "models", repository)
    preset = hub.hub_preset("sd-turbo")
    painting = hub.HubPainter(preset, hub.local_folder(preset)).imagine("red", 1, size=64)
    assert (painting.model, painting.picture.width, painting.steps) == ("sd-turbo", 64, 2)


def test_what_was_pulled_can_be_removed(fakehub: FakeHub, home: Path) -> None:
    pulled(home, fakehub.url)
    preset = hub.hub_preset("sd-turbo")
    size = hub.size_on_disk(preset)
    assert size is not None

    assert hub.bytes_kept(preset) == size
    assert hub.remove(preset) >= size
    assert hub.size_on_disk(preset) is None
    assert not list((home / "models").rglob("*.safetensors"))
    assert hub.remove(preset) == 0


def test_an_interrupted_pull_is_no_model_and_goes_on_later(fakehub: FakeHub, home: Path) -> None:
    fakehub.hold()
    script = (
        "import os, threading, urllib.request\n"
        "from dreamkicks import locations\n"
        "from dreamkicks.errors import Cancelled\n"
        "from dreamkicks.painter import hub\n"
        "def let_go():\n"
        "    urllib.request.urlopen(os.environ['HF_ENDPOINT'] + '/let-go')\n"
        "def stop(done, total):\n"
        "    if done and any(locations.models().glob('*/snapshots/*/model_index.json')):\n"
        "        threading.Timer(0.5, let_go).start()\n"
        "        raise Cancelled\n"
        "try: hub.pull(hub.hub_preset('sd-turbo'), stop)\n"
        "except Cancelled: print('stopped')\n"
    )
    done = run(script, home, fakehub.url)
    assert (done.stdout, done.stderr) == ("stopped\n", "")
    preset = hub.hub_preset("sd-turbo")
    with pytest.raises(ModelMissing, match="only partly on this machine"):
        hub.local_folder(preset)
    assert hub.size_on_disk(preset) is None

    before = set(fakehub.asked)
    fakehub.asked.clear()
    pulled(home, fakehub.url)
    assert hub.size_on_disk(preset) is not None
    assert "model_index.json" in before - fakehub.asked


def test_the_rest_of_an_interrupted_pull_can_be_removed(home: Path, repository: Path) -> None:
    blobs = home / "models" / CACHED / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(b"x" * 1000)
    assert hub.bytes_kept(hub.hub_preset("sd-turbo")) == 1000
    assert hub.remove(hub.hub_preset("sd-turbo")) == 1000
    assert hub.bytes_kept(hub.hub_preset("sd-turbo")) == 0
    assert not (home / "models" / CACHED).exists()


def test_weights_in_the_store_that_models_share_are_freed_too(home: Path) -> None:
    from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store

    cache = home / "models"
    blob, snapshot = cache / CACHED / "blobs" / "e7a6", cache / CACHED / "snapshots" / COMMIT
    blob.parent.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    blob.write_bytes(b"x" * 5000)
    (snapshot / "weights.safetensors").symlink_to(blob)
    assert publish_blob_to_shared_store(blob_path=str(blob), xet_hash="ab" * 32, cache_dir=cache, expected_size=5000)
    assert blob.is_symlink()

    preset = hub.hub_preset("sd-turbo")
    assert hub.bytes_kept(preset) == 5000
    assert hub.remove(preset) >= 5000
    assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size >= 5000]


def test_files_that_arrive_short_are_refused(fakehub: FakeHub, home: Path) -> None:
    fakehub.cut = 10
    answer = pulled(home, fakehub.url)
    assert answer["error"] == "PainterError"
    assert "pull again" in str(answer["message"])
    assert hub.size_on_disk(hub.hub_preset("sd-turbo")) is None


@pytest.mark.parametrize(("status", "code"), [(401, "GatedRepo"), (403, "GatedRepo"), (404, "RepoNotFound")])
def test_a_gated_model_says_how_to_get_in(server: HTTPServer, home: Path, status: int, code: str) -> None:
    for place in ("", f"/revision/{COMMIT}", f"/tree/{COMMIT}"):
        server.expect_request(f"/api/models/{REPO}{place}").respond_with_data(
            "", status=status, headers={"X-Error-Code": code}
        )
    answer = pulled(home, server.url_for(""))
    assert answer["error"] == "PainterError"
    assert "hf auth login" in str(answer["message"])


def test_no_connection_is_said(home: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        answer = pulled(home, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert answer["error"] == "PainterError"
    assert "Check the connection" in str(answer["message"])
    assert "\n" not in str(answer["message"])


def test_a_repository_without_safetensors_is_refused(server: HTTPServer, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickles"
    tiny.save("StableDiffusionPipeline", folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(
        folder / "unet" / "diffusion_pytorch_model.fp16.bin"
    )
    fakehub = FakeHub(server, REPO, folder)
    answer = pulled(home, fakehub.url)
    assert answer["error"] == "PainterError"
    assert "safetensors" in str(answer["message"])
    assert not any(name.endswith(".bin") for name in fakehub.asked)


def test_a_place_that_can_not_be_written_is_said(fakehub: FakeHub, home: Path) -> None:
    (home / "models").write_text("a file where the folder should be")
    answer = pulled(home, fakehub.url)
    assert answer["error"] == StorageError.__name__


@pytest.mark.parametrize("how", ["setting", "environment"])
def test_offline_means_offline(home: Path, no_network: None, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "environment")
    with pytest.raises(PainterError, match="offline is set"):
        hub.pull(hub.hub_preset("sd-turbo"), offline=how == "setting")


@pytest.mark.parametrize("name", ["sd-turbo", "lcm-sd15", "sdxl-turbo", "instruct-pix2pix", "flux2-klein"])
def test_a_preset_that_is_not_here_says_what_it_costs(home: Path, no_network: None, name: str) -> None:
    preset = hub.hub_preset(name)
    with pytest.raises(ModelMissing, match=f"dreamkicks models pull {name}$") as caught:
        open_painter(name)
    assert f"{preset.download:g} GB" in str(caught.value)
    assert preset.licence in str(caught.value)
    assert hub.size_on_disk(preset) is None
    assert hub.remove(preset) == 0


def test_a_model_in_the_hugging_face_cache_is_used_and_left_alone(
    home: Path, repository: Path, no_network: None
) -> None:
    snapshot = cache_of(home / "hf" / "hub", repository)
    preset = hub.hub_preset("sd-turbo")
    assert hub.local_folder(preset) == snapshot
    with pytest.raises(PainterError, match="other programs"):
        hub.remove(preset)
    assert hub.local_folder(preset) == snapshot


def test_our_cache_goes_before_the_hugging_face_cache(home: Path, repository: Path) -> None:
    cache_of(home / "hf" / "hub", repository)
    ours = cache_of(home / "models", repository)
    assert hub.local_folder(hub.hub_preset("sd-turbo")) == ours


@pytest.mark.parametrize(
    "missing", ["model_index.json", "scheduler_config.json", "merges.txt", "diffusion_pytorch_model.fp16.safetensors"]
)
def test_part_of_a_model_is_no_model(home: Path, repository: Path, missing: str) -> None:
    cache_of(home / "models", repository, missing, missing.replace(".fp16", ""), "tokenizer_config.json", "vocab.json")
    with pytest.raises(ModelMissing):
        hub.local_folder(hub.hub_preset("sd-turbo"))


def test_half_precision_is_not_needed_where_full_precision_is(home: Path, repository: Path) -> None:
    fp16 = ("model.fp16.safetensors", "diffusion_pytorch_model.fp16.safetensors")
    snapshot = cache_of(home / "hf" / "hub", repository, *fp16)
    assert hub.local_folder(hub.hub_preset("sd-turbo")) == snapshot
    assert open_painter(str(snapshot)).imagine("red", 1).steps == 2


def test_all_shards_of_a_large_model_are_needed(home: Path, repository: Path) -> None:
    snapshot = cache_of(home / "models", repository)
    unet = snapshot / "unet"
    for path in unet.glob("*.safetensors"):
        path.unlink()
    shards = [f"diffusion_pytorch_model.fp16-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"metadata": {}, "weight_map": {"conv_in.weight": shards[0], "conv_out.weight": shards[1]}}
    (unet / "diffusion_pytorch_model.safetensors.index.fp16.json").write_text(json.dumps(index))
    (unet / shards[0]).write_bytes(b"one")
    preset = hub.hub_preset("sd-turbo")
    assert hub.size_on_disk(preset) is None
    (unet / shards[1]).write_bytes(b"two")
    assert hub.local_folder(preset) == snapshot


@pytest.mark.parametrize("name", ["builtin", "a folder"])
def test_only_hub_presets_come_from_the_hub(name: str, tmp_path: Path) -> None:
    if name == "a folder":
        name = str(tiny.save("StableDiffusionPipeline", tmp_path / "model"))
    with pytest.raises(PainterError, match="does not come from the hub"):
        hub.hub_preset(name)


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(UnknownPreset, match="sd-turbo"):
        hub.hub_preset("sd-turboo")


def test_listing_models_needs_no_torch(home: Path) -> None:
    script = (
        "import sys\n"
        "from dreamkicks.painter import hub\n"
        "hub.size_on_disk(hub.hub_preset('sd-turbo'))\n"
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
