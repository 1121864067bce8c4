"""Where an edit may act: what it does not name stays as it was.

The painter repaints the whole picture, and every repainting drifts a little. As DiffEdit (Couairon et al. 2022, arXiv:2210.11427)
does with a mask, the pixels that were not asked for come from the picture before; here the measured parts are the mask.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab
from dreamkicks.painter.colour import to_lab, to_rgb
from dreamkicks.painter.measure import BUSYNESS, HEEL, MEASURED, PAPER, TOE, Measured, measure, outline

_BORDER = 6 / 128
"""How far beyond its measured border a part may really reach, of the picture's width."""
_DRIFT = (10.0, 22.0)
"""CIE76 differences there: below the first it is drift, above the second the part really reaches here."""

_SWING = 0.07
"""How far above and below its measured row the border of a sole is looked for, of the shoe's width."""
_BAND = 3
"""Rows above and below a border, of a picture MEASURED px wide, whose mean colours are compared."""
_FAINT = 16.0
"""CIE76 difference of those below which there is no border to follow."""
_LIKELY = 0.5
"""The share of the usual contrast that is found along a border on average, or else there is none: white soles of white shoes."""
_BEND, _STRAY = 0.3, 0.18
"""What it costs a border to go one row up or down, and to be _SWING off its measured row, where a column of full contrast gains 1."""

_NEAR = 10.0
"""CIE76 difference of a part's colour to the one asked for that nobody minds; more of the painter's shading is kept this way."""

_DETAIL = 2.5
"""Radius in px, of a picture MEASURED px wide, below which something is a detail of the upper and no panel."""
_CONTRAST = (0.2, 2.5)
"""How far the contrast of details may be lowered and raised in one go."""

_PALE = 253
"""Leather may be as pale as this on paper that is clean."""

_RIM = 1.5
"""Width in px, of a picture MEASURED px wide, of the edge of a shoe that may be paper."""

_GAP = 0.11
"""Half the width of the gaps that are closed, of the picture's width: the opening for the foot is about twice as wide."""


def one_by_one(asked: Blueprint) -> list[Blueprint]:
    """An edit as edits that each ask for one thing: shapes first, then a colour at a time, an accent last.

    Asked for together, two colours mix in the parts between them.
    """
    shapes = [
        Blueprint(**{slot: value})
        for slot in ("brand", "height", "pattern", "sole_height")
        if (value := getattr(asked, slot)) is not None
    ]
    colours: dict[Lab, dict[str, Lab]] = {}
    for part in ("upper", "sole", "toe", "heel", "accent"):
        if (colour := getattr(asked, part)) is not None:
            colours.setdefault(colour, {})[part] = colour
    turns = [*shapes, *(Blueprint(**parts) for parts in colours.values())]  # type: ignore[arg-type]
    return turns or [asked]


def to_tell(asked: Blueprint) -> Blueprint:
    """What the painter is told of an edit: an accent as what fills the place it gets."""
    return asked if asked.accent is None or asked.upper is not None else replace(asked, upper=asked.accent)


def is_shape(asked: Blueprint) -> bool:
    """Whether an edit is of an outline."""
    return asked.height is not None or asked.sole_height is not None


def share_of(before: np.ndarray, after: np.ndarray, seen: Measured, asked: Blueprint) -> np.ndarray:
    """Where what was painted over a picture (h, w, 3) uint8 counts, (h, w) float32 in 0..1: in the parts that were asked for.

    A pattern is the upper's, a brand the shoe's. What was paper and is painted as paper stays.
    """
    inside = _named(seen, asked)
    change = np.linalg.norm(to_lab(before) - to_lab(after), axis=-1)
    low, high = _DRIFT
    unit = before.shape[1] / MEASURED
    reached = _soft(np.clip((change - low) / (high - low), 0, 1), 1.5 * unit)
    # A part may reach further than it was measured; stripes are where we put them.
    only_stripes = asked == Blueprint(accent=asked.accent)
    further = inside if only_stripes else _grown(inside, round(_BORDER * before.shape[1]))
    sure, possible = _soft(_grown(inside, 1), 0.7 * unit), _soft(further, 2.0 * unit)
    shoe = _soft(_grown(_whole(seen), 1), 0.7 * unit)
    # Of paper only what is painted boldly: about pale leather the network paints mist.
    bold = _ink(after, PAPER - 60)
    solid = before.min(-1) < _PALE
    if asked.sole is not None:
        solid |= _blown_out(before, seen)
    ink = _soft(np.maximum(solid, bold), 0.7 * unit)
    return np.minimum(np.maximum(sure, np.minimum(reached, possible)), np.minimum(shoe, ink))


