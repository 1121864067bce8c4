from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from dreamkicks import locations
from dreamkicks.encoder.encoder import Encoder, open_encoder
from dreamkicks.errors import EncoderError, PainterError, WeightsError
from tests.drawing import sneaker
from tests.encoder.tiny import LENGTH, PAD, WORDS, make_siglip

COLOURS = ("red", "blue", "black", "white")


@pytest.fixture(scope="module")
def builtin() -> Encoder:
    return open_encoder()


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, torch.nn.Module, Path]:
    """A tiny SigLIP, the very model for comparison, and its folder."""
    folder = tmp_path_factory.mktemp("models") / "siglip"
    model = make_siglip(folder)
    return open_encoder(str(folder)), model, folder


# -------------------------------------------------------------------- vectors


def test_rows_of_length_one(builtin: Encoder) -> None:
    for rows in (
        builtin.pictures([sneaker(c) for c in COLOURS]),
        builtin.words(["red sneaker", "👟", "赤い", "x" * 2000]),
    ):
        assert rows.shape == (4, builtin.dim) and rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_pictures_and_words_share_a_space(builtin: Encoder) -> None:
    scores = builtin.pictures([sneaker(c) for c in COLOURS]) @ builtin.words([f"{c} sneaker" for c in COLOURS]).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]  # each picture's nearest words
    assert scores.argmax(axis=0).tolist() == [0, 1, 2, 3]  # and the other way round


def test_likeness(builtin: Encoder) -> None:
    red, alike, blue = builtin.pictures([sneaker("red", 1), sneaker("#cc1010", 2), sneaker("blue", 1)])
    assert red @ alike > red @ blue


def test_looking_left_or_right_is_the_same(builtin: Encoder) -> None:
    right = sneaker("navy", 3)
    one, two = builtin.pictures([right, ImageOps.mirror(right)])
    assert one @ two > 0.999


def test_a_batch_gives_what_its_pictures_give(builtin: Encoder) -> None:
    images = [sneaker(COLOURS[n % 4], n, size=64) for n in range(35)]  # more than one batch
    together = builtin.pictures(images)
    apart = np.concatenate([builtin.pictures([images[n]]) for n in (0, 31, 32, 34)])
    np.testing.assert_allclose(together[[0, 31, 32, 34]], apart, atol=1e-4)
    words = ["red sneaker", "a blue high-top with a gum sole"]
    np.testing.assert_allclose(builtin.words(words), np.concatenate([builtin.words([w]) for w in words]), atol=1e-5)


def test_nothing_gives_no_rows(builtin: Encoder) -> None:
    assert builtin.pictures([]).shape == builtin.words([]).shape == (0, builtin.dim)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (4_000_000, 1), (5000, 200)])
def test_pictures_of_any_shape(builtin: Encoder, size: tuple[int, int]) -> None:
    rows = builtin.pictures([Image.new("RGB", size, "red")])
    assert np.isfinite(rows).all()


def test_the_whole_shoe_is_seen(builtin: Encoder) -> None:
    """A wide picture is padded: its middle square alone would be another shoe."""
    square = sneaker("red", 1, size=512)
    wide = square.crop((0, 150, 512, 400))
    padded, middle = builtin.pictures([wide, wide.crop((131, 0, 381, 250))])
    (whole,) = builtin.pictures([square])
    assert whole @ padded > 0.9 and whole @ padded - whole @ middle > 0.05


# -------------------------------------------------------------------- padding


def by_hand(model: torch.nn.Module, tokens: list[int]) -> np.ndarray:
    with torch.inference_mode():
        row = model.encode_text(torch.tensor([tokens]))[0].numpy()  # type: ignore[operator]
    return np.asarray(row / np.linalg.norm(row))


def test_siglip_pads_to_the_full_length_with_its_own_token(siglip: tuple[Encoder, torch.nn.Module, Path]) -> None:
    encoder, model, _ = siglip
    for text in ("red sneaker", "Blue High-Top, with GUM sole!", "purple", " ".join(["red"] * 50), ""):
        plain = text.lower().replace("-", "").replace(",", "").replace("!", "")  # as SigLIP's texts are cleaned
        tokens = [WORDS.index(word) if word in WORDS else 2 for word in plain.split()]
        tokens = [*tokens[: LENGTH - 1], 1]
        padded = tokens + [PAD] * (LENGTH - len(tokens))
        (row,) = encoder.words([text])
        np.testing.assert_allclose(row, by_hand(model, padded), atol=1e-5)
        if len(tokens) < LENGTH:  # the two mistakes that give plausible vectors: another token, no padding
            for wrong in (tokens + [0] * (LENGTH - len(tokens)), tokens):
                assert row @ by_hand(model, wrong) < 0.99


