from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from dreamkicks.tui.widgets.picture import describe, find_drawing, trim

from .painter import draw_shoe


def test_a_shoe_is_told_by_its_shape_and_colours() -> None:
    assert describe(draw_shoe("#1c2c5c", "#b5803f")) == "A low-top sneaker: navy upper, tan sole."
    assert describe(draw_shoe("#cc1122", "#ffd700", 0.7)).startswith("A high-top sneaker: red upper")


@pytest.mark.parametrize("size", [(128, 128), (512, 512), (300, 100)])
def test_what_is_no_shoe_is_told_too(size: tuple[int, int]) -> None:
    assert (
        describe(Image.new("RGB", size, "white"))
        == f"A picture of {size[0]} by {size[1]} pixels with no sneaker on white in it."
    )


def test_the_paper_around_a_shoe_is_cut_away_and_nothing_of_the_shoe() -> None:
    shoe = draw_shoe("#1c2c5c", "#b5803f")
    cut = trim(shoe)
    assert cut.height < 0.7 * shoe.height

    def ink(picture: Image.Image) -> int:
        return sum(1 for pixel in picture.convert("L").tobytes() if pixel < 200)

    assert ink(cut) == ink(shoe)


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_picture_without_edges_is_left_whole(colour: str) -> None:
    assert trim(Image.new("RGB", (60, 40), colour)).size == (60, 40)


def test_without_colours_kitty_pictures_become_half_cells() -> None:
    from textual_image.widget import HalfcellImage, SixelImage, TGPImage

    assert find_drawing("kitty") is TGPImage
    assert find_drawing("kitty", colour=False) is HalfcellImage
    assert find_drawing("sixel", colour=False) is SixelImage


def test_nothing_asks_the_terminal_when_pictures_are_told_in_words() -> None:
    code = (
        "import sys; from dreamkicks.tui.app import StudioApp; from dreamkicks.tui.widgets.picture import find_drawing;"
        "assert find_drawing('none') is None; assert 'textual_image' not in sys.modules; assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
