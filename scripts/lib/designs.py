"""Which training shoes are built alike, whatever their colours."""

from __future__ import annotations

import numpy as np
from skimage.feature import hog
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from tqdm import tqdm

_OUTLINE = 0.5
"""How much the shape counts beside what is inside it. Chosen by looking at the groups."""


def group(pictures: np.ndarray, shapes: np.ndarray, count: int) -> np.ndarray:
    """A number in 0..`count` - 1 for each shoe, equal for those built alike.

    k-means over histograms of oriented gradients (Dalal & Triggs 2005) on the mean shape, and over the landmarks.

    Args:
        pictures: (n, h, w) in grey, all bent to the mean shape.
        shapes: landmarks (n, d) of the shoes as they are.
    """
    gradients = np.stack([hog(one, orientations=8, cells_per_block=(2, 2)) for one in tqdm(pictures, desc="designs")])
    inside = PCA(min(96, len(pictures)), random_state=0).fit_transform(gradients.astype(np.float32))
    outline = PCA(8, random_state=0).fit_transform((shapes - shapes.mean(0)) / (shapes.std(0) + 0.5))
    outline *= _OUTLINE * np.sqrt(inside.var(0).sum() / outline.var(0).sum())
    return np.asarray(KMeans(count, n_init=2, random_state=0).fit(np.concatenate([inside, outline], axis=1)).labels_)
