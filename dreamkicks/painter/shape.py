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

_ON = 1.5
"""How far a rise goes on when its first column has arrived. Seen on nine shoes: at 1 tongues are peaks, at 3 collars are cut straight."""

_FAR = 4.0
"""How many times a rise is taken at most: one of next to nothing says little of where a shoe would go."""


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
    y = torch.arange(rows, device=pictures.device)[:, None] + 0.5
    x = torch.arange(width, device=pictures.device)[None] + 0.5
    left, start = target[:, 0, None, None], source[:, 0, None, None]
    right = torch.maximum(target[:, 1, None, None], left + 1)
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


def with_height(shape: Tensor, rise: Tensor, height: Tensor) -> Tensor:
    """Landmarks (n, LANDMARKS) whose upper edge has moved along `rise` (n, COLUMNS) until the shoe has a `height` (n,), over its width.

    Columns that would go the other way stay where they are, and none sinks to less than a third of what it is above the sole.
    """
    upper, line = shape[:, UPPER], shape[:, 2:3]
    tall = shape[:, _LOWER].amax(1, keepdim=True) - upper
    missing = (height * (shape[:, 1] - shape[:, 0]))[:, None] - tall
    up = missing.amin(1, keepdim=True) > 0
    rise = torch.where(up, rise.clamp(min=0.01), rise.clamp(max=-0.01))
    steps = missing / rise
    # Rising, the first column to arrive waits for some of the others, or it would be a peak; sinking, the last that is too tall ends it.
    step = _ON * torch.where(up, steps, torch.inf).amin(1, keepdim=True)
    step = torch.where(up, step, torch.where(missing < 0, steps, 0.0).amax(1, keepdim=True)).clamp(max=_FAR)
    moved = upper - torch.where(up, torch.minimum(step * rise, missing), step * rise)
    target = shape.clone()
    target[:, UPPER] = torch.minimum(moved, torch.maximum(line - (line - upper) / 3, upper))
    return target


def silhouette(shape: Tensor, rows: int, width: int, margin: float = 0.0) -> Tensor:
    """How much of each pixel lies within the outline of landmarks (n, LANDMARKS), or `margin` px around: (n, 1, rows, width) in 0..1."""
    y = torch.arange(rows, device=shape.device)[:, None] + 0.5
    x = torch.arange(width, device=shape.device)[None] + 0.5
    left = shape[:, 0, None, None]
    right = torch.maximum(shape[:, 1, None, None], left + 1)
    top, _, bottom = _edges(shape, ((x - left) / (right - left)).clamp(0, 1))
    inside = [(edge + 0.5 + margin).clamp(0, 1) for edge in (y - top, bottom - y, x - left, right - x)]
    return (inside[0] * inside[1] * inside[2] * inside[3])[:, None]


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
