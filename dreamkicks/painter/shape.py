"""The shape of a sneaker as landmarks, and pictures warped from one shape to another.

Shoes differ in outline more than in where a panel lies within it. So a draft is made in two parts, as active appearance models
do (Cootes, Edwards & Taylor 2001, doi:10.1109/34.927467): landmarks, and what the shoe looks like on the mean shape. Averages of
either are shoes; averages of pictures as they are have ghosts of several toes and collars.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamkicks.painter.measure import Measured

COLUMNS = 32
LANDMARKS = 3 + 2 * COLUMNS
"""Left end, right end, first row of the sole; then the upper edge at as many columns from heel to toe, then the lower edge. In px."""
UPPER, _LOWER = slice(3, 3 + COLUMNS), slice(3 + COLUMNS, LANDMARKS)

_TOE = (0.65, 0.8)
"""The share of a shoe's length, from the heel, up to which silhouettes differ, and from which they are the same."""


def landmarks(seen: Measured) -> np.ndarray:
    """The landmarks (LANDMARKS,) of a measured picture, in its px."""
    left, _, right, _ = seen.box
    inside = seen.mask[:, left:right]
    columns = np.flatnonzero(inside.any(0))
    upper, lower = inside.argmax(0), len(inside) - inside[::-1].argmax(0)
    at = (np.arange(COLUMNS) + 0.5) / COLUMNS * (right - left) - 0.5
    edges = [np.interp(at, columns, edge[columns]) for edge in (upper, lower)]
    return np.concatenate([[left, right, seen.sole_line], *edges]).astype(np.float32)


