"""Pictures of all kinds set as the painter knows shoes: cut out of floors, told apart from what is no side view."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageOps

from dreamkicks.painter.framing import GROUND, WIDTH, frame
from dreamkicks.painter.measure import faces_left, is_side_view, outline
from dreamkicks.painter.pipeline import CROP
from tests.drawing import sneaker


def floor(kind: str, size: int = 256) -> Image.Image:
    """Planks, a carpet, or pale tiles."""
    draw = np.random.default_rng(3)
    rows, columns = np.mgrid[0:size, 0:size]
    if kind == "carpet":
        return Image.fromarray(draw.integers(60, 150, (size, size, 3), dtype=np.uint8))
    light, seams = (np.array([215, 210, 200]), 90) if kind == "tiles" else (np.array([150, 110, 70]), 32)
    shade = draw.normal(0, 5, (size, size)) + 12 * np.sin(columns / 9) * (kind == "planks")
    shade -= 60 * ((rows % seams < 2) | ((columns % seams < 2) & (kind == "tiles")))
    return Image.fromarray((light + shade[..., None]).clip(0, 255).astype(np.uint8))


def standing_on(ground: Image.Image, shoe: Image.Image) -> Image.Image:
    """A shoe on white, set on a floor."""
    mask = Image.fromarray(outline(np.asarray(shoe)).astype(np.uint8) * 255)
    return Image.composite(shoe, ground, mask)


def overlap(one: Image.Image, two: Image.Image) -> float:
    """Intersection over union of two outlines."""
    a, b = outline(np.asarray(one)), outline(np.asarray(two))
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("ground", ["planks", "carpet", "tiles"])
@pytest.mark.parametrize("colour", ["#1d2a4d", "#c8202f", "#f6f4f0"])
def test_a_shoe_is_cut_out_of_a_floor(ground: str, colour: str) -> None:
    shoe = sneaker(colour, sole="#303030")
    framed = frame(standing_on(floor(ground), shoe))
    assert overlap(framed, frame(shoe)) > 0.9
    assert is_side_view(np.asarray(framed))
    columns, rows = np.nonzero(outline(np.asarray(framed)).any(0))[0], np.nonzero(outline(np.asarray(framed)).any(1))[0]
    assert abs(columns[-1] + 1 - columns[0] - WIDTH) <= 4 and abs(rows[-1] + 1 - GROUND) <= 2


def test_what_was_cut_out_once_is_left_as_it_is() -> None:
    box = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(box).rectangle((30, 60, 220, 190), fill="#c8202f")
    for thing in (sneaker("#c8202f", sole="#303030"), box):
        once = frame(standing_on(floor("planks"), thing))
        assert frame(once).tobytes() == once.tobytes()


def in_place() -> Image.Image:
    """A shoe where the painter has it: what `frame` leaves as it is."""
    return frame(sneaker("#c8202f", sole="#303030"))


@pytest.mark.parametrize("paper", ["#ebebeb", "#faf4eb", "#d0d0d8"])
def test_tinted_paper_becomes_white(paper: str) -> None:
    tint = Image.new("RGB", (256, 256), paper)
    framed = frame(ImageChops.multiply(in_place(), tint))
    assert framed.getpixel((2, 2)) == (255, 255, 255)
    assert overlap(framed, in_place()) > 0.95


@pytest.mark.parametrize("paper", ["white", "#e0e0e0"])
def test_a_wide_picture_is_not_squeezed(paper: str) -> None:
    wide = in_place().crop((0, 70, 256, 240))
    tint = Image.new("RGB", wide.size, paper)
    for scale in (1, 4):
        large = ImageChops.multiply(wide, tint).resize((256 * scale, 170 * scale), Image.Resampling.LANCZOS)
        assert overlap(frame(large), in_place()) > 0.95


def test_what_stands_higher_than_the_painter_paints_is_set_smaller() -> None:
    boot = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(boot).rectangle((12, 20, 120, 228), fill="navy")
    ImageDraw.Draw(boot).rectangle((12, 150, 243, 228), fill="navy")
    framed = frame(boot)
    inside = outline(np.asarray(framed))
    assert inside[CROP[0] :].any() and not inside[: CROP[0]].any()
    assert frame(framed) is framed


def test_a_floor_with_nothing_on_it_is_only_fitted_in() -> None:
    ground = floor("carpet")
    framed = frame(ground)
    fitted = ground.resize((256, 256), Image.Resampling.LANCZOS)
    assert ImageChops.difference(framed, fitted).getbbox() is None
    assert not is_side_view(np.asarray(framed))


@pytest.mark.parametrize("seed", range(5))
def test_toes_are_found(seed: int) -> None:
    shoe = frame(sneaker("navy", seed, sole="#804020"))
    assert not faces_left(np.asarray(shoe))
    assert faces_left(np.asarray(ImageOps.mirror(shoe)))


def test_side_views_are_told_from_other_things() -> None:
    for seed in range(5):
        assert is_side_view(np.asarray(frame(sneaker("green", seed, sole="#804020"))))
        assert is_side_view(np.asarray(frame(ImageOps.mirror(sneaker("green", seed, sole="#804020")))))
    for shape in ([(100, 20), (156, 240)], [(60, 60), (200, 200)], [(20, 120), (236, 134)]):
        for draw in (ImageDraw.ImageDraw.rectangle, ImageDraw.ImageDraw.ellipse):
            sheet = Image.new("RGB", (256, 256), "white")
            draw(ImageDraw.Draw(sheet), shape, fill="navy")
            assert not is_side_view(np.asarray(frame(sheet))), shape
    assert not is_side_view(np.full((128, 128, 3), 255, np.uint8))


@settings(max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1), st.integers(1, 255))
def test_any_picture_can_be_framed(width: int, height: int, seed: int, contrast: int) -> None:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, contrast, (height, width, 3), dtype=np.uint8)
    pixels[: draw.integers(height + 1), : draw.integers(width + 1)] = draw.integers(256, size=3)
    assert frame(Image.fromarray(pixels)).size == (256, 256)


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (2000, 40)])
def test_slivers_too(size: tuple[int, int]) -> None:
    assert frame(Image.effect_noise(size, 90).convert("RGB")).size == (256, 256)
