"""The same shoe at several shops is found once, with all its offers."""

from __future__ import annotations

import io
import itertools
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamkicks.catalogue import database
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Filters, Finding, Listing
from tests.drawing import encoded

from .palette import PaletteEncoder, patchwork

ENCODER = PaletteEncoder()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue")
    yield catalogue
    assert catalogue.verify() == []
    catalogue.close()


class Shops:
    """Puts shoes into a catalogue, each with an address of its own."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._numbers = itertools.count()

    def sell(self, store: str, picture: int | Image.Image = 1, **said: object) -> int:
        """A product's id; the picture is drawn from a seed, or given."""
        fields = {"brand": "Nike", "title": "Dunk Low", "price": Decimal(100), "currency": "EUR"} | said
        listing = Listing(store=store, url=f"https://{store}.example/{next(self._numbers)}", **fields)  # type: ignore[arg-type]
        with self._catalogue.writing():
            return self._catalogue.keep(patchwork(picture) if isinstance(picture, int) else picture, listing)

    def joined(self) -> list[set[int]]:
        """The shoes that several products are."""
        with self._catalogue.writing():
            self._catalogue.index(ENCODER)
        with self._catalogue.transaction() as base:
            rows = base.execute("SELECT group_concat(id) FROM product WHERE shoe IS NOT NULL GROUP BY shoe").fetchall()
        return [set(map(int, row[0].split(","))) for row in rows]

    def find(self, seed: int = 1, k: int = 10, **filters: object) -> list[Finding]:
        vector = ENCODER.pictures([patchwork(seed)])[0]
        return self._catalogue.search(vector, ENCODER.identity, k, Filters(**filters))  # type: ignore[arg-type]


@pytest.fixture
def shops(catalogue: Catalogue) -> Shops:
    return Shops(catalogue)


# -------------------------------------------------------------------- what is one shoe


def test_one_brand_and_one_style_code_are_one_shoe(shops: Shops) -> None:
    one = shops.sell("north", 1, style="dd1391-100")
    two = shops.sell("south", 2, style="DD1391 100", title="Nike Dunk Low Panda")
    three = shops.sell("west", 3, title="Dunk (DD1391-100)")
    shops.sell("east", 4, style="DD1391-101")
    shops.sell("east", 1, style="DD1391-100", brand="Jordan")
    four = shops.sell("east", 5, style="DD1391-100", brand="NIKE", title="Low")
    assert shops.joined() == [{one, two, three, four}]


def test_without_a_code_brand_title_and_picture_must_agree(shops: Shops) -> None:
    one = shops.sell("north", 1, title="Dunk Low - Black/White")
    two = shops.sell("south", 1, title="NIKE dunk low (black white)")
    shops.sell("west", 2, title="Dunk Low Black White")
    shops.sell("west", 1, title="Dunk Low Black Red")
    shops.sell("east", 1, title="Dunk Low Black White", brand="Jordan")
    assert shops.joined() == [{one, two}]


def test_another_file_of_the_picture_will_do(shops: Shops) -> None:
    jpeg = Image.open(io.BytesIO(encoded(patchwork(1).resize((96, 96)), "JPEG", quality=60))).convert("RGB")
    one, two = shops.sell("north", 1), shops.sell("south", jpeg)
    assert shops.joined() == [{one, two}]


def test_two_codes_are_two_shoes_however_alike(shops: Shops) -> None:
    shops.sell("north", style="GX9735")
    shops.sell("south", style="GX9736")
    assert shops.joined() == []


def test_a_code_on_one_side_joins_as_none_does(shops: Shops) -> None:
    bare = shops.sell("north")
    one, two = shops.sell("south", style="GX9735"), shops.sell("west", 2, style="GX9735", title="Other words")
    shops.sell("east", style="GX9736")
    assert shops.joined() == [{bare, one, two}]


def test_products_of_one_store_are_never_joined_for_their_looks(shops: Shops) -> None:
    shops.sell("north")
    shops.sell("north")
    assert shops.joined() == []
    shops.sell("south")
    assert [len(shoe) for shoe in shops.joined()] == [2]


