"""Distances between two sets of pictures, over their features."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist


def frechet(one: np.ndarray, two: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to features (n, d) (Heusel et al. 2017, arXiv:1706.08500)."""
    spread_one, spread_two = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    between = np.real(sqrtm(spread_one @ spread_two))
    return float(np.square(one.mean(0) - two.mean(0)).sum() + np.trace(spread_one + spread_two - 2 * between))


def kernel(one: np.ndarray, two: np.ndarray) -> float:
    """Kernel distance with a cubic kernel, unbiased (Bińkowski et al. 2018, arXiv:1801.01401)."""

    def cubic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    own, other = cubic(one, one), cubic(two, two)
    n, m = len(one), len(two)
    within = (own.sum() - np.trace(own)) / (n * (n - 1)) + (other.sum() - np.trace(other)) / (m * (m - 1))
    return float(within - 2 * cubic(one, two).mean())


def within_reach(some: np.ndarray, others: np.ndarray) -> float:
    """Share of some pictures that are as near to one of the others as its third nearest neighbour among these.

    Of real pictures among painted ones it is the recall, the other way round the precision (Kynkäänniemi et al. 2019,
    arXiv:1904.06991).
    """
    reach = np.sort(cdist(others, others), axis=1)[:, 3]
    return float((cdist(some, others) <= reach).any(1).mean())


def nearest(queries: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Cosine distance of each query (n, d) to the nearest of the known (m, d)."""
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    known = known / np.linalg.norm(known, axis=1, keepdims=True)
    return np.asarray(1 - (queries @ known.T).max(1))
