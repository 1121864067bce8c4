"""The training pictures of the painter: side views on white, decoded once into a memory-mapped array."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.archives import pictures_of
from scripts.lib.split import held_out


@dataclass(frozen=True)
class SideViews:
    """`pictures` (n, side, side, 3) uint8, one `brand` ("" when unknown) each, and which are `held` out of training."""

    pictures: np.ndarray
    names: list[str]
    brands: list[str]
    held: np.ndarray


def load_side_views(data: Path, cache: Path, side: int = 128) -> SideViews:
    """Read `data`/side, `side` px wide and high; the decoded pictures are kept in `cache` for the next run."""
    with open(data / "side" / "side.csv", newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    array, listing = cache / f"side-{side}.npy", cache / "side.txt"
    if not (array.exists() and listing.exists()):
        cache.mkdir(parents=True, exist_ok=True)
        pictures, names = [], []
        for row, read in pictures_of(data, "side"):
            pictures.append(np.asarray(read().resize((side, side), Image.Resampling.LANCZOS)))
            names.append(row["file"])
        np.save(array, np.stack(pictures))
        listing.write_text("\n".join(names))
    names = listing.read_text().splitlines()
    return SideViews(
        pictures=np.load(array, mmap_mode="r"),
        names=names,
        brands=[rows[name]["brand"] for name in names],
        held=np.array([held_out(rows[name]["group"]) for name in names]),
    )
