"""Products, as somebody lists them and as they are kept, and what a search finds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dreamkicks.catalogue.photos import photo_path
from dreamkicks.text import clean

CONCEPTS = "concepts"
"""The store of the sneakers that ship: painted ones, which nobody sells."""
MINE = "mine"
"""The store of what a person brings in without naming one."""


@dataclass(frozen=True)
class Listing:
    """A product as somebody lists it: foreign text, cleaned when it is kept."""

    brand: str
    title: str
    store: str = MINE
    price: Decimal | None = None
    currency: str | None = None
    url: str | None = None
    style: str | None = None
    """The maker's style code; looked for in the title where there is none."""

    def place(self, otherwise: str) -> tuple[str, str]:
        """The store, and what tells the product from the others there: its address, or `otherwise`."""
        return clean(self.store, 60) or MINE, web_address(self.url) or otherwise


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

    @classmethod
    def of_row(cls, folder: Path, row: sqlite3.Row) -> Product:
        """From a row of the table `product` with the hash of a photo, in the catalogue's folder."""
        return cls(
            id=row["id"],
            brand=row["brand"],
            title=row["title"],
            price=None if row["price"] is None else Decimal(row["price"]),
            currency=row["currency"],
            url=row["url"],
            store=row["store"],
            photo=photo_path(folder, row["hash"]),
            available=bool(row["available"]),
            style=row["style"],
        )

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

    @property
    def order(self) -> tuple[bool, bool, str, Decimal, str, int]:
        """Of a shoe's offers: what can be bought first, then by price."""
        # Nobody here knows rates of exchange, so prices in several currencies stand by currency.
        price = Decimal() if self.price is None else self.price
        return not self.available, self.price is None, self.currency or "", price, self.store, self.id

    def to_offer(self) -> dict[str, Any]:
        """What one store asks for it."""
        said = self.to_json()
        return {key: said[key] for key in ("store", "price", "currency", "url")} | {"available": self.available}


@dataclass(frozen=True)
class Filters:
    """What offers a search is narrowed to. Brand, store and currency are compared without regard to case."""

    brand: str | None = None
    store: str | None = None
    max_price: Decimal | None = None
    """A number, whatever the currency."""
    currency: str | None = None
    available: bool = False

    def texts(self) -> list[tuple[str, str]]:
        """Fields of a product, each with what it has to say."""
        asked = (("brand", self.brand), ("store", self.store), ("currency", self.currency))
        return [(field, text) for field, text in asked if text is not None]


@dataclass(frozen=True)
class Finding:
    """A shoe, its rank from 1, and the cosine of its best photo with what was searched for.

    `product` is its first offer and `also` are those of other stores: what can be bought first, then the cheapest.
    """

    rank: int
    score: float
    product: Product
    also: tuple[Product, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the command line says it; `offers` is there when more than one store has the shoe."""
        said = {"rank": self.rank, "score": round(self.score, 4), "product": self.product.to_json()}
        return said | ({"offers": [offer.to_offer() for offer in (self.product, *self.also)]} if self.also else {})


def web_address(url: str | None) -> str | None:
    """The address when it is one of the web, printable and of bounded length; None otherwise."""
    if not url or len(url) > 2000 or clean(url, 2000) != url or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None