@pytest.mark.parametrize("brand", ["", "Unknown", "unknown"])
def test_nobody_s_shoes_are_not_joined(shops: Shops, brand: str) -> None:
    for store in ("north", "south"):
        shops.sell(store, brand=brand)
        shops.sell(store, 2, brand=brand, style="GX9735")
    assert shops.joined() == []


def test_a_title_without_words_joins_nothing(shops: Shops) -> None:
    for store in ("north", "south"):
        shops.sell(store, title="👟")
        shops.sell(store, 2, title="Nike")
    assert shops.joined() == []


def test_a_code_that_one_store_uses_for_several_shoes_is_not_believed(catalogue: Catalogue, shops: Shops) -> None:
    first = shops.sell("north", 1, style="GX9735", title="Red")
    second = shops.sell("north", 2, style="GX9735", title="Blue")
    other = shops.sell("south", 2, style="GX9735", title="Blue")
    assert shops.joined() == [{second, other}]
    with catalogue.transaction() as base:  # one of them vanished, so that the code means one shoe
        base.execute("UPDATE product SET available = 0 WHERE id = ?", (second,))
    assert shops.joined() == [{first, second, other}]


def test_a_title_that_very_many_share_says_nothing(shops: Shops) -> None:
    for number in range(51):
        shops.sell(f"store-{number}", 1)
    assert shops.joined() == []


def test_what_is_told_otherwise_later_is_parted(catalogue: Catalogue, shops: Shops) -> None:
    listing = Listing("Nike", "Dunk", "north", url="https://north.example/x", style="GX9735")
    with catalogue.writing():
        one = catalogue.keep(patchwork(1), listing)
    two = shops.sell("south", 2, style="GX9735")
    assert shops.joined() == [{one, two}]
    with catalogue.writing():
        catalogue.keep(patchwork(1), Listing("Nike", "Dunk", "north", url="https://north.example/x"))
    assert shops.joined() == []
    with catalogue.writing():  # and by its new title
        catalogue.keep(patchwork(2), Listing("Nike", "Dunk Low", "north", url="https://north.example/x"))
    assert shops.joined() == [{one, two}]


def test_nothing_is_written_when_nothing_changed(catalogue: Catalogue, shops: Shops) -> None:
    for store in ("north", "south"):
        shops.sell(store, 1)
        shops.sell(store, 2, style="GX9735")
    assert len(shops.joined()) == 2
    with catalogue.transaction() as base:
        before = base.total_changes
    assert len(shops.joined()) == 2
    with catalogue.transaction() as base:
        assert base.total_changes == before


def test_the_order_of_coming_does_not_matter(tmp_path: Path) -> None:
    sold = [
        (store, picture, style, f"Dunk {picture}")
        for store in ("north", "south", "west")
        for picture, style in ((1, None), (2, "GX9735"), (3, None), (3, "GX9737"), (4, "GX9738"))
    ]
    groupings = set()
    for turn in range(4):
        random.Random(turn).shuffle(sold)
        catalogue = Catalogue(tmp_path / str(turn))
        shops = Shops(catalogue)
        said = {}
        for store, picture, style, title in sold:
            said[shops.sell(store, picture, style=style, title=title)] = (store, style, title)
        groupings.add(frozenset(frozenset(said[one] for one in shoe) for shoe in shops.joined()))
        catalogue.close()
    assert [len(grouping) for grouping in groupings] == [5]


