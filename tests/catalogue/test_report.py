from __future__ import annotations

import json
import math
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.ledger import Known, Ledger, Photo
from dreamkicks.catalogue.photos import keep_photo
from dreamkicks.catalogue.product import Listing
from dreamkicks.catalogue.report import EDGES, MOST, Report, report_on
from dreamkicks.catalogue.report_page import write_report
from dreamkicks.errors import StorageError
from dreamkicks.stores.store import Offer, Size
from tests.catalogue.palette import PaletteEncoder, patchwork
from tests.web_page import HOSTILE, Page, read

DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue")
    yield catalogue
    catalogue.close()


def offer(
    catalogue: Catalogue,
    store: str,
    name: str,
    price: str | None = "100.00",
    *,
    currency: str | None = "EUR",
    brand: str = "Nike",
    photos: tuple[int, ...] = (),
    sizes: tuple[Size, ...] = (),
    style: str | None = None,
    available: bool = True,
    days: float = 0,
) -> str:
    """A product as a refresh keeps it, so many days before NOW, with photos drawn from seeds; returns its address."""
    url = f"https://{store}.example/{name}"
    kept = [
        Photo(f"{url}/{seed}", f"pixels of {seed}", keep_photo(catalogue.folder, patchwork(seed)), bytes([seed] * 200))
        for seed in photos
    ]
    amount = None if price is None else Decimal(price)
    pictures = tuple(one.address for one in kept)
    one = Offer(url, brand, f"Shoe {name}", amount, currency if amount else None, available, sizes, style, pictures)
    Ledger(catalogue).keep(store, one, kept, Known(None, "as it was", NOW - days * DAY))
    return url


def insert(catalogue: Catalogue, *rows: tuple[str, str, str, str | None, str | None]) -> None:
    """Products of (store, brand, title, price, currency), as they are: nothing cleans them."""
    with catalogue.transaction() as base:
        (count,) = base.execute("SELECT count(*) FROM product").fetchone()
        base.executemany(
            "INSERT INTO product (store, key, brand, title, price, currency) VALUES (?, ?, ?, ?, ?, ?)",
            [(store, str(key), *rest) for key, (store, *rest) in enumerate(rows, start=count)],
        )


def page_of(report: Report, folder: Path) -> Page:
    write_report(folder / "catalogue.html", report)
    return read(folder / "catalogue.html")


# -------------------------------------------------------------------- numbers


def test_what_is_available_missing_and_old_by_store(catalogue: Catalogue) -> None:
    offer(catalogue, "north", "1", photos=(1,), sizes=(Size("42", True),), style="GX9735")
    offer(catalogue, "north", "2", None, brand="Unknown", days=3)
    offer(catalogue, "north", "3", photos=(2,), days=20)
    Ledger(catalogue).retire("north", [offer(catalogue, "north", "4", days=40)])
    offer(catalogue, "north", "5", available=False)
    offer(catalogue, "south", "1", photos=(3,), style="DD1391-100", days=31)
    with catalogue.writing():
        catalogue.keep(patchwork(4), Listing("Puma", "Of my own"))
    report = report_on(catalogue, NOW)
    north, south, mine = (report.stores[name] for name in ("north", "south", "mine"))
    assert list(report.stores) == ["north", "mine", "south"] and report.stores_in_all == 3
    assert (north.products, north.available, north.gone) == (5, 3, 2)
    assert north.missing == {"brand": 1, "price": 1, "url": 0, "picture": 3, "sizes": 4, "style": 4}
    assert north.seen == {"day": 1, "week": 1, "month": 1, "older": 0, "never": 0}
    assert north.last_seen == {"day": 1, "week": 0, "month": 0, "older": 1, "never": 0}
    assert south.missing == {"brand": 0, "price": 0, "url": 0, "picture": 0, "sizes": 1, "style": 0}
    assert south.seen == {"day": 0, "week": 0, "month": 0, "older": 1, "never": 0}
    assert mine.missing == {"brand": 0, "price": 1, "url": 1, "picture": 0, "sizes": 1, "style": 1}
    assert mine.seen == {"day": 0, "week": 0, "month": 0, "older": 0, "never": 1}
    assert (report.total.products, report.total.available, report.total.gone, report.photos) == (7, 5, 2, 4)
    for name in ("missing", "seen", "last_seen"):
        summed = sum((Counter(getattr(counts, name)) for counts in report.stores.values()), Counter())
        assert Counter(getattr(report.total, name)) == summed