def test_siglip_pads_whatever_is_beside_a_text(siglip: tuple[Encoder, torch.nn.Module, Path]) -> None:
    encoder, _, _ = siglip
    alone, beside = encoder.words(["red"])[0], encoder.words(["red", " ".join(["blue"] * 30)])[0]
    np.testing.assert_allclose(alone, beside, atol=1e-6)


def test_the_built_in_one_pads_to_the_full_length_too(builtin: Encoder) -> None:
    from tokenizers import Tokenizer

    folder = locations.weights() / "encoder"
    length = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]["context_length"]
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("red sneaker").ids
    assert len(tokens) < length
    padded = torch.tensor([tokens + [0] * (length - len(tokens))])
    assert builtin._tokenize(["red sneaker"]).tolist() == padded.tolist()


# -------------------------------------------------------------------- identity


def test_an_encoder_is_opened_once(builtin: Encoder) -> None:
    assert open_encoder() is builtin
    assert builtin.identity.startswith("builtin-")


def test_equal_weights_have_an_equal_identity(siglip: tuple[Encoder, torch.nn.Module, Path], tmp_path: Path) -> None:
    encoder, _, folder = siglip
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("says nothing about the vectors")
    copy = open_encoder(str(tmp_path / "copy"))
    assert copy is not encoder and copy.identity == encoder.identity
    np.testing.assert_array_equal(copy.words(["red sneaker"]), encoder.words(["red sneaker"]))

    make_siglip(tmp_path / "siglip", seed=1)  # the folder's name is the same, its weights are not
    assert open_encoder(str(tmp_path / "siglip")).identity != encoder.identity

    shutil.copytree(folder, tmp_path / "other")
    config = tmp_path / "other" / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"pad_token": "</s>"', '"pad_token": "<pad>"'))
    padded = open_encoder(str(tmp_path / "other"))
    assert padded.identity != encoder.identity
    assert padded.words(["red"])[0] @ encoder.words(["red"])[0] < 0.99


# -------------------------------------------------------------------- what can't be opened


@pytest.mark.parametrize(
    "name", ["open_clip_model.safetensors", "open_clip_config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_damaged_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copytree(locations.weights() / "encoder", tmp_path / "encoder")
    monkeypatch.setattr(locations, "weights", lambda: tmp_path)
    path = tmp_path / "encoder" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    # Another device name passes the cache by, and the files are checked before a device is chosen.
    with pytest.raises(WeightsError, match=rf"{name} is damaged .* Install dreamkicks again"):
        open_encoder(device="cuda")
    path.unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing"):
        open_encoder(device="cuda")


def test_a_folder_whose_weights_are_damaged(siglip: tuple[Encoder, torch.nn.Module, Path], tmp_path: Path) -> None:
    _, _, folder = siglip
    for name, data in {
        "open_clip_model.safetensors": b"no weights",
        "open_clip_config.json": b"{}",
        "tokenizer.json": b"[]",
    }.items():
        broken = tmp_path / name.partition(".")[0]
        shutil.copytree(folder, broken)
        (broken / name).write_bytes(data)
        with pytest.raises(EncoderError, match=r"can't be loaded: .* Check its name") as caught:
            open_encoder(str(broken))
        assert "\n" not in str(caught.value)
    (tmp_path / "open_clip_model" / "open_clip_model.safetensors").unlink()
    with pytest.raises(EncoderError, match="can't be loaded"):
        open_encoder(str(tmp_path / "open_clip_model"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError):
        open_encoder(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["", "nothing", "ViT-B-32/", "no-such-model/at-all", "/missing/folder", "x" * 300])
def test_names_of_no_encoder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderError) as caught:
        open_encoder(name)
    assert repr(name) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(PainterError, match="no device 'cuda'"):
        open_encoder(device="cuda")
