"""Products, and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dreamkicks.brands.classifier import BrandGuess

CONCEPTS = "concepts"
"""The store of the sneakers that ship: painted ones, which nobody sells."""


@dataclass(frozen=True)
class Product:
    """A shoe in the catalogue. Texts are clean; `url` is http or https; `photo` lies in the catalogue's folder."""

    id: int
    brand: str
    title: str
    price: Decimal | None
    currency: str | None
    url: str | None
    store: str
    photo: Path
    available: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "brand": self.brand,
            "title": self.title,
            "price": None if self.price is None else str(self.price),
            "currency": self.currency,
            "url": self.url,
            "store": self.store,
            "photo": str(self.photo),
        }


@dataclass(frozen=True)
class Filters:
    """What a search is narrowed to. Brand and store are compared without regard to case."""

    brand: str | None = None
    store: str | None = None
    max_price: Decimal | None = None
    available: bool = False


@dataclass(frozen=True)
class Finding:
    """A product, its rank from 1, and the cosine of its best photo with what was searched for."""

    rank: int
    score: float
    product: Product
    brands: tuple[BrandGuess, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"rank": self.rank, "score": round(self.score, 4), "product": self.product.to_json()}