def test_the_commonest_are_told_and_the_rest_is_counted(catalogue: Catalogue) -> None:
    names = [f"{number:02}" for number in range(MOST + 5)]
    insert(catalogue, *[(name, f"Brand {name}", "x", "5", "EUR") for name in names for _ in range(1 + int(name))])
    report = report_on(catalogue, NOW)
    commonest = names[: -MOST - 1 : -1]
    assert list(report.brands.items()) == [(f"Brand {name}", 1 + int(name)) for name in commonest]
    assert list(report.stores) == [prices.store for prices in report.prices] == commonest
    assert (report.brands_in_all, report.stores_in_all, report.prices_in_all) == (25, 25, 25)
    assert report.total.products == 25 * 26 // 2


def test_currencies_are_never_mixed(catalogue: Catalogue) -> None:
    for number, (price, currency) in enumerate([("90", "EUR"), ("110", "EUR"), ("9000", "INR"), ("3.50", None)]):
        offer(catalogue, "north", str(number), price, currency=currency)
    offer(catalogue, "south", "1", "70", currency="EUR")
    offer(catalogue, "south", "2", None)
    prices = {(one.store, one.currency): one for one in report_on(catalogue, NOW).prices}
    assert {key: (one.products, one.quartiles) for key, one in prices.items()} == {
        ("north", "EUR"): (2, ("90", "90", "90", "110", "110")),
        ("north", "INR"): (1, ("9000",) * 5),
        ("north", None): (1, ("3.50",) * 5),
        ("south", "EUR"): (1, ("70",) * 5),
    }
    assert prices["north", "EUR"].histogram == {"90": 1, "100": 1}
    assert prices["north", None].histogram == {"3.15": 1}


@settings(max_examples=50)
@given(st.lists(st.decimals(0, 99_999_999, places=2), min_size=1, max_size=60))
def test_quartiles_and_histogram(tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal]) -> None:
    catalogue = Catalogue(tmp_path_factory.mktemp("prices"))
    insert(catalogue, *[("shop", "Nike", "x", str(amount), "EUR") for amount in amounts])
    (prices,) = report_on(catalogue, NOW).prices
    catalogue.close()
    low, *quartiles, high = map(Decimal, prices.quartiles)
    assert (low, high) == (min(amounts), max(amounts))
    for quarter, price in enumerate(quartiles, start=1):
        assert price in amounts
        assert sum(amount <= price for amount in amounts) >= math.ceil(len(amounts) * quarter / 4)
        assert sum(amount < price for amount in amounts) < math.ceil(len(amounts) * quarter / 4)
    ends = dict(zip(EDGES, (*EDGES[1:], Decimal("Infinity")), strict=True))
    for edge, count in prices.histogram.items():
        assert count == sum(Decimal(edge) <= amount < ends[Decimal(edge)] for amount in amounts)
    assert sum(prices.histogram.values()) == len(amounts)


def test_pictures_a_product(catalogue: Catalogue) -> None:
    for name, count in (("a", 0), ("b", 2), ("c", 2), ("d", 3)):
        offer(catalogue, "north", name, photos=tuple(range(count)))
    assert report_on(catalogue, NOW).pictures == {"0": 1, "1": 0, "2": 2, "3": 1}
    offer(catalogue, "north", "e", photos=tuple(range(14)))
    offer(catalogue, "north", "f", photos=tuple(range(10)))
    pictures = report_on(catalogue, NOW).pictures
    assert list(pictures) == [*map(str, range(10)), "10+"]
    assert (pictures["10+"], sum(pictures.values())) == (2, 6)


def test_what_the_photos_show(catalogue: Catalogue, tmp_path: Path) -> None:
    offer(catalogue, "north", "1", photos=(1, 2, 3))
    offer(catalogue, "south", "1", photos=(1,))
    assert report_on(catalogue, NOW).views == {"shoe": 0, "worn": 0, "other": 0, "unknown": 4}
    with catalogue.transaction() as base:
        for number, view in ((1, "shoe"), (2, "worn"), (4, "shoe")):
            base.execute("UPDATE photo SET view = ? WHERE id = ?", (view, number))
    report = report_on(catalogue, NOW)
    assert report.views == {"shoe": 2, "worn": 1, "other": 0, "unknown": 1} and report.photos == 4
    told = page_of(report, tmp_path).text
    assert "a sneaker2 (50.0%)a sneaker on a foot1 (25.0%)not looked at yet1 (25.0%)" in told


