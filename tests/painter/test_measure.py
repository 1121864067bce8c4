"""What is measured from pixels, and how a shoe is set for the painter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dreamkicks.painter.colour import lab_of_hex, to_lab, to_rgb
from dreamkicks.painter.framing import GROUND, WIDTH, frame
from dreamkicks.painter.measure import Measured, measure, outline
from tests.drawing import hex_of_lab, sneaker


def seen(picture: Image.Image) -> Measured:
    found = measure(np.asarray(frame(picture)))
    assert found is not None
    return found


@pytest.mark.parametrize("upper", ["#c8202f", "#1d2a4d", "#2c8a4b", "#ee7623", "#161616", "#d8c3a0"])
@pytest.mark.parametrize("sole", ["#c09a6b", "#303030", "#2563c9"])
def test_colours_of_a_drawn_shoe(upper: str, sole: str) -> None:
    blueprint = seen(sneaker(upper, sole=sole)).blueprint
    assert blueprint.upper is not None and blueprint.sole is not None
    assert math.dist(blueprint.upper, lab_of_hex(upper)) < 12
    assert math.dist(blueprint.sole, lab_of_hex(sole)) < 8


def test_heights() -> None:
    low = sneaker("red")
    tall = low.resize((256, 380)).crop((0, 62, 256, 318))
    assert 0.4 < (seen(low).blueprint.height or 0) < (seen(tall).blueprint.height or 0)


def test_patterns_are_busier() -> None:
    plain = sneaker("red")
    pixels = np.array(plain)
    stripes = (np.arange(256) // 6 % 2 == 0)[None, :, None] & (np.abs(pixels - (255, 0, 0)).sum(-1) < 60)[..., None]
    busy = Image.fromarray(np.where(stripes, (250, 220, 60), pixels).astype(np.uint8))
    assert (seen(plain).blueprint.pattern or 0) + 0.2 < (seen(busy).blueprint.pattern or 0)


def test_paper_alone_is_no_shoe() -> None:
    assert measure(np.full((128, 128, 3), 255, np.uint8)) is None
    assert measure(np.full((128, 128, 3), 250, np.uint8)) is None


@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.integers(2, 80), st.floats(0, 1))
def test_any_picture_can_be_measured(seed: int, height: int, width: int, paper: float) -> None:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[draw.random((height, width)) < paper] = 255
    assert outline(pixels).shape == (height, width)
    found = measure(pixels)
    if found is not None and found.blueprint.pattern is not None:
        assert 0 <= found.blueprint.pattern <= 1


@pytest.mark.parametrize("paper", ["white", "#d8d8d8", "#eee6d8"])
@pytest.mark.parametrize("size", [90, 256, 1500])
def test_a_shoe_is_set_at_the_painter_s_place(paper: str, size: int) -> None:
    framed = np.asarray(frame(sneaker("navy", size=size, background=paper, sole="#804020")))
    assert framed.shape == (256, 256, 3)
    mask = outline(framed)
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    assert abs(columns[-1] + 1 - columns[0] - WIDTH) <= 12
    assert abs(rows[-1] + 1 - GROUND) <= 12
    assert framed[:4].min() > 240


def test_a_framed_picture_is_left_as_it_is() -> None:
    once = frame(sneaker("red", sole="#804020"))
    assert np.array_equal(np.asarray(frame(once)), np.asarray(once))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_there_and_back(rgb: tuple[int, int, int]) -> None:
    pixel = np.array(rgb, np.uint8)
    assert np.abs(to_rgb(to_lab(pixel)).astype(int) - rgb).max() <= 1
    assert hex_of_lab(lab_of_hex("#" + pixel.tobytes().hex())) == "#" + pixel.tobytes().hex()


def test_known_colours() -> None:
    # Reference values of CIELAB under D65, e.g. from colour-science.
    for code, lab in (
        ("#ffffff", (100, 0, 0)),
        ("#ff0000", (53.24, 80.09, 67.20)),
        ("#0000ff", (32.30, 79.19, -107.86)),
    ):
        assert math.dist(lab_of_hex(code), lab) < 0.05