def keep_the_rest(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`after` (h, w, 3) uint8 by its share (h, w) in 0..1, `before` for the rest."""
    return (before + share[..., None] * (after.astype(np.float32) - before)).round().astype(np.uint8)


def weight_of(seen: Measured, asked: Blueprint) -> np.ndarray:
    """How much pixels tell of how the parts that were asked for change, (h, w) float32 in 0..1.

    Next to parts that stay the network paints gradients, and white leather can't be told from white paper: either would thin the
    new colour. But of dark leather's edge the paper tells that it stays white.
    """
    inside = _named(seen, asked)
    others = _grown(_whole(seen) & ~inside, round(_BORDER / 2 * inside.shape[1]))
    weight: np.ndarray = np.where(others, 0.01, np.where(inside, 1.0, 0.1)).astype(np.float32)
    return weight


def _named(seen: Measured, asked: Blueprint) -> np.ndarray:
    """The parts that were asked for as one mask (h, w)."""
    named = [part for part in COLOURED_PARTS if getattr(asked, part) is not None]
    named += ["upper"] * (asked.pattern is not None)
    inside = _whole(seen) if asked.brand is not None else np.zeros(seen.mask.shape, bool)
    for part in named:
        inside |= stripes_of(seen) if part == "accent" else area_of(seen, part)
    return inside


def tune(picture: np.ndarray, seen: Measured, asked: Blueprint, strength: float) -> np.ndarray:
    """The picture (h, w, 3) uint8 with what its parts lack to the colours asked for added to them, light and dark kept.

    The painter comes near a colour in its one step, and seldom all the way. A `strength` below 1 adds that share of
    what is lacking.
    """
    lab = to_lab(picture)
    ink = np.maximum(_ink(picture), _blown_out(picture, seen))  # what else is pale would turn to coloured mist
    for part in COLOURED_PARTS:
        area = stripes_of(seen) if part == "accent" else area_of(seen, part)
        if (colour := getattr(asked, part)) is None or not area.any():
            continue
        lacking = np.subtract(colour, np.median(lab[area], axis=0))
        lacking *= strength * max(0.0, 1 - _NEAR / max(float(np.linalg.norm(lacking)), _NEAR))
        lab = lab + (_soft(area, picture.shape[1] / MEASURED) * ink)[..., None] * lacking
    return to_rgb(lab)


def tune_pattern(picture: np.ndarray, asked: Blueprint, strength: float) -> np.ndarray:
    """The picture (h, w, 3) uint8 with the contrast of its upper's details raised or lowered to the pattern asked for.

    A `strength` below 1 goes that share of the way.
    """
    if asked.pattern is None or (shown := measure(picture)) is None:
        return picture
    there = float(np.interp(asked.pattern, np.linspace(0, 1, len(BUSYNESS)), BUSYNESS))
    wanted = shown.busyness + strength * (there - shown.busyness)
    for _ in range(2):  # some of the first go is lost to black, white and the border
        seen = measure(picture)
        if seen is None or seen.busyness == 0:
            break
        factor = float(np.clip(wanted / seen.busyness, *_CONTRAST))
        unit = picture.shape[1] / MEASURED
        flat = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(_DETAIL * unit)))
        lab = to_lab(picture)
        inside = _soft(~_grown(~area_of(seen, "upper"), round(_DETAIL * unit)), unit)[..., None]
        picture = to_rgb(lab + inside * (factor - 1) * (lab - to_lab(flat)))
    return picture


def follow_sole(picture: np.ndarray, seen: Measured) -> Measured:
    """What was measured of a picture (h, w, 3) uint8, and the border of its sole column by column.

    From heel to toe the path is taken along which colours change most as they do at the measured row, not far from it and without
    leaps (dynamic programming: Montanari 1971, doi:10.1145/362594.362599). Where too little changes, the row stays.
    """
    seen = replace(seen, mask=seen.mask | _pale(picture, seen))
    scale = picture.shape[1] // MEASURED
    small = np.asarray(Image.fromarray(picture).resize((MEASURED, picture.shape[0] // scale), Image.Resampling.LANCZOS))
    left, right, line = seen.box[0] // scale, seen.box[2] // scale, seen.sole_line // scale
    width = right - left
    reach = round(_SWING * width)
    rows = np.arange(max(_BAND, line - reach), min(len(small) - _BAND, line + reach) + 1)
    inside = outline(small)[:, left:right, None]
    colours, counts = (
        np.pad(part.cumsum(0), ((1, 0), (0, 0), (0, 0))) for part in (to_lab(small)[:, left:right] * inside, inside)
    )
    below, above = (
        (colours[last] - colours[first], counts[last] - counts[first])
        for first, last in ((rows, rows + _BAND), (rows - _BAND, rows))
    )
    change = below[0] / np.maximum(below[1], 1) - above[0] / np.maximum(above[1], 1)
    usual = change[line - rows[0], width // 4 : width * 3 // 4].mean(0)
    contrast = float(np.linalg.norm(usual))
    if contrast < _FAINT:
        return seen
    alike = np.clip(change @ usual / contrast**2, 0, 1.5) * ((below[1] > 0) & (above[1] > 0))[..., 0]
    path = _cheapest(_STRAY * np.abs(rows - line)[:, None] / reach - alike, _BEND)
    if alike[path, np.arange(width)].mean() < _LIKELY:
        return seen
    smooth = sliding_window_view(np.pad(rows[path], 2, mode="edge"), 5).mean(1)
    columns = (np.arange(picture.shape[1]) + 0.5) / scale - 0.5
    return replace(seen, border=scale * np.interp(columns, np.arange(left, right), smooth))


def _pale(picture: np.ndarray, seen: Measured) -> np.ndarray:
    """Of an upper on clean paper, where it is too pale to have been measured as well, (h, w) bool; nowhere on other paper."""
    left, _, right, _ = seen.box
    pale = Image.fromarray((picture.min(-1) < _PALE).astype(np.uint8))
    found = np.asarray(pale.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(3))) > 0
    found[seen.sole_line :], found[:, :left], found[:, right:] = False, False, False
    if (found & ~_grown(_whole(seen), round(_BORDER * picture.shape[1]))).mean() > 0.05:
        return np.zeros_like(found)
    found = np.maximum.accumulate(found, axis=0)
    fuzz = round(picture.shape[1] / MEASURED)  # about the edge itself
    found[fuzz:] = found[:-fuzz]
    found[seen.sole_line :] = False
    return found


def _blown_out(picture: np.ndarray, seen: Measured) -> np.ndarray:
    """Of the sole in a picture (h, w, 3) uint8 what is no paper, however white, for there is something all round; (h, w) bool.

    The paper below a toe that is off the ground may have a shadow below, but nothing on its right.
    """
    ink = picture.min(-1) < PAPER
    after_first = np.maximum.accumulate(ink, axis=1)
    before_last = np.maximum.accumulate(ink[:, ::-1], axis=1)[:, ::-1]
    edge = round(_RIM * picture.shape[1] / MEASURED)
    return ~_grown(~(_whole(seen) & after_first & before_last), edge) & area_of(seen, "sole")


def _cheapest(cost: np.ndarray, bend: float) -> np.ndarray:
    """The row in each column of the path from left to right that costs least (rows, columns), each row up or down costing `bend`."""
    best, moves = cost[:, 0], []
    for column in cost.T[1:]:
        around = np.pad(best, 1, constant_values=np.inf)
        ways = np.stack([around[:-2] + bend, best, around[2:] + bend])
        moves.append(ways.argmin(0) - 1)
        best = ways.min(0) + column
    path = [int(best.argmin())]
    for move in reversed(moves):
        path.append(path[-1] + int(move[path[-1]]))
    return np.array(path[::-1])


def area_of(seen: Measured, part: str) -> np.ndarray:
    """The measured part as a mask (h, w); an accent may be anywhere on the upper."""
    left, _, right, _ = seen.box
    area = _whole(seen)
    sole = np.arange(len(area))[:, None] >= (seen.sole_line if seen.border is None else seen.border)
    if part == "sole":
        return area & sole
    area &= ~sole
    if part == "toe":
        area[:, : right - round(TOE * (right - left))] = False
    if part == "heel":
        area[:, left + round(HEEL * (right - left)) :] = False
    return area


def _whole(seen: Measured) -> np.ndarray:
    """The shoe as a mask (h, w) without the gaps that white leather leaves on white paper, where they are no wider than a collar."""
    height, width = seen.mask.shape
    top = np.where(seen.mask.any(0), seen.mask.argmax(0), height)
    reach = round(_GAP * width)
    dilated = sliding_window_view(np.pad(top, reach, constant_values=height), 2 * reach + 1).min(1)
    closed = sliding_window_view(np.pad(dilated, reach, constant_values=0), 2 * reach + 1).max(1)
    rows = np.arange(height)[:, None]
    return seen.mask | ((rows >= closed) & (rows < seen.box[3]) & seen.mask.any(0))


def stripes_of(seen: Measured) -> np.ndarray:
    """Two slanted stripes on the side of the upper, as a mask (h, w): where an accent goes."""
    left, top, right, _ = seen.box
    rows, columns = np.mgrid[0 : seen.mask.shape[0], 0 : seen.mask.shape[1]]
    across = (columns - left + 0.5 * (rows - seen.sole_line)) / (right - left)
    low = rows > top + 0.25 * (seen.sole_line - top)
    striped: np.ndarray = (abs(across - 0.42) < 0.035) | (abs(across - 0.54) < 0.035)
    return area_of(seen, "upper") & low & striped


def _ink(picture: np.ndarray, paper: int = PAPER) -> np.ndarray:
    """How far pixels (h, w, 3) uint8 are from paper, (h, w) in 0..1."""
    share: np.ndarray = np.clip((paper - picture.min(-1).astype(np.float32)) / 60, 0, 1)
    return share


def _soft(share: np.ndarray, radius: float) -> np.ndarray:
    """Shares (h, w) in 0..1, blurred."""
    grey = Image.fromarray((share * 255).round().astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _grown(area: np.ndarray, by: int) -> np.ndarray:
    return np.asarray(Image.fromarray(area.astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * by + 1))) > 0
