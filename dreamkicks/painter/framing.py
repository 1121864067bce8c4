"""Sets a shoe as the built-in painter knows shoes: on white, 116 of 128 px wide, standing on one line."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dreamkicks.painter.measure import outline
from dreamkicks.painter.pipeline import SIDE
from dreamkicks.pictures import fit_square

WIDTH = 116
GROUND = 114
# A shoe that fills less of the picture's width than this, or stands off the line by more, is set anew.
_SLACK = 4


def frame(picture: Image.Image) -> Image.Image:
    """The shoe of a picture with a plain bright background as a 128 px square, at the painter's place and size.

    A picture that already is one of ours comes back unchanged; one with a busy background is only fitted in.
    """
    small = fit_square(picture, 512)
    pixels = np.asarray(small)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(edge, axis=0)
    if paper.min() < 150 or np.abs(edge - paper).mean() > 18:
        return fit_square(picture, SIDE)
    # Grey and cream paper becomes white, so that the outline can be found.
    pixels = np.clip(pixels * (255 / paper), 0, 255).astype(np.uint8)
    mask = outline(pixels)
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) < 64 or len(rows) < 32:
        return fit_square(picture, SIDE)
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    unit = 512 / SIDE
    if abs((right - left) / unit - WIDTH) <= _SLACK and abs(bottom / unit - GROUND) <= _SLACK:
        return picture if picture.size == (SIDE, SIDE) else picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    shoe = Image.fromarray(pixels[top:bottom, left:right])
    scale = min(WIDTH / shoe.width, (GROUND - 26) / shoe.height)
    size = max(1, round(shoe.width * scale)), max(1, round(shoe.height * scale))
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    sheet.paste(shoe.resize(size, Image.Resampling.LANCZOS), ((SIDE - size[0]) // 2, GROUND - size[1]))
    return sheet
