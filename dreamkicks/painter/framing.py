"""Sets a shoe as the built-in painter knows shoes: on white, 232 of 256 px wide, standing on one line."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from dreamkicks.painter.cutout import cut_out
from dreamkicks.painter.measure import PAPER, is_side_view, oddness, outline
from dreamkicks.painter.pipeline import CROP, SIDE
from dreamkicks.pictures import fit_square

WIDTH = 232
GROUND = 228
TALLEST = GROUND - CROP[0] - 4
# A shoe that fills less of the picture's width than this, or stands off the line by more, is set anew.
_SLACK = 8


def frame(picture: Image.Image) -> Image.Image:
    """The shoe of a picture as a 256 px square, at the painter's place and size.

    A picture that already is one of ours comes back unchanged. From other ground than plain bright paper the shoe is cut out;
    where nothing stands out, the picture is only fitted in.
    """
    plain = _from_paper(picture)
    if plain is not None and (plain is picture or is_side_view(np.asarray(plain))):
        return plain
    # A pale floor passes for paper, and all of it for a shoe; so does a reflection below one.
    found = [one for one in (plain, _from_ground(picture)) if one is not None]
    return min(found, key=lambda one: oddness(np.asarray(one)), default=fit_square(picture, SIDE))


def _from_paper(picture: Image.Image) -> Image.Image | None:
    """The shoe of a picture with a plain bright background; None for any other."""
    pixels = np.asarray(ImageOps.contain(picture, (512, 512), Image.Resampling.LANCZOS))
    if not pixels.size:  # a sliver
        return None
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(edge, axis=0)
    if paper.min() < 150 or np.abs(edge - paper).mean() > 18:
        return None
    # Grey and cream paper becomes white, so that the outline can be found.
    whitened = Image.fromarray(np.minimum(np.rint(pixels * (255 / paper)), 255).astype(np.uint8))
    pixels = np.asarray(fit_square(whitened, 512))
    mask = outline(pixels)
    if mask.any(0).sum() < 64 or mask.any(1).sum() < 32:
        return None
    left, top, right, bottom = (edge * SIDE / 512 for edge in _box(mask))
    large = abs(right - left - WIDTH) <= _SLACK or abs(bottom - top - TALLEST) <= _SLACK
    # What reaches above the rows that are painted would stay as it is.
    if large and abs(bottom - GROUND) <= _SLACK and top >= CROP[0]:
        if picture.size == (SIDE, SIDE) and paper.min() >= PAPER:
            return picture
        return fit_square(whitened, SIDE)
    return _placed(pixels, mask)


def _from_ground(picture: Image.Image) -> Image.Image | None:
    """What stands out of a busy background, on white; None when nothing does."""
    mask = cut_out(picture)
    if mask.any(0).sum() < 18 or mask.any(1).sum() < 9:
        return None
    large = ImageOps.contain(picture, (512, 512))
    grown = Image.fromarray(mask.astype(np.uint8) * 255).resize(large.size, Image.Resampling.BICUBIC)
    grown = grown.filter(ImageFilter.GaussianBlur(3))  # the corners of its pixels
    share = np.clip(np.asarray(grown, np.float32)[..., None] / 255 * 3 - 1, 0, 1)
    # White leather stays a little darker than paper, or it would not be found again.
    pixels = 255 + share * (np.minimum(np.asarray(large), PAPER - 2.0) - 255)
    return _placed(pixels.round().astype(np.uint8), share[..., 0] > 0.5)


def _placed(pixels: np.ndarray, mask: np.ndarray) -> Image.Image:
    """The masked part of a picture (h, w, 3) at the painter's place and size."""
    shoe = Image.fromarray(pixels).crop(_box(mask))
    scale = min(WIDTH / shoe.width, TALLEST / shoe.height)
    size = max(1, round(shoe.width * scale)), max(1, round(shoe.height * scale))
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    sheet.paste(shoe.resize(size, Image.Resampling.LANCZOS), ((SIDE - size[0]) // 2, GROUND - size[1]))
    return sheet


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """left, top, right, bottom, the last two exclusive."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
