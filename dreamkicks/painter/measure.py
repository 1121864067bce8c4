"""Blueprints measured from pixels: captions for training, ground truth for evaluation, a base for "darker"."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.colour import to_lab

PAPER = 244  # a pixel whose three channels all reach this is paper
MEASURED = 128
"""Pictures are measured at this width, in px: steps between pixels and rows of a sole mean something at one scale only."""
TOE, HEEL = 0.24, 0.20
"""Which shares of the shoe's width, from the front and from the back, are toe and heel."""
# Mean absolute lightness step inside the upper at 0, 10, ... 100 % of the training pictures: turns it into a rank.
BUSYNESS = (0.6, 2.56, 3.47, 4.03, 4.54, 5.04, 5.43, 5.98, 6.8, 7.75, 17.8)
# Upper and lower edge of the training pictures' outlines in eight columns from heel to toe: heights above the ground over the
# shoe's width, their means and standard deviations. `python -m scripts.measure_cutout` measures them anew.
_EDGES = (
    (0.356, 0.412, 0.449, 0.441, 0.356, 0.292, 0.243, 0.209, 0.016, 0.005, 0.004, 0.004, 0.003, 0.003, 0.007, 0.030),
    (0.097, 0.098, 0.106, 0.068, 0.056, 0.055, 0.053, 0.050, 0.021, 0.012, 0.010, 0.010, 0.010, 0.011, 0.012, 0.024),
)
_ODD = 5.0  # nearer than this, framed, are 98.9 % of held-out side views, and 2.4 % of pictures of things that are no sneakers


@dataclass(frozen=True)
class Measured:
    """What one picture shows: the blueprint, and where its parts are (rows and columns of the picture)."""

    blueprint: Blueprint
    mask: np.ndarray
    """(h, w) bool: the shoe, filled column by column."""
    sole_line: int
    """The first row of the sole."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom, the last two exclusive."""
    busyness: float
    border: np.ndarray | None = None
    """(w,): the first row of the sole in every column, where it was looked for (`region.follow_sole`)."""

    def enlarged(self, mask: np.ndarray, scale: int) -> Measured:
        """The same of a picture `scale` times as wide, whose outline is `mask`."""
        left, top, right, bottom = (edge * scale for edge in self.box)
        return replace(self, mask=mask, sole_line=self.sole_line * scale, box=(left, top, right, bottom))


def outline(picture: np.ndarray) -> np.ndarray:
    """The shoe in a picture (h, w, 3) uint8 on white as a mask (h, w): each column from its first to its last ink."""
    ink = picture.min(-1) < PAPER
    ink &= ink.sum(0, keepdims=True) >= 2
    below_first = np.maximum.accumulate(ink, axis=0)
    above_last = np.maximum.accumulate(ink[::-1], axis=0)[::-1]
    return below_first & above_last


def edges(mask: np.ndarray) -> np.ndarray:
    """The upper and the lower edge of an outline (h, w) bool in eight columns each, as heights above its lowest row over its width.

    All zero where there is no outline.
    """
    columns = np.flatnonzero(mask.any(0))
    if len(columns) < 8:
        return np.zeros(16)
    inside = mask[:, columns]
    upper, lower = len(mask) - inside.argmax(0), inside[::-1].argmax(0)
    heights = (np.stack([upper, lower]) - lower.min()) / len(columns)
    return np.concatenate([part.mean(1) for part in np.array_split(heights, 8, axis=1)]).reshape(8, 2).T.ravel()


def oddness(picture: np.ndarray) -> float:
    """How unlike the training pictures' outlines that of a picture (h, w, 3) uint8 on white is, whichever way it faces.

    The mean square of standard scores: 1 is usual.
    """
    mask = outline(picture)
    return min(_oddness(mask), _oddness(mask[:, ::-1]))


def is_side_view(picture: np.ndarray) -> bool:
    """Whether a picture (h, w, 3) uint8 on white can show a sneaker from the side, by its outline."""
    return oddness(picture) < _ODD


def faces_left(picture: np.ndarray) -> bool:
    """Whether the shoe in a picture (h, w, 3) uint8 on white is more like the training pictures when it is turned round."""
    mask = outline(picture)
    return _oddness(mask[:, ::-1]) < _oddness(mask)


def _oddness(mask: np.ndarray) -> float:
    mean, deviation = np.array(_EDGES)
    return float(np.square((edges(mask) - mean) / (deviation + 0.01)).mean())


