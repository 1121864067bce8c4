from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.stores.fetcher import Fetcher
from tests.stores.conftest import clock, fetchers, shop
from tests.stores.fakeshop import FakeClock, FakeShop

from .days import Days, assert_polite
from .palette import fill

__all__ = ["clock", "fetchers", "shop"]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Sixty products that tests only read."""
    catalogue = fill(tmp_path_factory.mktemp("filled"), 60)
    yield catalogue
    catalogue.close()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue")
    yield catalogue
    catalogue.close()


@pytest.fixture
def days(tmp_path: Path, clock: FakeClock, fetchers: Callable[..., Fetcher], shop: FakeShop) -> Iterator[Days]:
    days = Days(tmp_path / "catalogue", clock, fetchers)
    yield days
    assert days.catalogue.verify() == []
    assert_polite(shop)
    days.catalogue.close()


@pytest.fixture
def catalogues(tmp_path: Path) -> Iterator[Callable[[str], Catalogue]]:
    """Makes empty catalogues, each on a machine of its own."""
    made = []

    def make(name: str) -> Catalogue:
        made.append(Catalogue(tmp_path / name))
        return made[-1]

    yield make
    for catalogue in made:
        catalogue.close()


@pytest.fixture
def ours(catalogues: Callable[[str], Catalogue]) -> Catalogue:
    return catalogues("ours")


@pytest.fixture
def theirs(catalogues: Callable[[str], Catalogue]) -> Catalogue:
    return catalogues("theirs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shoes.parquet"
