"""Every photograph through the built-in encoder, once for each version of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dreamkicks.encoder.encoder import Encoder
from scripts.lib.archives import keep_rows, load_rows, pictures_of
from scripts.lib.photographs import BRANDS
from scripts.lib.split import fold, held_out

VIEWS = Path(__file__).parents[1] / "data" / "views.csv"
"""What was seen by eye on photographs whose tables don't say it: worn on feet, only the sole, or another thing than a shoe."""


@dataclass(frozen=True)
class Embedded:
    """Row by row: unit vectors, kind, view, brand (index into BRANDS, -1 for others), split and fold by group.

    The view is what the labels say, else the photographs' table (side, 3/4, mixed), else the kind again.
    """

    vectors: np.ndarray
    kind: np.ndarray
    view: np.ndarray
    brand: np.ndarray
    held: np.ndarray
    fold: np.ndarray


def views_by_eye(table: Path = VIEWS) -> dict[str, str]:
    """The views of the photographs that a table of file and view has."""
    with open(table, newline="", encoding="utf-8") as file:
        return {row["file"]: row["view"] for row in csv.DictReader(file)}


def embed_photographs(data: Path, encoder: Encoder, work: Path, labels: Path = VIEWS) -> Embedded:
    """Read the labelled photographs, the other things and the phone pictures below `data`, and encode them as they are, 64 at a time.

    `labels` is a table of file and view.
    """
    work.mkdir(parents=True, exist_ok=True)
    table: list[tuple[str, dict[str, str]]] = []
    vectors = []
    for kind in ("labelled", "other", "phone"):
        kept, first = work / f"{kind}-{encoder.identity}.npy", len(table)
        fresh: list[np.ndarray] | None = None if kept.exists() else []
        batch: list[Image.Image] = []
        for row, read in pictures_of(data, kind):
            table.append((kind, row))
            if fresh is not None:
                batch.append(read())
                if len(batch) == 64:
                    fresh.append(encoder.pictures(batch))
                    batch = []
        if fresh is not None:
            keep_rows(kept, np.concatenate([*fresh, encoder.pictures(batch)]))
        vectors.append(load_rows(kept, len(table) - first))
    seen = views_by_eye(labels)
    groups = [row.get("group", row["file"]) for _, row in table]
    return Embedded(
        vectors=np.concatenate(vectors),
        kind=np.array([kind for kind, _ in table]),
        view=np.array([seen.get(row["file"]) or row.get("view") or kind for kind, row in table]),
        brand=np.array([BRANDS.index(row["brand"]) if row.get("brand") in BRANDS else -1 for _, row in table]),
        held=np.array([held_out(group) for group in groups]),
        fold=np.array([fold(group) for group in groups]),
    )