def measure(picture: np.ndarray) -> Measured | None:
    """Measure a side view (h, w, 3) uint8, toe to the right, on white; None when there is no shoe in it."""
    scale = max(1, picture.shape[1] // MEASURED)
    if scale > 1:
        size = picture.shape[1] // scale, picture.shape[0] // scale
        found = measure(np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)))
        return found and found.enlarged(outline(picture), scale)
    mask = outline(picture)
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) < max(2, picture.shape[1] // 4) or len(rows) < max(2, picture.shape[0] // 8):
        return None
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    width, height = right - left, bottom - top
    lab = to_lab(picture)

    sole_line, contrast = _find_sole(lab, mask, left, top, width, bottom)
    upper = mask.copy()
    upper[sole_line:] = False
    sole = mask.copy()
    sole[: sole_line + 1] = False
    front, back = upper.copy(), upper.copy()
    front[:, : right - round(TOE * width)] = False
    back[:, left + round(HEEL * width) :] = False

    main, accent = _clusters(lab[upper])
    steps = np.abs(np.diff(lab[..., 0], axis=1))[upper[:, 1:] & upper[:, :-1]]
    busyness = float(steps.mean()) if steps.size else 0.0
    return Measured(
        blueprint=Blueprint(
            upper=main,
            accent=accent,
            sole=_median(lab[sole]),
            toe=_median(lab[front]),
            heel=_median(lab[back]),
            height=float(height / width),
            sole_height=float((bottom - sole_line) / width) if contrast > 10 else None,
            pattern=float(np.interp(busyness, BUSYNESS, np.linspace(0, 1, len(BUSYNESS)))),
        ),
        mask=mask,
        sole_line=sole_line,
        box=(left, top, right, bottom),
        busyness=busyness,
    )


def _find_sole(lab: np.ndarray, mask: np.ndarray, left: int, top: int, width: int, bottom: int) -> tuple[int, float]:
    """The row where the sole begins: the sharpest change of colour in the lowest fifth, by the middle half's rows."""
    middle = slice(left + width // 4, left + 3 * width // 4)
    inside = mask[:, middle, None]
    profile = (lab[:, middle] * inside).sum(1) / np.maximum(inside.sum(1), 1)
    best, line = 0.0, bottom - round(0.13 * width)
    for row in range(bottom - round(0.24 * width), bottom - round(0.05 * width)):
        if row - 5 < top:
            continue
        change = float(np.linalg.norm(profile[row : row + 4].mean(0) - profile[row - 4 : row].mean(0)))
        if change > best:
            best, found = change, row
    return (found, best) if best > 10 else (line, best)


def _median(pixels: np.ndarray) -> tuple[float, float, float] | None:
    if len(pixels) < 12:
        return None
    lightness, a, b = np.median(pixels, axis=0)
    return float(lightness), float(a), float(b)


def _clusters(pixels: np.ndarray) -> tuple[tuple[float, float, float] | None, tuple[float, float, float] | None]:
    """The main colour of the upper, and the accent: the next of four clusters that is clearly another colour."""
    if len(pixels) < 50:
        return None, None
    points = pixels[:: max(1, len(pixels) // 500)] * (0.6, 1, 1)  # shading moves lightness more than hue
    centres = points[np.argsort(points[:, 0])[[len(points) * k // 8 for k in (1, 3, 5, 7)]]]
    for _ in range(8):
        nearest = np.linalg.norm(points[:, None] - centres[None], axis=-1).argmin(1)
        centres = np.stack([points[nearest == k].mean(0) if (nearest == k).any() else centres[k] for k in range(4)])
    # Clusters that are shades of one colour count as one.
    shares = np.bincount(nearest, minlength=4) / len(points)
    close = np.linalg.norm(centres[:, None] - centres[None], axis=-1) < 14
    family = close[int((close @ shares).argmax())]
    main = int((shares * family).argmax())
    colour = centres[main] / (0.6, 1, 1)
    others = np.where(~family & (np.linalg.norm(centres - centres[main], axis=-1) > 18), shares, 0)
    accent = None
    if others.max() > 0.08:
        accent = tuple(float(v) for v in centres[others.argmax()] / (0.6, 1, 1))
    return (float(colour[0]), float(colour[1]), float(colour[2])), accent  # type: ignore[return-value]
