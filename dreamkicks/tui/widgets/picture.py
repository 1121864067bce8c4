"""A picture in the terminal: drawn by textual-image, or told in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from dreamkicks import pictures
from dreamkicks.painter.blueprint import Lab, silhouette_name
from dreamkicks.painter.measure import PAPER, measure
from dreamkicks.painter.vocabulary import colour_name
from dreamkicks.text import clean

Drawing = type[Any] | None
"""textual-image's widget that draws; None tells pictures in words."""

_MARGIN = 0.05
_MEASURED = 128


def find_drawing(graphics: str, colour: bool = True) -> Drawing:
    """The widget for auto, kitty, sixel, halfcell or none.

    Call it before the app starts: textual-image asks the terminal what it can do when it is imported, and Textual would
    swallow the answers.
    """
    if graphics == "none":
        return None
    try:
        from textual_image import widget
    except Exception:  # a terminal may answer anything: no size, a size of zero, no numbers, no text; words always work
        return None
    found: Drawing = {
        "auto": widget.Image,
        "kitty": widget.TGPImage,
        "sixel": widget.SixelImage,
        "halfcell": widget.HalfcellImage,
    }[graphics]
    if not colour and found in (widget.TGPImage, widget.AutoImage):
        return widget.HalfcellImage  # kitty's placeholders name their picture by colour, which NO_COLOR takes away
    return found


class Picture(Container):
    """As large as its room allows, in the middle of it."""

    def __init__(self, drawing: Drawing, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawing = drawing

    def compose(self) -> ComposeResult:
        if self._drawing is not None:
            yield self._drawing(classes="drawing")
        yield Static(classes="words")

    def show(self, picture: Image.Image | None, otherwise: str = "") -> None:
        """Show a picture; without one, or where pictures are told in words, a text."""
        drawn = picture is not None and self._drawing is not None
        if self._drawing is not None:
            self.query_one(".drawing").image = trim(picture) if picture is not None else None  # type: ignore[attr-defined]
            self.query_one(".drawing").display = drawn
        words = self.query_one(".words", Static)
        words.update(Content(describe(picture) if picture is not None and not drawn else clean(otherwise)))
        words.display = not drawn

    def preview(self, picture: Image.Image) -> None:
        """Show an unfinished picture, if pictures are drawn at all."""
        if self._drawing is not None:
            self.show(picture)


def trim(picture: Image.Image) -> Image.Image:
    """Without the paper around the shoe: a terminal has few cells, and they are for the shoe."""
    ink = np.asarray(picture.convert("RGB")).min(-1) < PAPER
    rows, columns = np.flatnonzero(ink.sum(1) > 1), np.flatnonzero(ink.sum(0) > 1)
    if not (len(rows) and len(columns)):
        return picture
    margin = round(_MARGIN * max(picture.size))
    return picture.crop(
        (
            max(0, int(columns[0]) - margin),
            max(0, int(rows[0]) - margin),
            min(picture.width, int(columns[-1]) + 1 + margin),
            min(picture.height, int(rows[-1]) + 1 + margin),
        )
    )


def describe(picture: Image.Image) -> str:
    """The shape and colours of a shoe on white, in a sentence."""
    seen = measure(np.asarray(pictures.fit_square(picture.convert("RGB"), _MEASURED)))
    if seen is None:
        return f"A picture of {picture.width} by {picture.height} pixels with no sneaker on white in it."
    shoe = seen.blueprint
    parts: list[tuple[str, Lab | None]] = [
        ("upper", shoe.upper),
        ("toe", shoe.toe),
        ("heel", shoe.heel),
        ("accents", shoe.accent),
        ("sole", shoe.sole),
    ]
    named = [(part, colour_name(colour)) for part, colour in parts if colour is not None]
    main = dict(named).get("upper")
    told = [f"{colour} {part}" for part, colour in named if part in ("upper", "sole") or colour != main]
    shape = silhouette_name(shoe.height if shoe.height is not None else 0.5)
    return f"A {shape} sneaker: {', '.join(told)}."
