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
    style: str | None = None
    """The maker's style code, as GX9735."""

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

    @property
    def price_tag(self) -> str:
        """ "119.95 EUR"; "" without a price."""
        return "" if self.price is None else f"{self.price} {self.currency or ''}".strip()

    @property
    def asked(self) -> str:
        """What its store asks for it: "footshop 119.95 EUR"."""
        return f"{self.store} {self.price_tag}".strip() + ("" if self.available else ", sold out")

    def to_offer(self) -> dict[str, Any]:
        """What one store asks for it."""
        said = self.to_json()
        return {key: said[key] for key in ("store", "price", "currency", "url")} | {"available": self.available}


@dataclass(frozen=True)
class Filters:
    """What a search is narrowed to. Brand and store are compared without regard to case."""

    brand: str | None = None
    store: str | None = None
    max_price: Decimal | None = None
    available: bool = False


@dataclass(frozen=True)
class Finding:
    """A shoe, its rank from 1, and the cosine of its best photo with what was searched for.

    `product` is its first offer and `also` are those of other stores: what can be bought first, then the cheapest.
    """

    rank: int
    score: float
    product: Product
    brands: tuple[BrandGuess, ...] = ()
    also: tuple[Product, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the command line says it; `offers` is there when more than one store has the shoe."""
        said = {"rank": self.rank, "score": round(self.score, 4), "product": self.product.to_json()}
        return said | ({"offers": [offer.to_offer() for offer in (self.product, *self.also)]} if self.also else {})
