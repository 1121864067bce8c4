"""An encoder that costs nothing, for tests that index a lot and in many processes."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import numpy as np
from PIL import Image

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Listing


class PaletteEncoder:
    """Sees the colours of a 4 x 4 grid."""

    dim = 48

    def __init__(self, identity: str = "palette-1") -> None:
        self.identity = identity
        self.seen = 0

    def pictures(self, images: list[Image.Image]) -> np.ndarray:
        self.seen += len(images)
        rows = np.stack([np.asarray(image.resize((4, 4)), np.float32).reshape(-1) - 127.5 for image in images])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def patchwork(seed: int) -> Image.Image:
    """A picture of 4 x 4 coloured fields that no other seed has."""
    draw = random.Random(seed)
    fields = np.array([[draw.randrange(256) for _ in range(3)] for _ in range(16)], np.uint8).reshape(4, 4, 3)
    return Image.fromarray(fields).resize((32, 32), Image.Resampling.NEAREST)


def fill(folder: Path, count: int, encoder: PaletteEncoder | None = None) -> Catalogue:
    """A catalogue of so many products: brands, stores, prices (some without one) and one to three photos each."""
    catalogue = Catalogue(folder)
    with catalogue.writing():
        for number in range(count):
            listing = Listing(
                brand=("Adidas", "Nike", "Puma", "Vans")[number % 4],
                title=f"Shoe {number}",
                store=("shop.example", "mine", "other.example")[number % 3],
                price=None if number % 5 == 0 else Decimal(40 + 10 * (number % 13)),
                currency="EUR",
                url=f"https://shop.example/{number}",
            )
            for photo in range(1 + number % 3):
                catalogue.keep(patchwork(1000 * photo + number), listing)
        catalogue.index(encoder or PaletteEncoder())
    return catalogue


def content(catalogue: Catalogue) -> list[tuple[object, ...]]:
    """What a catalogue holds, apart from where and under which ids."""
    return sorted(
        ((p.store, p.brand, p.title, p.price, p.currency, p.url, p.photo.name) for p in catalogue.products()), key=repr
    )


ENCODER = PaletteEncoder()


def keep(catalogue: Catalogue, seed: int, **listing: object) -> int:
    """Keep a patchwork of that seed and index it; returns the product's id."""
    with catalogue.writing():
        number = catalogue.keep(patchwork(seed), Listing(**{"brand": "Nike", "title": f"Shoe {seed}", **listing}))  # type: ignore[arg-type]
        catalogue.index(ENCODER)
    return number


def vector(seed: int) -> np.ndarray:
    return ENCODER.pictures([patchwork(seed)])[0]
