"""What the fetcher need not ask for again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dreamkicks.errors import BudgetSpent, FetchFailed, NotAllowed, StorageError
from dreamkicks.stores.cache import Cache, Entry
from dreamkicks.stores.fetcher import PAGE, PICTURE, Fetcher

from .fakeshop import FakeClock, FakeShop, page, sends

Fetchers = Callable[..., Fetcher]


def test_what_is_unchanged_is_asked_for_conditionally(shop: FakeShop, fetchers: Fetchers) -> None:
    store = shop.store()
    assert fetchers().get(store, page(shop, "/a"), PAGE) == b"/a"
    assert fetchers().get(store, page(shop, "/a"), PAGE) == b"/a"
    assert [one.status for one in shop.asked("/a")] == [200, 304]


def test_last_modified_is_used_where_there_is_no_etag(shop: FakeShop, fetchers: Fetchers) -> None:
    shop.places["/a"] = sends(b"x", "text/html", Last_Modified="Wed, 01 Jul 2026 00:00:00 GMT")
    for _ in range(2):
        fetchers().get(shop.store(), shop.site + "/a", PAGE)
    assert shop.asked("/a")[1].headers["if-modified-since"] == "Wed, 01 Jul 2026 00:00:00 GMT"


def test_a_sign_that_http_can_t_take_back_is_not_sent_back() -> None:
    assert Entry('"caf\xe9"', "Mon, 1 Jun 2026 10:00:00 GMT", b"", 0).validators == {
        "If-Modified-Since": "Mon, 1 Jun 2026 10:00:00 GMT"
    }


def test_no_store_is_not_stored(shop: FakeShop, fetchers: Fetchers) -> None:
    shop.places["/a"] = sends(b"x", "text/html", ETag='"1"', Cache_Control="no-store")
    for _ in range(2):
        fetchers().get(shop.store(), shop.site + "/a", PAGE)
    assert "if-none-match" not in shop.asked("/a")[1].headers


def test_within_a_run_nothing_is_asked_twice(shop: FakeShop, clock: FakeClock, fetchers: Fetchers) -> None:
    store = shop.store()
    first = fetchers()
    first.begin(store)
    first.get(store, page(shop, "/a"), PAGE)
    clock.advance(3600)
    second = fetchers()  # the program was killed and started again
    second.begin(store)
    second.get(store, page(shop, "/a"), PAGE)
    assert len(shop.asked("/a")) == 1
    second.finish(store)
    third = fetchers()
    third.begin(store)
    third.get(store, page(shop, "/a"), PAGE)
    assert len(shop.asked("/a")) == 2


def test_an_interrupted_run_is_begun_anew_after_a_day(shop: FakeShop, clock: FakeClock, fetchers: Fetchers) -> None:
    for _ in range(2):
        fetcher = fetchers()
        fetcher.begin(shop.store())
        fetcher.get(shop.store(), page(shop, "/a"), PAGE)
        clock.advance(100_000)
    assert len(shop.asked("/a")) == 2


@pytest.mark.parametrize("damage", ["noise", "newer"])
def test_a_damaged_cache_is_begun_anew(shop: FakeShop, fetchers: Fetchers, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "shops.db"
    if damage == "noise":
        file.write_bytes(b"noise" * 1000)
    else:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA user_version = 99")
    assert fetchers().get(shop.store(), page(shop, "/a"), PAGE) == b"/a"


def test_caches_that_are_made_at_once_are_one(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def make(name: str) -> Cache:
        together.wait()
        cache = Cache(tmp_path / "shops.db", 0)
        cache.put(name, Entry(None, None, name.encode(), 0))
        return cache

    with ThreadPoolExecutor() as pool:
        caches = list(pool.map(make, "abcd"))
    for cache in caches:
        assert [entry.body for name in "abcd" if (entry := cache.get(name))] == [b"a", b"b", b"c", b"d"]
        cache.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    import resource

    cache, before = Cache(tmp_path / "shops.db", 0), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        with pytest.raises(StorageError, match=r"Can't use .*shops\.db: .*; check the disk, or delete the file"):
            cache.put("a", Entry(None, None, os.urandom(500_000), 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    cache.put("a", Entry(None, None, b"a", 0))
    cache.close()


def test_pictures_are_not_kept(shop: FakeShop, fetchers: Fetchers) -> None:
    for _ in range(2):
        fetchers().get(shop.store(), shop.cdn + "/pictures/a.jpg", PICTURE)
    assert "if-none-match" not in shop.asked("/pictures/a.jpg")[1].headers


def test_a_dry_run_asks_nothing_and_tells_what_it_would(shop: FakeShop, fetchers: Fetchers) -> None:
    told: list[tuple[str, bool]] = []
    fetchers().get(shop.store(), page(shop, "/kept"), PAGE)
    before = len(shop.log)
    dry = fetchers(on_dry_run=lambda *said: told.append(said), budget=2)
    assert dry.get(shop.store(), page(shop, "/kept"), PAGE) == b"/kept"
    with pytest.raises(FetchFailed, match="dry run"):
        dry.get(shop.store(), page(shop, "/other"), PAGE)
    with pytest.raises(NotAllowed):
        dry.get(shop.store(), page(shop, "/private/x"), PAGE)
    with pytest.raises(BudgetSpent):
        dry.get(shop.store(), page(shop, "/more"), PAGE)
    assert told == [(f"{shop.site}/kept", True), (f"{shop.site}/other", False)]
    assert len(shop.log) == before
