"""What a refresh brings in from the fake shop, day after day."""

from __future__ import annotations

import io
import itertools
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image

from dreamkicks.catalogue import vectors
from dreamkicks.catalogue.product import Filters
from dreamkicks.catalogue.refresh import rehearse
from tests.stores.fakeshop import FakeShop, Handler, Shoe, picture, refuses

from .days import DAY, KINDS, LIST, Days, assert_polite, counts, shoes
from .ledgers import ledger_of

# ------------------------------------------------------------------ day after day


@KINDS
def test_the_first_refresh_brings_everything(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = [*shoes(4), Shoe("gone", sizes={"42": False}), Shoe("shirt", product_type="T-Shirts")]
    (report,) = days.refresh(shop.store(kind, types=["sneaker"]))
    assert (report.stopped, report.failed, counts(report)) == (None, [], (5, 0, 0, 0))
    assert (report.pictures, report.requests) == (10, len(shop.log))
    found = days.products()
    assert set(found) == {"shoe-0", "shoe-1", "shoe-2", "shoe-3", "gone"}
    shoe = found["shoe-3"]
    assert (shoe.brand, shoe.title, shoe.price, shoe.currency) == ("Nike", "Runner 3", Decimal("103.00"), "EUR")
    assert (shoe.store, shoe.available, found["gone"].available) == (kind, True, False)
    assert days.ledger.prices(kind, str(shoe.url))[0][1:] == ("103.00", "EUR")
    assert days.ledger.refreshed()[kind][:2] == (5, 4)
    look = days.encoder.pictures([Image.open(io.BytesIO(picture("/pictures/shoe-2-1.jpg")))])[0]
    assert days.catalogue.search(look, days.encoder.identity, 1)[0].product.title == "Runner 2"
    bought = days.catalogue.search(look, days.encoder.identity, 9, Filters(available=True))
    assert {finding.product.title for finding in bought} == {f"Runner {n}" for n in range(4)}


@KINDS
def test_an_unchanged_shop_costs_a_handful_of_conditional_requests(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(30)
    days.refresh(shop.store(kind))
    kept, index = ledger_of(days.catalogue), vectors.current(days.catalogue.folder)
    seen, before = days.encoder.seen, len(shop.log)
    (report,) = days.refresh(shop.store(kind))
    assert (counts(report), report.pictures, days.encoder.seen) == ((0, 0, 30, 0), 0, seen)
    assert report.requests == len(shop.log) - before == 3  # robots.txt, and two pages of the list or two sitemaps
    assert {asked.status for asked in shop.log[before:]} == {304}
    assert ledger_of(days.catalogue) == kept
    assert vectors.current(days.catalogue.folder) == index


def test_the_shop_s_log_of_three_days_shows_good_manners(shop: FakeShop, days: Days) -> None:
    shop.robots = b"User-agent: *\nCrawl-delay: 3\nDisallow: /private/\nDisallow: /en/shoes/shoe-5.html\n"
    shop.shoes, shop.page_size = shoes(8), 3
    shop.shoes[2].pictures.append("/private/shoe-2.jpg")
    stores = [shop.store("shopify"), shop.store("pages")]
    logs = []
    for _ in range(3):
        shop.log.clear()
        reports = days.refresh(*stores)
        assert [report.stopped for report in reports] == [None, None]
        assert sum(report.requests for report in reports) == len(shop.log)
        assert_polite(shop, delay=3)
        assert not shop.asked("shoe-5.html")
        logs.append([(one.host, one.path, one.status) for one in shop.log])
    first, *later = logs
    assert {status for *_, status in first} == {200}
    for asked, times in Counter(first).items():  # a picture that both stores show is had once by each
        assert times <= (2 if asked[0] == "cdn.test" else 1), asked
    for (
        log
    ) in later:  # three robots.txt, four pages of the list, two sitemaps, and the page whose picture may not be had
        assert {status for *_, status in log} == {304} and len(log) == len(set(log)) == 3 + 4 + 2 + 1, log
    shop.shoes[0] = replace(shop.shoes[0], price="80", lastmod="2026-01-02")
    before = len(shop.log)
    days.refresh(*stores)
    fresh = [one.path.partition("?")[0] for one in shop.log[before:] if one.status != 304]
    assert sorted(fresh) == [LIST, "/en/shoes/shoe-0.html", "/sitemap-1.xml.gz"]


def test_what_has_not_changed_is_noted_as_looked_at_also_when_the_run_was_cut_short(shop: FakeShop, days: Days) -> None:
    shop.shoes, shop.page_size = shoes(6), 2
    days.refresh(shop.store())
    when = days.ledger.refreshed()["shopify"][2]
    (report,) = days.refresh(shop.store(), budget=3)
    assert (report.unchanged, report.stopped is None) == (4, False)
    assert days.ledger.refreshed()["shopify"][2] > when


@KINDS
def test_only_what_changed_is_brought_in(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(100)
    days.refresh(shop.store(kind))
    seen, before = days.encoder.seen, len(shop.log)
    shop.shoes[41] = replace(shop.shoes[41], price="80", lastmod="2026-01-02")
    shop.shoes[77] = replace(
        shop.shoes[77], pictures=["/pictures/new.jpg", "/pictures/shoe-77-1.jpg"], lastmod="2026-01-02"
    )
    (report,) = days.refresh(shop.store(kind))
    assert (counts(report), report.pictures, days.encoder.seen - seen) == ((0, 2, 98, 0), 1, 1)
    fetched = [one.path.split("?")[0] for one in shop.log[before:] if one.status == 200 and one.host != "cdn.test"]
    assert sorted(fetched) == (
        [LIST] if kind == "shopify" else ["/en/shoes/shoe-41.html", "/en/shoes/shoe-77.html", "/sitemap-1.xml.gz"]
    )
    assert [one.path for one in shop.log[before:] if one.path.startswith("/pictures")] == ["/pictures/new.jpg"]
    assert days.products()["shoe-41"].price == Decimal("80.00")
    photos = [
        row for row in ledger_of(days.catalogue)["photo"] if str(row[1]).partition(".html")[0].endswith("shoe-77")
    ]
    assert {str(row[4]).rpartition("/")[2] for row in photos} == {"new.jpg", "shoe-77-1.jpg"}


def test_what_a_product_cost_when_is_remembered(shop: FakeShop, days: Days) -> None:
    store, told = shop.store(), ["100", "100", None, "€ 90,50", "100"]
    for price in told:
        shop.shoes = [Shoe("a", price=price)]
        days.refresh(store)
    history = days.ledger.prices("shopify", f"{shop.site}/products/a")
    assert [line[1:] for line in history] == [("100.00", "EUR"), (None, None), ("90.50", "EUR"), ("100.00", "EUR")]
    assert [line[0] for line in history] == sorted({line[0] for line in history})


@KINDS
def test_a_photo_that_was_lost_is_fetched_again_once_the_catalogue_is_repaired(
    shop: FakeShop, days: Days, kind: str
) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store(kind))
    kept = ledger_of(days.catalogue)
    photo = days.products()["shoe-1"].photo
    photo.unlink()
    with days.catalogue.writing():
        (lost,) = days.catalogue.repair(days.encoder)
    assert lost.what == f"photo {photo.name} is missing" and days.catalogue.in_step(days.encoder.identity)
    before = len(shop.log)
    (report,) = days.refresh(shop.store(kind))
    assert (counts(report), report.pictures) == ((0, 1, 2, 0), 1)
    assert [one.path for one in shop.log[before:] if one.path.startswith("/pictures")] == ["/pictures/shoe-1-0.jpg"]
    assert photo.is_file()
    again = ledger_of(days.catalogue)
    assert {row[:5] for row in again["photo"]} == {row[:5] for row in kept["photo"]}  # the order aside
    assert counts(days.refresh(shop.store(kind))[0]) == (0, 0, 3, 0)


@KINDS
def test_what_vanished_is_kept_and_marked(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store(kind))
    shop.shoes = [shoe for shoe in shoes(3) if shoe.handle != "shoe-1"]
    (report,) = days.refresh(shop.store(kind))
    assert counts(report) == (0, 0, 2, 1)
    assert {name: product.available for name, product in days.products().items()} == {
        "shoe-0": True,
        "shoe-1": False,
        "shoe-2": True,
    }
    assert days.ledger.prices(kind, str(days.products()["shoe-1"].url))
    assert days.ledger.refreshed()[kind][:2] == (2, 2)
    assert counts(days.refresh(shop.store(kind))[0]) == (0, 0, 2, 0)
    shop.shoes, seen = shoes(3), days.encoder.seen
    assert counts(days.refresh(shop.store(kind))[0]) == (0, 1, 2, 0)
    assert days.products()["shoe-1"].available
    assert (days.encoder.seen, len(shop.asked("/pictures/shoe-1"))) == (seen, 2)


def test_a_page_that_is_gone_or_sells_something_else_is_no_offer(shop: FakeShop, days: Days) -> None:
    store = shop.store("pages", types=["sneaker"])
    shop.shoes = shoes(3)
    days.refresh(store)
    shop.shoes = [replace(shoe, lastmod="2026-02-02") for shoe in shoes(3)]
    shop.shoes[1].product_type = "Mugs"
    shop.places["/en/shoes/shoe-2.html"] = refuses(410)
    days.refresh(store)
    assert [product.available for product in days.products().values()] == [True, False, False]


def test_a_look_that_failed_changes_nothing_of_what_was_known(shop: FakeShop, days: Days) -> None:
    shop.shoes = shoes(2)
    store = shop.store("pages")
    page = f"{store.site}/en/shoes/shoe-1.html"
    days.refresh(store)
    before = days.ledger.known("pages", page)
    assert before is not None
    shop.shoes = [replace(shoe, lastmod="2026-02-02") for shoe in shoes(2)]
    shop.vice("/en/shoes/shoe-1.html", *[refuses(503)] * 5)
    (report,) = days.refresh(store)
    assert len(report.failed) == 1
    assert days.ledger.known("pages", page) == replace(before, stamp=None)
    assert counts(days.refresh(store)[0]) == (0, 0, 2, 0)


def test_a_picture_more_than_are_kept_is_no_change(shop: FakeShop, days: Days) -> None:
    shop.shoes = [replace(shoes(1)[0], pictures=[f"/pictures/{n}.jpg" for n in range(4)])]
    days.refresh(shop.store())
    shop.shoes[0].pictures.append("/pictures/4.jpg")
    assert counts(days.refresh(shop.store())[0]) == (0, 0, 1, 0)
    shop.shoes[0].pictures.insert(0, "/pictures/5.jpg")
    (report,) = days.refresh(shop.store())
    assert (report.changed, report.pictures) == (1, 1)
    assert days.ledger.held() == 3


def test_a_page_is_read_again_after_a_week_whatever_the_sitemap_says(shop: FakeShop, days: Days) -> None:
    shop.shoes = shoes(2)
    days.refresh(shop.store("pages"))
    shop.shoes[0].price = "55"
    assert counts(days.refresh(shop.store("pages"), later=6 * DAY)[0]) == (0, 0, 2, 0)
    assert counts(days.refresh(shop.store("pages"), later=DAY)[0]) == (0, 1, 1, 0)
    assert [one.status for one in shop.asked("/en/shoes/shoe-1")] == [200, 304]


def test_without_a_date_in_the_sitemap_every_page_is_asked_for_conditionally(shop: FakeShop, days: Days) -> None:
    shop.shoes = [replace(shoe, lastmod=None) for shoe in shoes(3)]
    days.refresh(shop.store("pages"))
    shop.shoes[0].price = "55"
    assert counts(days.refresh(shop.store("pages"))[0]) == (0, 1, 2, 0)
    assert [one.status for one in shop.asked("/en/shoes/")] == [200] * 4 + [304] * 2


# ------------------------------------------------------------------ lists that move


def test_a_handle_that_is_listed_twice_is_one_product(shop: FakeShop, days: Days) -> None:
    shop.shoes, shop.page_size = [Shoe("a", "First"), Shoe("b"), Shoe("a", "Second")], 2
    (report,) = days.refresh(shop.store())
    assert (report.listed, report.new) == (2, 2)
    assert days.products()["a"].title == "First"


def test_a_product_that_moves_to_a_page_already_read_is_not_called_gone(shop: FakeShop, days: Days) -> None:
    shop.shoes, shop.page_size = shoes(6), 3
    days.refresh(shop.store())

    def sells_out(handler: Handler) -> None:
        shop.shoes = shop.shoes[1:]  # shoe-3 comes to stand on the first page, which was read before
        shop.serve(handler)

    shop.vice(LIST, shop.serve, sells_out)
    (report,) = days.refresh(shop.store())
    assert report.gone == 0 and all(product.available for product in days.products().values())
    assert days.refresh(shop.store())[0].gone == 1
    assert {name for name, product in days.products().items() if not product.available} == {"shoe-0"}


def test_products_that_move_down_while_they_are_read_are_taken_once(shop: FakeShop, days: Days) -> None:
    shop.shoes, shop.page_size = shoes(6), 3

    def brings_in(handler: Handler) -> None:
        shop.shoes = [Shoe("fresh"), *shop.shoes]
        shop.serve(handler)

    shop.vice(LIST, shop.serve, brings_in)
    assert counts(days.refresh(shop.store())[0]) == (6, 0, 0, 0)
    assert counts(days.refresh(shop.store())[0]) == (1, 0, 6, 0)


@pytest.mark.parametrize(
    "body", [b'{"products": []}', b"<html>", b'{"products": 5}', b'{"products": [{"handle": ""}]}'], ids=range(4)
)
def test_a_list_that_says_nothing_changes_nothing(shop: FakeShop, days: Days, body: bytes) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store())
    kept = ledger_of(days.catalogue)
    once = itertools.chain([body], itertools.repeat(b'{"products": []}'))
    shop.places[LIST] = lambda handler: handler.send(next(once), "application/json")
    (report,) = days.refresh(shop.store())
    assert report.stopped and report.gone == 0
    assert ledger_of(days.catalogue) == kept


# ------------------------------------------------------------------ rehearsing


@KINDS
def test_a_rehearsal_tells_what_would_be_asked_and_leaves_no_trace(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store(kind))
    days.clock.advance(DAY)
    told: list[str] = []
    kept, before = ledger_of(days.catalogue), len(shop.log)
    (report,) = rehearse(days.catalogue, [shop.store(kind)], days.fetchers(on_dry_run=lambda url, _: told.append(url)))
    assert (report.listed, report.requests, len(shop.log)) == (3, 0, before)
    assert ledger_of(days.catalogue) == kept
    days.refresh(shop.store(kind), later=1)
    asked = {f"https://{one.host}:{shop.port}{one.path}" for one in shop.log[before:]}
    assert set(told) == asked
