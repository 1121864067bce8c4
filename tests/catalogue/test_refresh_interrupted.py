"""Refreshes that end before they are done."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dreamkicks.catalogue import refresh as refreshing
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.refresh import StoreReport, refresh
from dreamkicks.errors import Cancelled, CatalogueBusy, StorageError
from tests.stores.fakeshop import FakeShop

from .days import DAY, KINDS, Days, counts, shoes
from .ledgers import ledger_of
from .palette import PaletteEncoder


@KINDS
def test_an_interrupted_run_goes_on_where_it_was(shop: FakeShop, days: Days, tmp_path: Path, kind: str) -> None:
    shop.shoes = shoes(12)
    store = shop.store(kind)
    days.refresh(store)
    shop.shoes = [
        replace(shoe, price="10", lastmod="2027", pictures=[f"/pictures/{shoe.handle}.jpg"]) for shoe in shoes(14)[2:]
    ]
    before = len(shop.log)
    (report,) = days.refresh(store, budget=11)
    assert report.stopped and "budget" in report.stopped and report.requests == 11
    assert 0 < report.changed < 10 and report.gone == 0
    assert all(product.available for product in days.products().values())
    (report,) = days.refresh(store, later=3600)
    assert report.stopped is None and report.gone == 2
    # The list is looked at once more before anything is called gone; it had not changed.
    asked = [(one.host, one.path) for one in shop.log[before:] if one.status != 304]
    assert len(asked) == len(set(asked))
    undisturbed = Catalogue(tmp_path / "undisturbed")
    shop.log.clear()
    cache_less = days.fetchers()
    days.clock.advance(10 * DAY)
    refresh(undisturbed, PaletteEncoder(), [store], cache_less)
    ours, theirs = ledger_of(days.catalogue), ledger_of(undisturbed)
    assert ours["listing"] == theirs["listing"]
    assert [row for row in ours["product"] if row[7]] == theirs["product"]
    undisturbed.close()


def test_a_cancel_keeps_what_there_is(shop: FakeShop, days: Days) -> None:
    shop.shoes = shoes(8)

    def third(report: StoreReport) -> None:
        if report.new == 3:
            raise Cancelled()

    with pytest.raises(Cancelled):
        refresh(days.catalogue, days.encoder, [shop.store()], days.fetchers(), third)
    assert len(days.products()) == 3
    before = len(shop.log)
    assert counts(days.refresh(shop.store(), later=60)[0]) == (5, 0, 3, 0)
    assert not [one for one in shop.log[before:] if "shoe-0" in one.path or one.path.endswith("page=1")]


def test_what_came_in_can_be_found_before_the_run_ends(
    shop: FakeShop, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "INDEX_EVERY", 10)
    shop.shoes = shoes(30)
    indexed, enough = [], threading.Event()

    def wait_for_it(report: StoreReport) -> None:
        if report.listed == 20:
            enough.wait(10)

    def index(done: int, of: int) -> None:
        if done == of:
            indexed.append(of)
            enough.set()

    refresh(days.catalogue, days.encoder, [shop.store()], days.fetchers(), wait_for_it, index)
    assert 0 < indexed[0] <= 40 and sum(indexed) == 60 and days.encoder.seen == 60


def test_what_little_comes_into_a_large_catalogue_does_not_write_its_index_again_and_again(
    shop: FakeShop, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.shoes = shoes(30)
    days.refresh(shop.store())
    monkeypatch.setattr(refreshing, "INDEX_EVERY", 1)
    generation = days.generation()
    shop.shoes = shoes(34)
    days.clock.advance(DAY)

    def dawdle(report: StoreReport) -> None:
        if report.listed > 30:
            threading.Event().wait(0.3)

    refresh(days.catalogue, days.encoder, [shop.store()], days.fetchers(), dawdle)
    assert generation < days.generation() <= generation + 2  # a tenth of what was there waits


def test_only_one_refreshes(shop: FakeShop, days: Days) -> None:
    with days.catalogue.writing(), pytest.raises(CatalogueBusy):
        refresh(Catalogue(days.catalogue.folder), days.encoder, [shop.store()], days.fetchers())
    assert not shop.log


def test_a_disk_that_takes_nothing_ends_the_run(shop: FakeShop, days: Days) -> None:
    shop.shoes = shoes(3)
    (days.catalogue.folder / "photos").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        days.refresh(shop.store(), shop.store("pages"))
    (days.catalogue.folder / "photos").unlink()
    assert [report.new for report in days.refresh(shop.store(), shop.store("pages"), later=60)] == [3, 3]


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.catalogue.killed_refresh", str(tmp_path), "15"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    moments = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, run.stderr
    assert [moment["trouble"] for moment in moments] == [[]] * 15
    assert sum(0 < moment["done"] < 1 for moment in moments) >= 8, "too few kills fell into the middle of a run"
