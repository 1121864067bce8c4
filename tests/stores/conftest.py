from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamkicks.stores.cache import Cache
from dreamkicks.stores.fetcher import Fetcher

from .fakeshop import FakeClock, FakeShop


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shop(clock: FakeClock) -> Iterator[FakeShop]:
    shop = FakeShop(clock)
    yield shop
    shop.close()


@pytest.fixture
def fetchers(shop: FakeShop, clock: FakeClock, tmp_path: Path) -> Iterator[Callable[..., Fetcher]]:
    """Makes fetchers that share one cache file, as the runs of a program do."""
    made: list[Fetcher] = []

    def make(seconds: float = 10, **options: object) -> Fetcher:
        cache = Cache(tmp_path / "shops.db", clock.now())
        made.append(Fetcher(cache, clock=clock, network=shop.network(seconds), **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.fixture
def fetcher(fetchers: Callable[..., Fetcher]) -> Fetcher:
    return fetchers()
