"""Every photograph with words: side views, labelled photographs and things that are no sneakers, decoded once."""

from __future__ import annotations

import csv
import io
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.measure import measure
from dreamkicks.painter.vocabulary import colour_name, silhouette_name
from dreamkicks.pictures import fit_square
from scripts.lib.split import held_out

BRANDS = (
    "Adidas", "Converse", "Fila", "Jordan", "Lotto", "Nike", "Numero Uno", "Puma", "Red Tape", "Reebok",
    "Skechers", "Timberland", "Vans",
)  # fmt: skip


@dataclass
class Photograph:
    """What is known of one picture beside its pixels."""

    kind: str  # side, labelled or other
    brand: str
    title: str
    colour: str
    type: str
    held: bool
    shown: Blueprint | None

    def texts(self) -> list[str]:
        """The ways to say what it shows; one is drawn at each step of training."""
        ways = [text for text in (self.title, f"{self.colour} {self.brand} {self.type}".strip()) if text]
        if self.shown and self.shown.upper:
            ways += [caption(self.shown, self.brand), caption(self.shown, ""), caption(self.shown, "")]
        elif self.colour:
            ways.append(f"{self.colour} sneaker")
        if self.brand:
            ways.append(f"{self.brand} sneaker")
        return [" ".join(way.lower().split()) for way in ways]


def caption(shown: Blueprint, brand: str) -> str:
    """Words for what was measured: "navy Nike high-top with white sole and red accents"."""
    words = [colour_name(shown.upper)] if shown.upper else []
    words += [brand] if brand else []
    words.append(silhouette_name(shown.height) if shown.height else "sneaker")
    if shown.sole:
        words.append(f"with {colour_name(shown.sole)} sole")
    if shown.accent:
        words.append(f"and {colour_name(shown.accent)} accents")
    return " ".join(words)


def load_photographs(data: Path, size: int, cache: Path) -> tuple[np.ndarray, list[Photograph]]:
    """Pictures (n, size, size, 3) uint8 padded to squares on white, and what is known of each."""
    tables = {}
    for kind in ("side", "labelled"):
        with open(data / kind / f"{kind}.csv", newline="", encoding="utf-8") as file:
            tables[kind] = {row["file"]: row for row in csv.DictReader(file)}
    array = cache / f"photographs-{size}.npy"
    fresh = [] if not array.exists() else None
    known = []
    for kind in ("side", "labelled", "other"):
        for archive in sorted((data / kind).glob("*.tar")):
            with tarfile.open(archive) as tar:
                for member in tqdm(tar.getmembers(), desc=f"read {archive.name}"):
                    stream = tar.extractfile(member)
                    row = tables.get(kind, {}).get(member.name, {})
                    if stream is None or (kind != "other" and not row):
                        continue
                    picture, shown = None, None
                    if fresh is not None or kind == "side":
                        picture = Image.open(io.BytesIO(stream.read())).convert("RGB")
                    if kind == "side" and picture is not None:
                        found = measure(np.asarray(picture.resize((128, 128), Image.Resampling.LANCZOS)))
                        shown = found.blueprint if found else None
                    if fresh is not None and picture is not None:
                        fresh.append(np.asarray(fit_square(picture, size)))
                    known.append(
                        Photograph(
                            kind=kind,
                            brand=row.get("brand", ""),
                            title=row.get("title", ""),
                            colour=row.get("colour", ""),
                            type=row.get("type", ""),
                            held=held_out(row.get("group", member.name)),
                            shown=shown,
                        )
                    )
    if fresh is not None:
        cache.mkdir(parents=True, exist_ok=True)
        np.save(array, np.stack(fresh))
    return np.load(array, mmap_mode="r"), known


def draw_text(photograph: Photograph, draw: random.Random) -> str:
    ways = photograph.texts()
    return draw.choice(ways) if ways else "sneaker"
