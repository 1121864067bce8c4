"""A catalogue that is refreshed from the fake shop day after day, and what must be true of it whatever happens."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from dreamkicks.catalogue import vectors
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.ledger import Ledger
from dreamkicks.catalogue.product import Product
from dreamkicks.catalogue.refresh import StoreReport, refresh
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.store import Store
from tests.stores.fakeshop import FakeClock, FakeShop, Shoe

from .palette import PaletteEncoder

DAY = 86_400
LIST = "/collections/sneakers/products.json"
KINDS = pytest.mark.parametrize("kind", ["shopify", "pages"])


class Days:
    """A catalogue that is refreshed once a day."""

    def __init__(self, folder: Path, clock: FakeClock, fetchers: Callable[..., Fetcher]) -> None:
        self.catalogue = Catalogue(folder)
        self.encoder = PaletteEncoder()
        self.ledger = Ledger(self.catalogue)
        self.clock = clock
        self.fetchers = fetchers

    def refresh(self, *stores: Store, later: float = DAY, **options: object) -> list[StoreReport]:
        self.clock.advance(later)
        return refresh(self.catalogue, self.encoder, stores, self.fetchers(**options))

    def generation(self) -> int:
        """Of the index: one more each time it is written."""
        return (vectors.current(self.catalogue.folder) or (0, ""))[0]

    def products(self) -> dict[str, Product]:
        """By what the shop calls them."""
        return {str(p.url).rpartition("/")[2].removesuffix(".html"): p for p in self.catalogue.products()}


def assert_polite(shop: FakeShop, delay: float = 0) -> None:
    """What the shop's own log says: never faster than allowed, and never a forbidden path."""
    times: dict[str, list[float]] = defaultdict(list)
    for asked in shop.log:
        times[asked.host].append(asked.at)
        assert not asked.path.startswith("/private")
    for host, at in times.items():
        least = max(delay, 0.25 if host == "cdn.test" else 1)
        assert all(later - earlier >= least - 1e-6 for earlier, later in itertools.pairwise(at)), host


def shoes(count: int) -> list[Shoe]:
    return [Shoe(f"shoe-{n}", f"Runner {n}", price=f"{100 + n}.00", sku=f"GX{1000 + n}") for n in range(count)]


def counts(report: StoreReport) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.gone
