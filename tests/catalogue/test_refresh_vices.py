"""A refresh from a fake shop with every vice."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import unicodedata
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from dreamkicks.catalogue.refresh import refresh
from dreamkicks.errors import StorageError
from tests.drawing import encoded, sneaker
from tests.stores.fakeshop import Answer, FakeShop, Shoe, cut_short, gzip_bomb, picture, redirects, refuses, sends

from .days import KINDS, LIST, Days, counts, shoes
from .ledgers import ledger_of


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


def test_a_host_of_pictures_that_rejects_costs_no_shop_its_prices(shop: FakeShop, days: Days) -> None:
    stores = shop.store("shopify"), shop.store("pages")
    shop.shoes = shoes(2)
    days.refresh(*stores)
    shop.shoes = [
        replace(shoe, price="80", pictures=[*shoe.pictures, f"/pictures/{shoe.handle}-new.jpg"], lastmod="2026-01-02")
        for shoe in shop.shoes
    ]
    shop.places["/pictures/shoe-0-new.jpg"] = shop.places["/pictures/shoe-1-new.jpg"] = refuses(430)
    reports = days.refresh(*stores)
    assert [(report.stopped, counts(report)) for report in reports] == [(None, (0, 2, 0, 0))] * 2
    assert {product.price for product in days.catalogue.products()} == {Decimal("80.00")}
    assert all("430" in reason for report in reports for _, reason in report.failed)
    assert (sum(len(report.failed) for report in reports), len(shop.asked("-new.jpg"))) == (4, 1)
    shop.places.clear()
    reports = days.refresh(*stores)
    assert [(report.stopped, report.failed, report.pictures) for report in reports] == [(None, [], 2)] * 2


@pytest.mark.parametrize("table", ["run", "answer"])
def test_a_cache_that_can_t_be_used_ends_it_and_says_what_to_do(
    shop: FakeShop, days: Days, tmp_path: Path, table: str
) -> None:
    fetcher = days.fetchers()
    with contextlib.closing(sqlite3.connect(tmp_path / "shops.db")) as other:
        other.execute(f"DROP TABLE {table}")
    with pytest.raises(StorageError, match=rf"shops\.db: no such table: {table}; .* delete the file"):
        refresh(days.catalogue, days.encoder, [shop.store()], fetcher)


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
