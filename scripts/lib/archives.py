"""The pictures of a data folder: DATA/kind/*.tar, and DATA/kind/kind.csv where there is a table of them."""

from __future__ import annotations

import csv
import functools
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image
from tqdm import tqdm


def pictures_of(data: Path, kind: str) -> Iterator[tuple[dict[str, str], Callable[[], Image.Image]]]:
    """Of each picture its row of the table, or no more than its `file` where there is none, and what decodes it to RGB.

    What a table leaves out is left out.
    """
    table = data / kind / f"{kind}.csv"
    rows: dict[str, dict[str, str]] | None = None
    if table.exists():
        with open(table, newline="", encoding="utf-8") as file:
            rows = {row["file"]: row for row in csv.DictReader(file)}
    for archive in sorted((data / kind).glob("*.tar")):
        with tarfile.open(archive) as tar:
            for member in tqdm(tar.getmembers(), desc=f"read {archive.name}"):
                row = {"file": member.name} if rows is None else rows.get(member.name)
                stream = tar.extractfile(member)
                if row is not None and stream is not None:
                    yield row, functools.partial(_decode, stream)


def _decode(stream: IO[bytes]) -> Image.Image:
    return Image.open(io.BytesIO(stream.read())).convert("RGB")


def keep_rows(kept: Path, rows: np.ndarray) -> None:
    """Write an array for `load_rows`, which is there only when all of it is."""
    beside = kept.with_suffix(".part")
    with open(beside, "wb") as file:
        np.save(file, rows)
    beside.replace(kept)


def load_rows(kept: Path, count: int) -> np.ndarray:
    """An array that an earlier run kept, of so many rows, as a map of the file. Exits where it is of other data."""
    rows = np.load(kept, mmap_mode="r")
    if len(rows) != count:
        raise SystemExit(f"{kept} has {len(rows)} rows, and the data {count}: it was made from other data. Delete it.")
    return rows