def test_sizes(catalogue: Catalogue, tmp_path: Path) -> None:
    some = (Size("EU 42", True), Size("EU 42 2/3", False), Size("EU 9", True))
    offer(catalogue, "north", "1", sizes=some)
    offer(catalogue, "north", "2", sizes=some[:1])
    Ledger(catalogue).retire("north", [offer(catalogue, "north", "3", sizes=some[:2])])
    offer(catalogue, "north", "4", sizes=(Size("UK 3", True),))
    report = report_on(catalogue, NOW)
    assert [(size.label, size.products, size.available) for size in report.sizes] == [
        ("EU 42", 3, 2),
        ("EU 42 2/3", 2, 0),
        ("EU 9", 1, 1),
        ("UK 3", 1, 1),
    ]
    told = page_of(report, tmp_path).text
    places = [told.index(text) for text in ("EU 91 (1", "EU 423 (2 to be", "EU 42 2/32 (0", "UK 31")]
    assert places == sorted(places)  # as people order them


def test_photos_of_several_products(catalogue: Catalogue) -> None:
    offer(catalogue, "north", "1", photos=(1, 2, 3))
    offer(catalogue, "north", "2", photos=(1, 4))
    offer(catalogue, "south", "1", photos=(1, 2))
    offer(catalogue, "south", "2", photos=(5,))
    shared = report_on(catalogue, NOW).shared
    assert (shared.photos, shared.products, shared.within_a_store) == (2, 3, 1)
    first, second = shared.most
    assert (first.products, first.stores, first.titles) == (3, 2, ("Shoe 1", "Shoe 2", "Shoe 1"))
    assert (second.products, second.stores, second.titles) == (2, 2, ("Shoe 1", "Shoe 1"))
    assert Path(first.photo).is_file() and first.photo != second.photo


def test_shoes_of_several_stores(catalogue: Catalogue, tmp_path: Path) -> None:
    for store in ("north", "south", "east"):
        offer(catalogue, store, "1", style="GX9735")
    for store in ("north", "south"):
        offer(catalogue, store, "2", style="DD1391-100")
    offer(catalogue, "south", "3", style="ABC123")
    with catalogue.writing():
        catalogue.index(PaletteEncoder())
    report = report_on(catalogue, NOW)
    assert (report.joined.shoes, report.joined.products) == (2, 5)
    assert "2shoes at several stores" in page_of(report, tmp_path).text


def test_all_numbers_are_of_one_moment(catalogue: Catalogue) -> None:
    """A refresh goes on writing while they are counted."""
    offer(catalogue, "north", "0")
    other = Catalogue(catalogue.folder)
    with catalogue.transaction() as base:
        base.set_trace_callback(lambda _: insert(other, ("north", "Nike", "x", "10", "EUR")))
    report = report_on(catalogue, NOW)
    with catalogue.transaction() as base:
        base.set_trace_callback(None)
    other.close()
    assert report.total.products < report_on(catalogue, NOW).total.products
    for counted in (report.brands["Nike"], report.stores["north"].products, report.prices[0].products):
        assert counted == report.total.products


def test_memory_does_not_grow_with_the_products(catalogue: Catalogue) -> None:
    def peak() -> int:
        tracemalloc.start()
        report_on(catalogue, NOW)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    insert(catalogue, *[("shop", "Nike", "x", str(number), "EUR") for number in range(200)])
    few = peak()
    insert(catalogue, *[("shop", "Nike", "x", str(number), "EUR") for number in range(10_000)])
    insert(catalogue, *[(f"shop {n % 999}", f"Brand {n % 7000}", "x", str(n), "EUR") for n in range(10_000)])
    assert peak() < few + 100_000


# -------------------------------------------------------------------- the page


