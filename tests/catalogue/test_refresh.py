"""A catalogue and what the fake shop sells, day after day."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import threading
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from dreamkicks.catalogue import refresh as refreshing
from dreamkicks.catalogue import vectors
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.ledger import Ledger
from dreamkicks.catalogue.product import Filters, Product
from dreamkicks.catalogue.refresh import StoreReport, refresh, rehearse
from dreamkicks.errors import Cancelled, CatalogueBusy, StorageError
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.store import Store
from tests.drawing import encoded, sneaker
from tests.stores.fakeshop import (
    Answer,
    FakeClock,
    FakeShop,
    Handler,
    Shoe,
    cut_short,
    gzip_bomb,
    picture,
    redirects,
    refuses,
    sends,
)

from .ledgers import ledger_of
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


@pytest.fixture
def days(tmp_path: Path, clock: FakeClock, fetchers: Callable[..., Fetcher], shop: FakeShop) -> Iterator[Days]:
    days = Days(tmp_path / "catalogue", clock, fetchers)
    yield days
    assert days.catalogue.verify() == []
    assert_polite(shop)
    days.catalogue.close()


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


# ---------------------------------------------------------------- day after day


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


# ---------------------------------------------------------------- lists that move


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


# ---------------------------------------------------------------- interruptions


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


# ---------------------------------------------------------------- vices


@pytest.mark.parametrize("place", ["list", "page", "picture"])
@pytest.mark.parametrize(
    "vices",
    [
        [refuses(429)] * 3,
        [refuses(429, Retry_After="120")],
        [refuses(500), refuses(502), refuses(503, Retry_After="5"), refuses(504)],
        [cut_short(b"cut", "text/html"), cut_short(picture("a"), "image/jpeg")],
        [redirects("?limit=250&page=1&again=1")],
    ],
    ids=["429", "429 after", "5xx", "cut", "redirect"],
)
def test_what_passes_leaves_no_trace(shop: FakeShop, days: Days, place: str, vices: list[Answer]) -> None:
    shop.shoes = shoes(3)
    kind, path = {
        "list": ("shopify", LIST),
        "page": ("pages", "/en/shoes/shoe-1.html"),
        "picture": ("shopify", "/pictures/shoe-1-0.jpg"),
    }[place]
    shop.vice(path, *vices)
    (report,) = days.refresh(shop.store(kind))
    assert (report.stopped, report.failed, counts(report), report.pictures) == (None, [], (3, 0, 0, 0), 6)
    assert not shop.vices[path]


BAD_PICTURES = {
    "404": refuses(404),
    "html": sends(b"<html>", "text/html"),
    "noise": sends(b"noise" * 100, "image/jpeg"),
    "truncated": sends(picture("a")[:-200], "image/jpeg"),
    "svg": sends(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "bomb": gzip_bomb("image/jpeg", 30_000_000),
    "private": redirects("https://169.254.169.254/latest/meta-data"),
    "elsewhere": redirects("https://evil.test/a.jpg"),
    "plain": redirects("http://cdn.test/a.jpg"),
    "file": redirects("file:///etc/passwd"),
    "forbidden": redirects("/private/a.jpg"),
}


@pytest.mark.parametrize("vice", BAD_PICTURES)
def test_a_picture_that_can_t_be_had_is_named_and_left_out(shop: FakeShop, days: Days, vice: str) -> None:
    shop.shoes = shoes(2)
    shop.places["/pictures/shoe-0-0.jpg"] = shop.places["/pictures/shoe-1-0.jpg"] = BAD_PICTURES[vice]
    shop.places["/pictures/shoe-1-1.jpg"] = BAD_PICTURES[vice]
    (report,) = days.refresh(shop.store())
    assert [address.rpartition("/")[2] for address, _ in report.failed] == [
        "shoe-0-0.jpg",
        "shoe-1-0.jpg",
        "shoe-1-1.jpg",
        "shoe-1",
    ]
    assert (set(days.products()), report.pictures) == ({"shoe-0"}, 1)
    assert {one.host for one in shop.log} == {"shop.test", "cdn.test"}
    assert all(len(reason) < 310 and "\n" not in reason for _, reason in report.failed)


def test_a_picture_that_failed_for_now_is_tried_again_and_one_that_never_works_is_not(
    shop: FakeShop, days: Days
) -> None:
    shop.shoes = shoes(2)
    shop.vice("/pictures/shoe-0-1.jpg", *[refuses(503)] * 5)
    shop.places["/pictures/shoe-1-1.jpg"] = refuses(404)
    assert len(days.refresh(shop.store())[0].failed) == 2
    (report,) = days.refresh(shop.store())
    assert (report.failed, report.pictures, counts(report)) == ([], 1, (0, 1, 1, 0))
    assert len(shop.asked("/pictures/shoe-1-1.jpg")) == 1
    assert counts(days.refresh(shop.store())[0]) == (0, 0, 2, 0)


@KINDS
def test_a_rejection_stops_that_shop_and_keeps_what_was_there(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store(kind))
    kept = ledger_of(days.catalogue)
    shop.places[LIST] = shop.places["/sitemap.xml"] = refuses(430)
    before = len(shop.log)
    (report,) = days.refresh(shop.store(kind))
    assert report.stopped and "430" in report.stopped
    assert len(shop.log) - before == 2  # robots.txt, and the list once
    assert ledger_of(days.catalogue) == kept


@pytest.mark.parametrize(
    "robots", [b"User-agent: *\nDisallow: /collections/\n", b"User-agent: Dreamkicks\nDisallow: /\n", None]
)
def test_a_shop_whose_robots_txt_forbids_its_list_is_left_alone(
    shop: FakeShop, days: Days, robots: bytes | None
) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store())
    kept, before = ledger_of(days.catalogue), len(shop.log)
    shop.robots = robots
    if robots is None:
        shop.places["/robots.txt"] = refuses(503)
    (report,) = days.refresh(shop.store())
    assert report.stopped and "robots.txt" in report.stopped
    assert {one.path for one in shop.log[before:]} == {"/robots.txt"}
    assert ledger_of(days.catalogue) == kept


def test_one_broken_shop_does_not_harm_the_other(shop: FakeShop, days: Days) -> None:
    shop.shoes = shoes(4)
    shop.places[LIST] = refuses(500)
    broken, whole = days.refresh(shop.store("shopify"), shop.store("pages"))
    assert broken.stopped and "500" in broken.stopped and broken.listed == 0
    assert (whole.stopped, whole.failed, counts(whole)) == (None, [], (4, 0, 0, 0))
    del shop.places[LIST]
    mended, whole = days.refresh(shop.store("shopify"), shop.store("pages"))
    assert (counts(mended), counts(whole)) == ((4, 0, 0, 0), (0, 0, 4, 0))
    assert len(days.catalogue.stats().stores) == 2


@pytest.mark.parametrize("surprise", [TypeError("odd \x9b31mthing\n"), RecursionError(), MemoryError()], ids=repr)
def test_a_surprise_at_one_shop_does_not_end_the_others(shop: FakeShop, days: Days, surprise: Exception) -> None:
    shop.shoes, look_up = shoes(4), shop.look_up

    def startle(host: str) -> list[str]:
        if host == "second.test":
            raise surprise
        return look_up(host)

    shop.look_up = startle  # type: ignore[method-assign]
    startled, whole = days.refresh(shop.store("pages"), shop.store("shopify"))
    assert (whole.stopped, counts(whole)) == (None, (4, 0, 0, 0))
    assert startled.stopped and startled.stopped.endswith(repr(surprise)) and startled.stopped.isprintable()
    shop.look_up = look_up  # type: ignore[method-assign]
    assert counts(days.refresh(shop.store("pages"))[0]) == (4, 0, 0, 0)


HOSTILE = "\x1b]0;owned\x07\u202eRunner\u202c <script>alert(1)</script>\x00\x9b31m &lt;b&gt;One&lt;/b&gt; 👟 你好"


@KINDS
def test_no_hostile_text_gets_in(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = [
        Shoe(
            "a",
            HOSTILE,
            HOSTILE,
            "€ 1.299,95",
            {HOSTILE: True},
            ["/pictures/a.jpg", "/pictures/\x1b[31m\u202e.jpg", "/pictures/\ud800.jpg"],
        ),
        Shoe("b", "\x1b[2J" * 1000 + "Long", "x" * 100_000),
        Shoe("..%2f..%2f..%2fetc%2fpasswd", pictures=["/../../../etc/passwd", "/pictures/..%2f..%2fb.jpg"]),
    ]
    (report,) = days.refresh(shop.store(kind))
    assert len(days.products()) == 3 and report.stopped is None
    with days.catalogue.transaction() as base:
        rows = base.execute("SELECT brand, title, sizes, style FROM product").fetchall()
    texts = [text for row in rows for text in row if text] + [text for line in report.failed for text in line]
    assert not [text for text in texts if any(unicodedata.category(character)[0] == "C" for character in text)]
    assert all(len(text) <= 300 for text in texts)
    assert "Runner alert(1) One 👟 你好" in texts
    files = {path.relative_to(days.catalogue.folder).parts[0] for path in days.catalogue.folder.rglob("*.*")}
    assert files <= {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "generations", "photos"}
    names = [path.name for path in (days.catalogue.folder / "photos").rglob("*") if path.is_file()]
    assert names and all(len(name) == 64 + len(".webp") for name in names)


def test_the_same_picture_twice_is_one_photo(shop: FakeShop, days: Days) -> None:
    shop.shoes = [Shoe("a"), Shoe("b")]
    for name in ("a-0", "a-1", "b-0"):
        shop.places[f"/pictures/{name}.jpg"] = sends(picture("same"), "image/jpeg")
    days.refresh(shop.store())
    assert [row[1][-1] for row in ledger_of(days.catalogue)["photo"] if isinstance(row[1], str)] == ["a", "b", "b"]


@KINDS
def test_another_file_of_a_picture_is_dropped_at_the_door(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = [Shoe("a", pictures=[f"/pictures/{name}.jpg" for name in "xyz"])]
    for name in "xz":
        shop.places[f"/pictures/{name}.jpg"] = sends(encoded(sneaker("navy", size=400)), "image/png")
    small = encoded(sneaker("navy", size=200), "JPEG", quality=60)
    shop.places["/pictures/y.jpg"] = sends(small, "image/jpeg")
    days.refresh(shop.store(kind))
    assert (days.catalogue.stats().photos, days.encoder.seen) == (1, 1)
    assert len([path for path in (days.catalogue.folder / "photos").rglob("*") if path.is_file()]) == 1
    # The shop shows it by the other file alone, and a second view: the photo stays, and nothing is embedded anew.
    shop.shoes = [Shoe("a", pictures=["/pictures/y.jpg", "/pictures/new.jpg"], lastmod="2026-02-02")]
    kept = ledger_of(days.catalogue)["photo"][0][2:4]
    days.refresh(shop.store(kind))
    assert (days.catalogue.stats().photos, days.encoder.seen) == (2, 2)
    assert kept in [row[2:4] for row in ledger_of(days.catalogue)["photo"]]


def test_the_same_shoe_at_two_shops_is_one_finding(shop: FakeShop, days: Days) -> None:
    shop.shoes = [Shoe("a", "Forum", "adidas", sku="GX9735"), Shoe("b", "Gazelle", "adidas", sku="ABC")]
    days.refresh(shop.store("shopify"), shop.store("pages"))
    look = days.encoder.pictures([Image.open(io.BytesIO(picture("/pictures/a-0.jpg")))])[0]
    found = days.catalogue.search(look, days.encoder.identity, 5)
    assert [finding.product.title for finding in found] == ["Forum", "Gazelle"]
    assert all({f.product.store, *(offer.store for offer in f.also)} == {"shopify", "pages"} for f in found)
    # Without a code the title has to be the same.
    shop.places["/en/shoes/b.html"] = sends(shop._page(Shoe("b", "Gazelle Bold", "adidas")), "text/html")
    shop.shoes[1].lastmod = "2026-02-02"
    days.refresh(shop.store("shopify"), shop.store("pages"))
    assert len(days.catalogue.search(look, days.encoder.identity, 5)) == 3


# ---------------------------------------------------------------- rehearsing


@KINDS
def test_a_rehearsal_tells_what_would_be_asked_and_leaves_no_trace(shop: FakeShop, days: Days, kind: str) -> None:
    shop.shoes = shoes(3)
    days.refresh(shop.store(kind))
    days.clock.advance(DAY)
    kept, before, told = ledger_of(days.catalogue), len(shop.log), []
    (report,) = rehearse(days.catalogue, [shop.store(kind)], days.fetchers(on_dry_run=told.append))
    assert (report.listed, report.requests, len(shop.log)) == (3, 0, before)
    assert ledger_of(days.catalogue) == kept
    days.refresh(shop.store(kind), later=1)
    asked = {f"https://{one.host}:{shop.port}{one.path}" for one in shop.log[before:]}
    assert {address.removesuffix(" (if it changed)") for address in told} == asked


# ---------------------------------------------------------------- kills


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.catalogue.killed_refresh", str(tmp_path), "15"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    moments = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, run.stderr
    assert [moment["trouble"] for moment in moments] == [[]] * 15
    assert sum(0 < moment["done"] < 1 for moment in moments) >= 8, "too few kills fell into the middle of a run"
