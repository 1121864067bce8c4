"""Cuts what stands in the middle of a photograph out of its ground: floor, table, carpet.

Rounds of two steps, as in GrabCut (Rother et al. 2004, doi:10.1145/1015706.1015720): mixtures of Gaussians say how likely each
colour is for shoe and for ground, then the cheapest border between them is found, which follows edges of the picture. The
cheapest cut is a sum of absolute differences; it is found as a few sums of squares with new weights (iteratively reweighted
least squares), each by conjugate gradients on the grid of pixels.

Held-out side views on photographed floors: 93 % of cuts share more than 0.8 with the shoe (`python -m scripts.measure_cutout`).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from dreamkicks.painter.colour import to_lab

SIDE = 144
_RING = 0.06
"""The share of the longer side along the picture's edge that is taken to be ground."""
_GAUSSIANS = 5
_ROUNDS = 3
_COLOUR = 0.02
"""How much a nat of colour weighs against the border between two pixels of the same colour."""
_SURE = 30.0
"""Nats at most that a pixel's colour may say for shoe or ground."""


def cut_out(picture: Image.Image) -> np.ndarray:
    """The thing in a picture as a mask (h, w) bool of the picture at SIDE px: one piece without holes, empty where all is ground."""
    scale = SIDE / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    lab = to_lab(np.asarray(picture.resize(size, Image.Resampling.BOX)))
    ring = np.ones(lab.shape[:2], bool)
    wide = max(1, round(_RING * max(ring.shape)))
    ring[wide:-wide, wide:-wide] = False
    ground = _log_density(lab, lab[ring])
    # At first the shoe is what the edge of the picture does not explain.
    odds = np.clip(np.quantile(ground[ring], 0.1) - ground, -4, 4)
    for _ in range(_ROUNDS):
        inside = _cut(lab, odds, ring)
        if min(inside.sum(), (~inside).sum()) < 10 * _GAUSSIANS:
            break
        odds = np.clip(_log_density(lab, lab[inside]) - _log_density(lab, lab[~inside]), -_SURE, _SURE)
    mask = _cut(lab, odds, ring)
    # Seams of the floor are thinner than shoes, and do not hold pieces together.
    core = _largest(_filtered(mask, ImageFilter.MinFilter(5)))
    return _without_holes(_filtered(core, ImageFilter.MaxFilter(7)) & mask)


def _log_density(lab: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Log density of each pixel (h, w, 3) under a mixture of Gaussians fitted to colours (n, 3): k-means, then a Gaussian each."""
    points = sample[:: max(1, len(sample) // 2000)]
    centres = points[np.argsort(points[:, 0])[(2 * np.arange(_GAUSSIANS) + 1) * len(points) // (2 * _GAUSSIANS)]]
    for _ in range(8):
        nearest = np.square(points[:, None] - centres).sum(-1).argmin(1)
        centres = np.stack([points[nearest == k].mean(0) if (nearest == k).any() else c for k, c in enumerate(centres)])
    logs = []
    for k in range(_GAUSSIANS):
        own = points[nearest == k]
        if len(own) < 4:
            continue
        root = np.linalg.cholesky(np.linalg.inv(np.cov(own, rowvar=False) + np.eye(3))).astype(np.float32)
        distance = np.square((lab - own.mean(0)) @ root).sum(-1)
        logs.append(np.log(len(own) / len(points)) + np.log(root.diagonal()).sum() - distance / 2)
    return np.logaddexp.reduce(logs, axis=0).astype(np.float32)


def _cut(lab: np.ndarray, odds: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Shoe or ground (h, w) bool, from the log odds (h, w) of each pixel and the edges between neighbours."""
    steps = [np.square(np.diff(lab, axis=axis)).sum(-1) for axis in (0, 1)]
    usual = 2 * np.concatenate([step.ravel() for step in steps]).mean() + 1e-6
    down, across = (np.exp(-2 * step / usual) + 0.002 for step in steps)
    wanted = (odds > 0) & ~ring
    pull = np.where(ring, 20.0, _COLOUR * abs(odds)).astype(np.float32) + np.float32(1e-6)
    share = _smooth(down, across, pull, wanted, 1 / (1 + np.exp(-odds)))
    for _ in range(3):
        share = _smooth(
            down / np.hypot(np.diff(share, axis=0), 0.03),
            across / np.hypot(np.diff(share, axis=1), 0.03),
            pull / np.hypot(share - wanted, 0.03),
            wanted,
            share,
        )
    return np.asarray((share > 0.5) & ~ring)


def _smooth(
    down: np.ndarray, across: np.ndarray, pull: np.ndarray, wanted: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Shares (h, w) that are near `wanted` (by `pull`) and near their neighbours (by `down`, `across`), begun at `share`.

    Conjugate gradients with a diagonal preconditioner on the normal equations of that sum of squares.
    """
    diagonal = pull.copy()
    diagonal[1:] += down
    diagonal[:-1] += down
    diagonal[:, 1:] += across
    diagonal[:, :-1] += across

    def times(vector: np.ndarray) -> np.ndarray:
        product = diagonal * vector
        product[1:] -= down * vector[:-1]
        product[:-1] -= down * vector[1:]
        product[:, 1:] -= across * vector[:, :-1]
        product[:, :-1] -= across * vector[:, 1:]
        return np.asarray(product)

    left = pull * wanted - times(share)
    direction = left / diagonal
    size = (left * direction).sum()
    for _ in range(40):
        if size < 1e-4:
            break
        product = times(direction)
        step = size / (direction * product).sum()
        share = share + step * direction
        left = left - step * product
        before, size = size, (left * left / diagonal).sum()
        direction = left / diagonal + size / before * direction
    return share


def _filtered(mask: np.ndarray, by: ImageFilter.RankFilter) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).filter(by)) > 0


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask (h, w) that hangs together."""
    best, left = np.zeros_like(mask), mask.copy()
    while left.sum() > best.sum():
        seed = np.zeros_like(mask)
        seed.flat[left.argmax()] = True
        piece = _reached(seed, left)
        left &= ~piece
        best = max(best, piece, key=np.sum)
    return best


def _without_holes(mask: np.ndarray) -> np.ndarray:
    edge = np.ones_like(mask)
    edge[1:-1, 1:-1] = False
    return ~_reached(edge & ~mask, ~mask)


def _reached(seed: np.ndarray, area: np.ndarray) -> np.ndarray:
    """All of `area` (h, w) that can be walked to from `seed` without leaving it."""
    while True:
        grown = seed.copy()
        grown[1:] |= seed[:-1]
        grown[:-1] |= seed[1:]
        grown[:, 1:] |= seed[:, :-1]
        grown[:, :-1] |= seed[:, 1:]
        grown &= area
        if (grown == seed).all():
            return seed
        seed = grown