def test_the_page_tells_the_numbers(catalogue: Catalogue, tmp_path: Path) -> None:
    offer(catalogue, "north", "1", "1299.95", photos=(1, 2), sizes=(Size("EU 42", True),))
    offer(catalogue, "north", "2", "89.90", brand="Puma", photos=(1,), days=3)
    offer(catalogue, "south", "3", "9000", currency="INR", days=50)
    insert(catalogue, *[("mine", f"Brand {number}", "x", None, None) for number in range(30)])
    page = page_of(report_on(catalogue, NOW), tmp_path)
    for told in (
        "33products",
        "33available",
        "0gone",
        "3photos",
        "32brands",
        "3stores",
        "12 more brands: 12 (36.4%)",
    ):
        assert told in page.text, told
    for told in ("north289.9089.9089.901,299.951,299.95", "south19,000", "EUR", "INR", "EU 421 (1 to be bought)"):
        assert told in page.text, told
    for told in ("1 photo of 2 products", "2 products, 1 storeShoe 1Shoe 2", "mine300" + 5 * "30", "all33"):
        assert told in page.text, told
    assert len(page.every("img")) == 1
    heights = [column["style"] for column in page.every("i") if "height" in (column.get("style") or "")]
    assert heights == ["height:100%"] * 3
    assert [column.get("title") for column in page.every("i") if column.get("title")] == [
        "from 80: 1",
        "from 1,250: 1",
        "from 9,000: 1",
    ]


def test_the_page_tells_when_what_is_gone_was_last_seen(catalogue: Catalogue, tmp_path: Path) -> None:
    address = offer(catalogue, "north", "1", days=9)
    assert "Everything can be bought." in page_of(report_on(catalogue, NOW), tmp_path).text
    Ledger(catalogue).retire("north", [address])
    assert "nevernorth100100" in page_of(report_on(catalogue, NOW), tmp_path).text


def test_nothing_comes_from_elsewhere(catalogue: Catalogue, tmp_path: Path) -> None:
    for number in range(3):
        offer(catalogue, "north", str(number), photos=(1,), sizes=(Size("EU 42", True),))
    page, text = page_of(report_on(catalogue, NOW), tmp_path), (tmp_path / "catalogue.html").read_text(encoding="utf-8")
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "link", "object", "form", "base", "a", "svg"})
    assert not re.findall(r"https?:|url\(|@import", text)
    (policy,) = [meta["content"] or "" for meta in page.every("meta") if meta.get("http-equiv")]
    assert "default-src 'none'" in policy and "script" not in policy


@pytest.mark.parametrize("hostile", HOSTILE)
def test_foreign_text_stays_text(catalogue: Catalogue, tmp_path: Path, hostile: str) -> None:
    def shape(said: str) -> Page:
        with catalogue.transaction() as base:
            base.execute("DELETE FROM product")
        insert(catalogue, (said, said, said, "9.95", said), (said, said, said, "19.95", said))
        with catalogue.transaction() as base:
            base.execute("UPDATE product SET sizes = ?", (json.dumps([[said, True]]),))
            base.execute("INSERT INTO photo (product, source, hash) SELECT id, 'same', 'nowhere' FROM product")
        return page_of(report_on(catalogue, NOW), tmp_path)

    plain, page = shape("plain"), shape(hostile)
    assert [(tag, sorted(names)) for tag, names in page.tags] == [(tag, sorted(names)) for tag, names in plain.tags]
    text = (tmp_path / "catalogue.html").read_text(encoding="utf-8")
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e"]
    if "\x1b" not in hostile:
        # brand, currency, size, two titles; the store in three tables
        assert page.text.count(hostile) == plain.text.count("plain") == 8


def test_an_empty_catalogue(catalogue: Catalogue, tmp_path: Path) -> None:
    report = report_on(catalogue, NOW)
    assert (report.total.products, report.photos, report.shared.photos) == (0, 0, 0)
    assert set(report.total.missing.values()) | set(report.total.seen.values()) == {0}
    assert not (report.brands or report.stores or report.prices or report.pictures or report.sizes)
    json.dumps(asdict(report))
    assert "The catalogue is empty" in page_of(report, tmp_path).text


def test_one_product_that_says_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    with catalogue.writing():
        catalogue.keep(patchwork(1), Listing("", ""))
    report = report_on(catalogue, NOW)
    assert report.brands == {"Unknown": 1} and report.total.missing["brand"] == 1
    assert report.stores == {"mine": report.total}
    page = page_of(report, tmp_path)
    for told in ("Unknown1 (100.0%)", "No product has a price.", "No product says its sizes.", "Every photo is of one"):
        assert told in page.text
    assert "nan" not in page.text and "all1" not in page.text


def test_where_no_page_can_be(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_report(tmp_path / "file" / "catalogue.html", report_on(catalogue, NOW))
