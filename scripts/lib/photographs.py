"""Every photograph with words: side views, labelled photographs and things that are no sneakers, decoded once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dreamkicks.painter.blueprint import Blueprint, silhouette_name
from dreamkicks.painter.measure import measure
from dreamkicks.painter.vocabulary import colour_name
from dreamkicks.pictures import fit_square
from scripts.lib.archives import keep_rows, load_rows, pictures_of
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
    array = cache / f"photographs-{size}.npy"
    fresh: list[np.ndarray] | None = None if array.exists() else []
    known = []
    for kind in ("side", "labelled", "other"):
        for row, read in pictures_of(data, kind):
            shown = None
            if fresh is not None or kind == "side":
                picture = read()
                if kind == "side":
                    found = measure(np.asarray(picture.resize((128, 128), Image.Resampling.LANCZOS)))
                    shown = found.blueprint if found else None
                if fresh is not None:
                    fresh.append(np.asarray(fit_square(picture, size)))
            known.append(
                Photograph(
                    kind=kind,
                    brand=row.get("brand", ""),
                    title=row.get("title", ""),
                    colour=row.get("colour", ""),
                    type=row.get("type", ""),
                    held=held_out(row.get("group", row["file"])),
                    shown=shown,
                )
            )
    if fresh is not None:
        cache.mkdir(parents=True, exist_ok=True)
        keep_rows(array, np.stack(fresh))
    return load_rows(array, len(known)), known


def draw_text(photograph: Photograph) -> str:
    ways = photograph.texts()
    return random.choice(ways) if ways else "sneaker"
