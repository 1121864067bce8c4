"""Results as a search would bring them, made by hand: what the models say changes with their weights."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from dreamkicks.brands.classifier import BrandGuess, Verdict
from dreamkicks.catalogue.product import CONCEPTS, Finding, Product
from dreamkicks.studio import Result

from .painter import draw_shoe

VERDICT = Verdict(
    0.99,
    tuple(
        BrandGuess(brand, probability)
        for brand, probability in (
            ("Nike", 0.62), ("Jordan", 0.21), ("Adidas", 0.09), ("Vans", 0.05), ("Puma", 0.02), ("Reebok", 0.01),
        )
    ),
)  # fmt: skip


def finding(
    folder: Path, rank: int, title: str, url: str | None, store: str = "kickshop", colour: str = "#7a1f2b"
) -> Finding:
    """A finding with a drawn photo."""
    photo = folder / f"photo-{rank}.png"
    draw_shoe(colour, "#eeeeee").save(photo)
    price = None if store == CONCEPTS else Decimal("119.95") + rank
    product = Product(rank, "Nike", title, price, None if price is None else "EUR", url, store, photo)
    return Finding(rank, 0.93 - rank / 50, product)


def result(folder: Path) -> Result:
    """Two products and a concept."""
    return Result(
        VERDICT,
        [
            finding(folder, 1, "Court Vision Low Burgundy", "https://shop.example/products/1?ref=[red]"),
            finding(folder, 2, "Slim runner in teal with cream panels", None, CONCEPTS, "#1f7a7a"),
            finding(folder, 3, "Air Something 90 日本限定", "https://shop.example/products/3", colour="#333333"),
        ],
    )
