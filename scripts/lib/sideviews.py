"""The training pictures of the painter: side views on white, decoded once into a memory-mapped array."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.archives import keep_rows, load_rows, pictures_of
from scripts.lib.split import held_out


@dataclass(frozen=True)
class SideViews:
    """`pictures` (n, side, side, 3) uint8, one `brand` ("" when unknown) each, and which are `held` out of training."""

    pictures: np.ndarray
    brands: list[str]
    held: np.ndarray


def load_side_views(data: Path, cache: Path, side: int = 128) -> SideViews:
    """Read `data`/side, `side` px wide and high; the decoded pictures are kept in `cache` for the next run."""
    array = cache / f"side-{side}.npy"
    fresh: list[np.ndarray] | None = None if array.exists() else []
    rows = []
    for row, read in pictures_of(data, "side"):
        rows.append(row)
        if fresh is not None:
            fresh.append(np.asarray(read().resize((side, side), Image.Resampling.LANCZOS)))
    if fresh is not None:
        cache.mkdir(parents=True, exist_ok=True)
        keep_rows(array, np.stack(fresh))
    return SideViews(
        pictures=load_rows(array, len(rows)),
        brands=[row["brand"] for row in rows],
        held=np.array([held_out(row["group"]) for row in rows]),
    )
