"""Dreams without a painter."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from dreamkicks.painter.painter import Painting
from dreamkicks.session.dream import Dream, Kind
from tests.drawing import sneaker


def dreamt(words: str, seed: int = 7, parent: int | None = None) -> tuple[Dream, Image.Image]:
    """What a painter makes of words, as Studio hands it to a session."""
    picture = sneaker(("red", "blue", "green", "black")[seed % 4], seed, size=64)
    painting = Painting(picture, seed, 20, 0.51234, "builtin", (words.split()[0],), tuple(words.split()[1:]))
    kind: Kind = "imagine" if parent is None else "edit"
    dream = Dream.of(painting, kind, words, None if parent is None else 0.5)
    return replace(dream, parent=parent), picture
