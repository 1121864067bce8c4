"""Pictures that tests draw for themselves."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from dreamkicks.painter.blueprint import Lab
from dreamkicks.painter.colour import to_rgb


def sneaker(
    colour: str = "red", seed: int = 0, size: int = 256, sole: str = "#e8e2d4", background: str = "white"
) -> Image.Image:
    """A low shoe from the side, toe to the right, 0.8 of the picture wide; the seed moves its shape a little."""
    draw = random.Random(seed)
    sheet = Image.new("RGB", (1024, 1024), background)
    pen = ImageDraw.Draw(sheet)
    collar, tongue = 430 + draw.randint(-30, 30), 470 + draw.randint(-30, 30)
    upper = [
        (110, 700),
        (120, collar),
        (250, collar + 30),
        (400, tongue),
        (560, 560),
        (800, 610),
        (910, 680),
        (914, 705),
    ]
    pen.polygon(upper, fill=colour)
    pen.rounded_rectangle((102, 690, 922, 770 + draw.randint(-10, 20)), 30, fill=sole)
    for lace in range(3):
        pen.line((430 + 50 * lace, 500 + 25 * lace, 480 + 50 * lace, 470 + 25 * lace), fill="black", width=10)
    pen.line((300, 660, 420 + draw.randint(-40, 40), 560), fill="black", width=24)
    return sheet.resize((size, size), Image.Resampling.LANCZOS)


def worn_sneaker(colour: str = "red", seed: int = 0, size: int = 256) -> Image.Image:
    """That shoe on a pavement with a leg in it, in trousers."""
    sheet = sneaker(colour, seed, 1024, background="#8d8a86")
    pen = ImageDraw.Draw(sheet)
    pen.polygon([(140, 0), (440, 0), (400, 300), (380, 500), (160, 480), (150, 300)], fill="#c58c6c")
    pen.polygon([(100, 0), (480, 0), (430, 270), (120, 270)], fill="#31435f")
    return sheet.resize((size, size), Image.Resampling.LANCZOS)


def hex_of_lab(lab: Lab) -> str:
    """CIELAB to "#rrggbb"."""
    return "#" + to_rgb(np.array(lab)).tobytes().hex()


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
