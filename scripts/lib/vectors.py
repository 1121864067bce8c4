"""Every photograph through the built-in encoder, once for each version of it."""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dreamkicks.encoder.encoder import Encoder
from scripts.lib.photographs import BRANDS
from scripts.lib.split import fold, held_out

VIEWS = Path(__file__).parents[1] / "data" / "views.csv"
"""What was seen by eye on photographs whose tables don't say it: worn on feet, only the sole, or another thing than a shoe."""


@dataclass(frozen=True)
class Embedded:
    """Row by row: unit vectors, kind, view, brand (index into `brands`, -1 for others), split and fold by group.

    The view is what the labels say, else the photographs' table (side, 3/4, mixed), else the kind again.
    """

    vectors: np.ndarray
    kind: np.ndarray
    view: np.ndarray
    brand: np.ndarray
    held: np.ndarray
    fold: np.ndarray
    brands: tuple[str, ...] = BRANDS


def embed_photographs(
    data: Path,
    encoder: Encoder,
    work: Path,
    kinds: tuple[str, ...] = ("labelled", "other", "phone"),
    labels: Path = VIEWS,
) -> Embedded:
    """Read the tars of `kinds` below `data` and encode their pictures as they are, 64 at a time.

    `labels` is a table of file and view.
    """
    work.mkdir(parents=True, exist_ok=True)
    table: list[tuple[str, dict[str, str], str]] = []
    vectors = []
    for kind in kinds:
        rows: dict[str, dict[str, str]] = {}
        if (data / kind / f"{kind}.csv").exists():
            with open(data / kind / f"{kind}.csv", newline="", encoding="utf-8") as file:
                rows = {row["file"]: row for row in csv.DictReader(file)}
        kept = work / f"{kind}-{encoder.identity}.npy"
        batch: list[Image.Image] = []
        done: list[np.ndarray] = []
        for archive in sorted((data / kind).glob("*.tar")):
            with tarfile.open(archive) as tar:
                for member in tqdm(tar.getmembers(), desc=f"encode {archive.name}"):
                    stream = tar.extractfile(member)
                    if stream is None:
                        continue
                    table.append((kind, rows.get(member.name, {}), member.name))
                    if not kept.exists():
                        batch.append(Image.open(io.BytesIO(stream.read())).convert("RGB"))
                        if len(batch) == 64:
                            done.append(encoder.pictures(batch))
                            batch = []
        if not kept.exists():
            np.save(kept, np.concatenate([*done, encoder.pictures(batch)]))
        vectors.append(np.load(kept))
    with open(labels, newline="", encoding="utf-8") as file:
        seen = {row["file"]: row["view"] for row in csv.DictReader(file)}
    groups = [row.get("group", name) for _, row, name in table]
    return Embedded(
        vectors=np.concatenate(vectors),
        kind=np.array([kind for kind, _, _ in table]),
        view=np.array([seen.get(name) or row.get("view") or kind for kind, row, name in table]),
        brand=np.array([BRANDS.index(row["brand"]) if row.get("brand") in BRANDS else -1 for _, row, _ in table]),
        held=np.array([held_out(group) for group in groups]),
        fold=np.array([fold(group) for group in groups]),
    )
