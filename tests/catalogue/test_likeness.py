"""When two files are the same picture. On shop photographs scripts/measure_hashes.py measures it."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dreamkicks.catalogue.likeness import same_picture, signature
from tests.drawing import encoded, sneaker


def same(one: Image.Image, other: Image.Image) -> bool:
    return bool(same_picture(signature(one), [signature(other)])[0])


OTHER_FILES = {
    "jpeg": lambda picture: Image.open(io.BytesIO(encoded(picture, "JPEG", quality=60))).convert("RGB"),
    "webp": lambda picture: Image.open(io.BytesIO(encoded(picture, "WEBP", quality=60))).convert("RGB"),
    "half": lambda picture: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS),
    "cropped": lambda picture: ImageOps.crop(picture, round(0.01 * picture.width)),
    "more paper": lambda picture: ImageOps.expand(picture, (40, 10, 20, 60), "white"),
}


@pytest.mark.parametrize("file", OTHER_FILES)
def test_the_same_picture_in_another_file(file: str) -> None:
    for seed, colour in enumerate(("red", "navy", "#111111", "#eeeeee", "olive")):
        picture = sneaker(colour, seed, 400, sole="#888888")
        assert same(picture, OTHER_FILES[file](picture))


def test_another_colour_is_another_picture() -> None:
    colours = ("red", "#cc2200", "navy", "#113377", "black", "#333333", "white", "olive")
    pictures = [sneaker(colour) for colour in colours] + [sneaker("red", sole="#c8a06a"), sneaker("red", sole="black")]
    assert not any(itertools.starmap(same, itertools.combinations(pictures, 2)))


def test_another_view_is_another_picture() -> None:
    picture = sneaker("navy")
    assert not same(picture, ImageOps.mirror(picture))
    assert not same(picture, ImageOps.flip(picture))
    assert not same(picture, picture.crop((120, 80, 256, 216)))


@settings(max_examples=60)
@given(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), st.tuples(*[st.integers(0, 255)] * 3))
def test_a_picture_of_any_shape_has_a_signature(size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    plain = Image.new("RGB", size, colour)
    assert len(signature(plain)) == 200
    assert same(plain, plain)


def test_many_at_once() -> None:
    own, other = signature(sneaker("red")), signature(sneaker("navy"))
    assert same_picture(own, [other, own, other]).tolist() == [False, True, False]
    assert same_picture(own, []).tolist() == []
