from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from dreamkicks import locations
from dreamkicks.brands.classifier import Brands, open_brands
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.errors import WeightsError
from dreamkicks.files import CHECKSUMS, write_checksums
from dreamkicks.painter.painter import open_painter
from tests.drawing import sneaker

DIM = 6
NAMES = ["Adidas", "Nike", "Puma"]


def make_head(folder: Path, names: list[str] = NAMES, threshold: float = 0.5, scale: float = 4.0) -> Path:
    """Brand k answers to axis k, axis 4 says that it is a sneaker, and axis 5, from one half on, that it is worn."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        brand_weights=scale * np.eye(DIM, 3, dtype=np.float32),
        brand_bias=np.zeros(3, np.float32),
        sneaker_weights=scale * np.eye(DIM, dtype=np.float32)[4],
        sneaker_bias=np.float32(0),
        worn_weights=scale * np.eye(DIM, dtype=np.float32)[5],
        worn_bias=np.float32(-scale / 2),
    )
    (folder / "brands.npz").write_bytes(buffer.getvalue())
    (folder / "brands.json").write_text(
        json.dumps({"brands": names, "encoder": "toy-1", "sneaker_threshold": threshold})
    )
    write_checksums(folder)
    return folder


def rows(*axes: tuple[float, ...]) -> np.ndarray:
    found = np.zeros((len(axes), DIM), np.float32)
    for row, values in zip(found, axes, strict=True):
        row[: len(values)] = values
    return found


def test_the_likeliest_brand_comes_first(tmp_path: Path) -> None:
    brands = Brands(make_head(tmp_path))
    (verdict,) = brands.classify(rows((0.1, 0.9, 0.2, 0, 0.8)))
    assert verdict.is_sneaker
    assert [guess.brand for guess in verdict.brands] == ["Nike", "Puma", "Adidas"]
    assert sum(guess.probability for guess in verdict.brands) == pytest.approx(1)
    logits = np.array([0.9, 0.2, 0.1]) * 4
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([guess.probability for guess in verdict.brands], expected, rtol=1e-5)
    assert verdict.sneaker_probability == pytest.approx(1 / (1 + np.exp(-3.2)), rel=1e-5)


def test_what_is_no_sneaker_has_no_brand(tmp_path: Path) -> None:
    brands = Brands(make_head(tmp_path, threshold=0.7))
    sure, unsure, no = brands.classify(rows((1, 0, 0, 0, 0.5), (1, 0, 0, 0, 0.1), (1, 0, 0, 0, -1)))
    assert [verdict.is_sneaker for verdict in (sure, unsure, no)] == [True, False, False]
    assert unsure.brands == no.brands == ()
    assert sure.sneaker_probability > 0.7 > unsure.sneaker_probability > no.sneaker_probability > 0
    assert brands.classify(rows()) == []


def test_what_pictures_show(tmp_path: Path) -> None:
    brands = Brands(make_head(tmp_path, threshold=0.7))
    by_itself, on_a_foot, neither = (0, 0, 0, 0, 1, 0.4), (0, 0, 0, 0, 1, 0.6), (0, 0, 0, 0, -1, 1)
    assert brands.views(rows(by_itself, on_a_foot, neither)) == ["shoe", "worn", "other"]
    assert brands.views(rows()) == []


def test_probabilities_stay_numbers_however_sure_it_is(tmp_path: Path) -> None:
    brands = Brands(make_head(tmp_path, scale=500))
    with np.errstate(all="raise", under="ignore"):
        sure, never = brands.classify(rows((1, 0, 0, 0, 1), (0, 0, 1, 0, -1)))
    assert [guess.probability for guess in sure.brands] == [1, 0, 0]
    assert (sure.sneaker_probability, never.sneaker_probability) == (1, 0)


@pytest.mark.parametrize("name", ["brands.npz", "brands.json"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    path = make_head(tmp_path) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=f"{name} is damaged"):
        Brands(tmp_path)
    path.unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing"):
        Brands(tmp_path)
    (tmp_path / CHECKSUMS).unlink()
    with pytest.raises(WeightsError, match="can't be read"):
        Brands(tmp_path)


def test_names_that_do_not_fit_the_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="differ in number"):
        Brands(make_head(tmp_path, names=["Nike"]))


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "touched",))

    make_head(tmp_path)
    for data in (pickle.dumps(Evil()), _npz(brand_weights=np.array([Evil()], dtype=object))):
        (tmp_path / "brands.npz").write_bytes(data)
        write_checksums(tmp_path)
        with pytest.raises(ValueError, match="pickle"):
            Brands(tmp_path)
        assert not (tmp_path / "touched").exists()


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.skipif(not (locations.weights() / "brands" / CHECKSUMS).exists(), reason="the brand head is not built")
def test_the_head_that_ships_fits_the_encoder_that_ships() -> None:
    brands, encoder = open_brands(), open_encoder()
    assert open_brands() is brands
    assert brands.encoder == encoder.identity
    assert brands.names == sorted(set(brands.names)) and {"Adidas", "Nike", "Puma", "Vans"} <= set(brands.names)
    shares = brands.probabilities(encoder.pictures([sneaker("red", 1), sneaker("black", 2)]))
    assert shares.shape == (2, len(brands.names))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    painter = open_painter()
    by_itself = [
        painter.imagine(colour, seed).picture
        for seed, colour in enumerate(("red", "black", "white", "navy", "teal", "orange"))
    ]
    # Of the 420 painted concepts it takes three for worn, so one of these six may be.
    assert brands.views(encoder.pictures(by_itself)).count("shoe") >= 5
