"""A snapshot of a catalogue goes to another machine and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import export_products, import_products
from dreamkicks.catalogue.ledger import Ledger
from dreamkicks.catalogue.product import Listing
from dreamkicks.catalogue.refresh import refresh
from dreamkicks.errors import Cancelled, CatalogueBusy
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.store import Size
from tests.catalogue.ledgers import ledger_of
from tests.catalogue.palette import ENCODER, content, patchwork
from tests.catalogue.snapshots import MONDAY, TUESDAY, URL, WEDNESDAY, bring_in, counts, crawl, rows_of, share, write
from tests.drawing import encoded
from tests.stores.fakeshop import FakeClock, FakeShop, Shoe

# ------------------------------------------------------------------ there and back


def test_everything_comes_back_and_nothing_comes_twice(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    with ours.writing():
        ours.keep(patchwork(0), Listing("Nike", 'Air "1", ü', price=Decimal("99.50"), currency="EUR"))
        for seed in (1, 2):
            ours.keep(patchwork(seed), Listing("Puma", "=HYPERLINK(1)", "shop", url="https://shop.example/?a=1,2"))
    assert counts(share(ours, theirs, file)) == (3, 0, 0)
    assert [row[:6] for row in content(theirs)] == [row[:6] for row in content(ours)]
    assert theirs.verify() == [] and theirs.in_step(ENCODER.identity)
    for seed in range(3):
        (found,) = theirs.search(ENCODER.pictures([patchwork(seed)])[0], ENCODER.identity, 1)
        assert found.score > 0.98

    assert counts(bring_in(theirs, file)) == counts(bring_in(ours, file)) == (0, 0, 3)
    assert counts(share(theirs, ours, file)) == (0, 0, 3)  # their pictures are other files by now
    assert counts(share(ours, theirs, file)) == (0, 0, 3)


def test_what_a_refresh_found_spares_the_next_machine_from_asking(
    ours: Catalogue, theirs: Catalogue, file: Path, shop: FakeShop, clock: FakeClock, fetchers: Callable[..., Fetcher]
) -> None:
    clock.advance(-100_000_000)  # the program's own clock is not to be behind the shop's
    shop.shoes = [Shoe(f"shoe-{n}", f"Runner {n}", price=f"{100 + n}.00", sku=f"GX{1000 + n}") for n in range(4)]
    shop.shoes.append(Shoe("gone", sizes={"42": False}))
    store = shop.store("pages")
    refresh(ours, ENCODER, [store], fetchers())
    clock.advance(86_400)
    shop.shoes[0].price, shop.shoes[0].lastmod = "80.00", "2026-01-02"
    del shop.shoes[1]
    refresh(ours, ENCODER, [store], fetchers())
    assert share(ours, theirs, file).failed == []

    def known(catalogue: Catalogue) -> dict[str, list[tuple[object, ...]]]:
        # Photos were written anew, so they are other files.
        found = ledger_of(catalogue)
        return found | {"photo": [(*row[:3], *row[4:]) for row in found["photo"]]}

    assert known(theirs) == known(ours)
    assert [price for _, price, _ in Ledger(theirs).prices("pages", shop_url(ours, "Runner 0"))] == ["100.00", "80.00"]
    assert Ledger(theirs).refreshed() == Ledger(ours).refreshed()
    before = len(shop.log)
    clock.advance(3_600)
    (report,) = refresh(theirs, ENCODER, [store], fetchers())
    assert (report.unchanged, report.new, report.changed, report.gone, report.pictures) == (4, 0, 0, 0, 0)
    assert not [asked.path for asked in shop.log[before:] if "shoe" in asked.path]


def shop_url(catalogue: Catalogue, title: str) -> str:
    (url,) = [str(product.url) for product in catalogue.products() if product.title == title]
    return url


def test_the_later_look_at_a_shop_wins_whichever_way_it_travels(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, "99.00")
    crawl(theirs, TUESDAY, "89.00", title="Dunk Low", available=False, sizes=(Size("EU 42", False),))
    assert counts(share(ours, theirs, file)) == (0, 1, 0)  # only what the shoe cost on Monday was new
    (product,) = theirs.products()
    assert (product.title, product.price, product.available) == ("Dunk Low", Decimal("89.00"), False)

    assert counts(share(theirs, ours, file)) == (0, 1, 0)
    (product,) = ours.products()
    assert (product.title, product.price, product.available) == ("Dunk Low", Decimal("89.00"), False)
    assert Ledger(ours).known("shop", URL) == Ledger(theirs).known("shop", URL)
    assert ledger_of(ours)["product"] == ledger_of(theirs)["product"]
    for catalogue in (ours, theirs):
        assert [price for _, price, _ in Ledger(catalogue).prices("shop", URL)] == ["99.00", "89.00"]
    assert counts(bring_in(ours, file)) == (0, 0, 1)


def test_a_photo_more_comes_in_whoever_looked_last(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    crawl(theirs, TUESDAY, seeds=(0,))
    assert counts(share(ours, theirs, file)) == (1, 1, 0)  # and the price is known since Monday
    assert counts(bring_in(theirs, file)) == (0, 0, 2)
    assert Ledger(theirs).addresses("shop", URL) == {"https://cdn.example/0.jpg", "https://cdn.example/1.jpg"}


def test_another_file_of_a_photo_is_no_second_photo(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (row,) = rows_of(file)
    smaller = encoded(patchwork(0).resize((64, 64)), "JPEG", quality=70)
    other = row | {"source": "0" * 64, "image": {"bytes": smaller, "path": None}}
    assert counts(bring_in(theirs, write(file, [row, other]))) == (1, 0, 1)
    assert theirs.stats().photos == 1


def test_what_a_shop_dropped_is_gone_at_the_next_machine_too(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    share(ours, theirs, file)
    yesterday = file.with_name("yesterday.parquet")
    file.rename(yesterday)
    with ours.writing():
        Ledger(ours).retire("shop", [URL])
    assert counts(share(ours, theirs, file)) == (0, 1, 0)
    assert not next(theirs.products()).available
    assert Ledger(theirs).known("shop", URL) is None
    assert counts(bring_in(theirs, file)) == counts(bring_in(theirs, yesterday)) == (0, 0, 1)  # and stays so

    crawl(ours, WEDNESDAY)  # it sells it again
    assert counts(share(ours, theirs, file)) == (0, 1, 0)
    assert next(theirs.products()).available and Ledger(theirs).known("shop", URL) is not None


def test_histories_become_one(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    for when, price in ((MONDAY, "99.00"), (WEDNESDAY, "79.00")):
        crawl(ours, when, price)
    for when, price in ((TUESDAY, "99.00"), (TUESDAY + 60, "89.00")):
        crawl(theirs, when, price)
    share(ours, theirs, file)
    found = Ledger(theirs).prices("shop", URL)
    assert [price for _, price, _ in found] == ["99.00", "89.00", "79.00"]
    assert [datetime.fromisoformat(since).timestamp() for since, *_ in found] == [MONDAY, TUESDAY + 60, WEDNESDAY]


def test_of_a_long_history_the_newest_thousand_prices_travel(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    with ours.transaction() as base:
        days = [datetime.fromtimestamp(MONDAY + 86_400 * day, UTC).isoformat() for day in range(1, 2_500)]
        base.executemany("INSERT INTO price VALUES (1, ?, ?, 'EUR')", [(day, str(n)) for n, day in enumerate(days)])
    assert counts(share(ours, theirs, file)) == (1, 0, 0)
    assert Ledger(theirs).prices("shop", URL) == Ledger(ours).prices("shop", URL)[-1_000:]


def test_a_lost_photo_is_left_out_and_comes_back(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    export_products(ours, file)
    next(ours.products()).photo.unlink()
    assert export_products(ours, file.with_name("without.parquet")) == 1
    assert counts(bring_in(ours, file)) == (1, 0, 1)
    assert ours.verify() == [] and ours.stats().photos == 2


def test_a_time_to_come_is_now(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    rows = rows_of(file)
    rows[0]["checked"] = datetime(2999, 1, 1, tzinfo=UTC)
    bring_in(theirs, write(file, rows))
    known = Ledger(theirs).known("shop", URL)
    assert known is not None and abs(known.checked - datetime.now(UTC).timestamp()) < 600


def test_an_empty_catalogue(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    assert export_products(ours, file) == 0
    assert counts(bring_in(theirs, file)) == (0, 0, 0)


# ------------------------------------------------------------------ interrupted


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_an_interrupted_import_goes_on(
    ours: Catalogue, theirs: Catalogue, file: Path, stop: type[BaseException]
) -> None:
    crawl(ours, MONDAY, seeds=(0, 1, 2))
    export_products(ours, file)

    def on_progress(done: int, total: int) -> None:
        if (done, total) == (2, 3):
            raise stop

    with pytest.raises(stop):
        import_products(theirs, ENCODER, file, None, on_progress)
    assert theirs.stats().photos == 2
    assert counts(bring_in(theirs, file)) == (1, 0, 2)
    assert theirs.in_step(ENCODER.identity) and theirs.verify() == []


def test_another_writer_is_in_the_way(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    with Catalogue(theirs.folder).writing(), pytest.raises(CatalogueBusy):
        bring_in(theirs, file)