def test_a_catalogue_of_an_earlier_version_is_joined_when_it_is_next_written(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    shops = Shops(catalogue)
    bare = {shops.sell("north", 1), shops.sell("south", 1)}
    coded = {shops.sell("north", 2, style="GX9735"), shops.sell("south", 3, style="GX9735")}
    shops.joined()
    catalogue.close()
    with closing(sqlite3.connect(tmp_path / database.NAME)) as base:  # as version 2 had it
        base.executescript(
            "DROP TRIGGER product_renamed; DROP INDEX product_name; DROP INDEX product_shoe; DROP INDEX product_style;"
            "ALTER TABLE product DROP COLUMN name; ALTER TABLE product DROP COLUMN shoe;"
            "ALTER TABLE photo DROP COLUMN signature; ALTER TABLE photo DROP COLUMN view;"
            "ALTER TABLE product DROP COLUMN seen; PRAGMA user_version = 2"
        )
    catalogue = Catalogue(tmp_path)
    shops = Shops(catalogue)
    assert shops.find(1, 9) == []  # its photos have other ids, and are indexed by the next search
    assert shops.joined() == [bare, coded]
    assert len(shops.find(1, 9)) == 2
    catalogue.close()


# -------------------------------------------------------------------- what a search shows


def test_one_finding_with_all_offers_the_cheapest_available_first(catalogue: Catalogue, shops: Shops) -> None:
    dear = shops.sell("north", 1, style="GX9735", price=Decimal("119.50"))
    cheap = shops.sell("south", 2, style="GX9735", price=Decimal("99"))
    gone = shops.sell("west", 3, style="GX9735", price=Decimal("10"))
    untold = shops.sell("east", 4, style="GX9735", price=None, currency=None)
    shops.sell("east", 9)
    with catalogue.transaction() as base:
        base.execute("UPDATE product SET available = 0 WHERE id = ?", (gone,))
    shops.joined()
    found = shops.find(1)
    assert [finding.rank for finding in found] == [1, 2]
    first = found[0]
    assert [offer.id for offer in (first.product, *first.also)] == [cheap, dear, untold, gone]
    assert first.product.photo == catalogue.product(dear).photo  # the one that matched
    assert first.to_json()["offers"] == [
        {"store": "south", "price": "99", "currency": "EUR", "url": first.product.url, "available": True},
        {"store": "north", "price": "119.50", "currency": "EUR", "url": first.also[0].url, "available": True},
        {"store": "east", "price": None, "currency": None, "url": first.also[1].url, "available": True},
        {"store": "west", "price": "10", "currency": "EUR", "url": first.also[2].url, "available": False},
    ]
    assert found[1].also == () and list(found[1].to_json()) == ["rank", "score", "product"]


def test_prices_in_several_currencies_are_not_compared(shops: Shops) -> None:
    for store, price, currency in (
        ("north", 9000, "INR"),
        ("south", 90, "EUR"),
        ("west", 80, "EUR"),
        ("east", 70, "USD"),
    ):
        shops.sell(store, 1, style="GX9735", price=Decimal(price), currency=currency)
    shops.joined()
    (found,) = shops.find()
    assert [offer.store for offer in (found.product, *found.also)] == ["west", "south", "north", "east"]
    (found,) = shops.find(max_price=Decimal(85))
    assert [offer.store for offer in (found.product, *found.also)] == ["west", "east"]
    (found,) = shops.find(max_price=Decimal(85), currency="eur")
    assert [offer.store for offer in (found.product, *found.also)] == ["west"]
    (found,) = shops.find(currency="INR")
    assert (found.product.store, found.also) == ("north", ())
    assert shops.find(max_price=Decimal(150), currency="INR") == []


def test_offers_are_those_that_the_filters_let_through(shops: Shops) -> None:
    for store, price in (("north", 100), ("south", 90), ("west", 80)):
        shops.sell(store, 1, style="GX9735", price=Decimal(price))
    shops.joined()
    (found,) = shops.find(store="NORTH")
    assert (found.product.store, found.also) == ("north", ())
    (found,) = shops.find(max_price=Decimal(90))
    assert (found.product.store, [offer.store for offer in found.also]) == ("west", ["south"])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=30, unique=True), st.integers(1, 12))
def test_search_gives_k_shoes_whenever_there_are_k(
    tmp_path_factory: pytest.TempPathFactory, sold: list[tuple[int, int]], k: int
) -> None:
    """Five stores sell some of eight shoes, each by a picture of its own."""
    catalogue = Catalogue(tmp_path_factory.mktemp("shops"))
    shops = Shops(catalogue)
    for store, shoe in sold:
        shops.sell(f"store-{store}", 10 * store + shoe, style=f"GX100{shoe}")
    shops.joined()
    found = shops.find(3, k)
    assert len(found) == min(k, len({shoe for _, shoe in sold}))
    assert len({finding.product.style for finding in found}) == len(found)
    for finding in found:
        stores = {finding.product.store, *(offer.store for offer in finding.also)}
        assert stores == {f"store-{store}" for store, shoe in sold if f"GX100{shoe}" == finding.product.style}
    catalogue.close()