def warp(pictures: Tensor, source: Tensor, target: Tensor, rows: int) -> Tensor:
    """Sneakers on paper, bent to another shape: column by column, upper and sole each stretched evenly.

    Args:
        pictures: (n, 3, h, w) in -1..1.
        source: landmarks (n, LANDMARKS) of what they show.
        target: landmarks (n, LANDMARKS) to bend them to.
        rows: how high the outcome is.

    Returns: (n, 3, rows, w) in -1..1, paper outside the target's outline.
    """
    _, _, height, width = pictures.shape
    y, x, left, right = _pixels(target, rows, width)
    start = source[:, 0, None, None]
    share = (x - left) / (right - left)
    column = share.clamp(0, 1)
    top, line, bottom = _edges(target, column)
    top_before, line_before, bottom_before = _edges(source, column)
    above = top_before + (y - top) * (line_before - top_before) / (line - top)
    below = line_before + (y - line) * (bottom_before - line_before) / (bottom - line)
    row = torch.where(y < line, above, below)
    across = (start + share * (source[:, 1, None, None] - start)).expand_as(row)
    grid = torch.stack([across / width, row / height], dim=-1) * 2 - 1
    bent = F.grid_sample(pictures - 1, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    return 1 + bent.clamp(-2, 0) * silhouette(target, rows, width)


def with_sole(shape: Tensor, height: Tensor) -> Tensor:
    """Landmarks (n, LANDMARKS) with soles of other heights (n,), over the shoe's width; the upper moves with them.

    No sole gets more than twice as high: what was measured may be the tread alone.
    """
    target, bottom = shape.clone(), shape[:, _LOWER].amax(1)
    line = bottom - torch.minimum(height * (shape[:, 1] - shape[:, 0]), 2 * (bottom - shape[:, 2]))
    target[:, UPPER] += (line - shape[:, 2])[:, None]
    target[:, 2] = line
    return target


def with_upper(shape: Tensor, other: Tensor, height: Tensor) -> Tensor:
    """Landmarks (n, LANDMARKS) whose upper edge is that of `other` shoes, brought to a `height` (n,) over the width.

    Raised, no column sinks; lowered, none rises, nor sinks to less than a third of what it is above the sole. The toe box stays.
    """
    width, line, upper = shape[:, 1:2] - shape[:, :1], shape[:, 2:3], shape[:, UPPER]
    bottom = shape[:, _LOWER].amax(1, keepdim=True)
    wanted = (height[:, None] * width - (bottom - line)).clamp(min=1)
    above = (other[:, 2:3] - other[:, UPPER]).clamp(min=0.01)
    edge = line - above * wanted / above.amax(1, keepdim=True)
    up = wanted > (line - upper).amax(1, keepdim=True)
    lowest = torch.maximum(line - (line - upper) / 3, upper)
    edge = torch.where(up, torch.minimum(edge, upper), torch.minimum(torch.maximum(edge, upper), lowest))
    along = (torch.arange(COLUMNS, device=shape.device) + 0.5) / COLUMNS
    throat, toe = _TOE
    target = shape.clone()
    target[:, UPPER] = torch.lerp(upper, edge, ((toe - along) / (toe - throat)).clamp(0, 1))
    return target


def tall(shape: Tensor) -> Tensor:
    """Heights (n,) over the width of landmarks (n, LANDMARKS)."""
    return (shape[:, _LOWER].amax(1) - shape[:, UPPER].amin(1)) / (shape[:, 1] - shape[:, 0]).clamp(min=1)


def silhouette(shape: Tensor, rows: int, width: int, margin: float = 0.0) -> Tensor:
    """How much of each pixel lies within the outline of landmarks (n, LANDMARKS), or `margin` px around: (n, 1, rows, width) in 0..1."""
    y, x, left, right = _pixels(shape, rows, width)
    top, _, bottom = _edges(shape, ((x - left) / (right - left)).clamp(0, 1))
    inside = [(edge + 0.5 + margin).clamp(0, 1) for edge in (y - top, bottom - y, x - left, right - x)]
    return (inside[0] * inside[1] * inside[2] * inside[3])[:, None]


def between_edges(one: Tensor, other: Tensor, rows: int, width: int, depth: float) -> Tensor:
    """Where a picture changes when it gets another upper edge, (n, 1, rows, width) in 0..1: above the sole, from heel to toe.

    1 from the lower of the upper edges of both landmarks (n, LANDMARKS) upwards, less and less down to 0 as far below it as the edges
    are apart, at most `depth` px; nothing where they are the same.
    """
    y, x, left, right = _pixels(one, rows, width)
    column = ((x - left) / (right - left)).clamp(0, 1)
    top, line, _ = _edges(one, column)
    other_top = _edges(other, column)[0]
    apart = (top - other_top).abs()
    below = (y - torch.maximum(top, other_top)) / apart.clamp(1, depth)
    share = (1 - below).clamp(0, 1) * apart.clamp(max=1)
    inside = [(edge + 0.5).clamp(0, 1) for edge in (line - y, x - left, right - x)]
    return (share * inside[0] * inside[1] * inside[2])[:, None]


def _pixels(shape: Tensor, rows: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Middles of pixels, (rows, 1) and (1, width), and left and right ends of landmarks (n, LANDMARKS), (n, 1, 1) each."""
    y = torch.arange(rows, device=shape.device)[:, None] + 0.5
    x = torch.arange(width, device=shape.device)[None] + 0.5
    left = shape[:, 0, None, None]
    return y, x, left, torch.maximum(shape[:, 1, None, None], left + 1)


def _edges(shape: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Upper edge, first row of the sole and lower edge (n, 1, w) where columns (n, 1, w) are 0..1 between heel and toe.

    In this order and apart, whatever the landmarks say.
    """
    place = (column * COLUMNS - 0.5).clamp(0, COLUMNS - 1.001)
    left = place.long()
    share = place - left

    def at(edge: Tensor) -> Tensor:
        before = edge.gather(1, left[:, 0])[:, None]
        return before + share * (edge.gather(1, left[:, 0] + 1)[:, None] - before)

    top, bottom = at(shape[:, UPPER]), at(shape[:, _LOWER])
    bottom = torch.maximum(bottom, top + 2)
    line = torch.minimum(torch.maximum(shape[:, 2, None, None], top + 1), bottom - 1)
    return top, line, bottom
