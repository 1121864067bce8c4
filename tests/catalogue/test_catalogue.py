"""A catalogue: what is kept in it, and how it is found again."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Filters, Listing, web_address
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.errors import Cancelled, CatalogueError
from tests.catalogue.palette import ENCODER, PaletteEncoder, keep, patchwork, vector
from tests.drawing import sneaker

# ------------------------------------------------------------------ finding


def test_a_picture_finds_its_product(filled: Catalogue) -> None:
    for number in (0, 1, 17, 59):
        findings = filled.search(vector(number), ENCODER.identity, 5)
        assert [finding.rank for finding in findings] == [1, 2, 3, 4, 5]
        assert findings[0].product.title == f"Shoe {number}"
        assert findings[0].score > 0.99
        assert [finding.score for finding in findings] == sorted((finding.score for finding in findings), reverse=True)
        assert findings[0].product.photo.is_file()


def test_the_photo_that_matched_is_the_one_shown(filled: Catalogue) -> None:
    first, second = (filled.search(vector(seed), ENCODER.identity, 1)[0].product for seed in (2, 1002))
    assert first.id == second.id and first.photo != second.photo


@settings(max_examples=60)
@given(
    st.none() | st.sampled_from(["Nike", "adidas", "PUMA", "Nobody"]),
    st.none() | st.sampled_from(["mine", "shop.example", "nowhere"]),
    st.none() | st.integers(0, 200).map(Decimal),
    st.integers(1, 80),
    st.integers(0, 10**6),
)
def test_search_gives_k_whenever_k_fit(
    filled: Catalogue, brand: str | None, store: str | None, most: Decimal | None, k: int, seed: int
) -> None:
    query = vector(seed)
    fitting = {
        product.id
        for product in filled.products()
        if (brand is None or product.brand.lower() == brand.lower())
        and (store is None or product.store == store)
        and (most is None or (product.price is not None and product.price <= most))
    }
    best: dict[str, float] = {}
    for number in range(60):
        for photo in range(1 + number % 3):
            score = float(vector(1000 * photo + number) @ query)
            best[f"Shoe {number}"] = max(score, best.get(f"Shoe {number}", -1))
    findings = filled.search(query, ENCODER.identity, k, Filters(brand, store, most))
    assert len(findings) == min(k, len(fitting))
    assert len({finding.product.id for finding in findings} & fitting) == len(findings)
    wanted = sorted((best[filled.product(number).title] for number in fitting), reverse=True)[:k]
    # Photos are kept as WebP, which moves colours a little.
    np.testing.assert_allclose([finding.score for finding in findings], wanted, atol=0.05)


def test_equal_pictures_of_many_products_are_all_found(catalogue: Catalogue) -> None:
    """Equal scores have no order of their own, and none may fall out where a search is widened."""
    with catalogue.writing():
        for number in range(90):
            for photo in range(3):
                catalogue.keep(
                    patchwork(photo), Listing("Nike", f"Shoe {number}", url=f"https://shop.example/{number}")
                )
        catalogue.index(ENCODER)
    for k in (1, 7, 30, 89, 90, 200):
        findings = catalogue.search(vector(0), ENCODER.identity, k)
        assert len({finding.product.id for finding in findings}) == min(k, 90)


def test_what_can_t_be_bought_can_be_left_out(catalogue: Catalogue) -> None:
    kept = [keep(catalogue, seed) for seed in range(4)]
    with catalogue.writing(), catalogue.transaction() as base:
        base.execute("UPDATE product SET available = 0 WHERE id = ?", (kept[0],))
    found = catalogue.search(vector(0), ENCODER.identity, 9, Filters(available=True))
    assert kept[0] not in [finding.product.id for finding in found] and len(found) == 3
    assert len(catalogue.search(vector(0), ENCODER.identity, 9)) == 4
    assert not catalogue.product(kept[0]).available


def test_an_empty_catalogue_finds_nothing(catalogue: Catalogue) -> None:
    assert catalogue.search(vector(0), ENCODER.identity, 5) == []
    assert catalogue.in_step(ENCODER.identity)
    with catalogue.writing():
        assert catalogue.index(ENCODER) == 0
    assert catalogue.search(vector(0), ENCODER.identity, 5) == []
    assert catalogue.in_step(ENCODER.identity)


def test_another_encoder_is_refused_until_indexed_anew(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    other = PaletteEncoder("palette-2")
    assert not catalogue.in_step(other.identity)
    with pytest.raises(CatalogueError, match="another encoder"):
        catalogue.search(vector(1), other.identity, 1)
    with catalogue.writing():
        assert catalogue.index(other) == 1
    assert catalogue.in_step(other.identity) and not catalogue.in_step(ENCODER.identity)
    assert len(catalogue.search(vector(1), other.identity, 1)) == 1


def test_filters_that_name_nobody(filled: Catalogue) -> None:
    filled.check_filters(Filters(brand="nike", store="MINE"))
    with pytest.raises(CatalogueError, match=r"no brand 'Nikey'. It has: Adidas, Nike, Puma, Vans\."):
        filled.check_filters(Filters(brand="Nikey"))
    filled.check_filters(Filters(currency="eur"))
    with pytest.raises(CatalogueError, match=r"no currency 'Euro'. It has: EUR\."):
        filled.check_filters(Filters(currency="Euro"))
    with pytest.raises(CatalogueError, match=r"no store 'a b'. It has: "):
        filled.check_filters(Filters(store="a\x1b[1m\nb"))


def test_no_such_product(filled: Catalogue) -> None:
    for number in (0, -1, 999):
        with pytest.raises(CatalogueError, match=f"no product {number}"):
            filled.product(number)


# ------------------------------------------------------------------ keeping


def test_a_listing_is_kept_as_it_was(catalogue: Catalogue) -> None:
    number = keep(
        catalogue,
        1,
        store="shop.example",
        price=Decimal("129.90"),
        currency="eur",
        url="https://shop.example/a?b=1&c=ü",
    )
    product = catalogue.product(number)
    assert (product.brand, product.title, product.store) == ("Nike", "Shoe 1", "shop.example")
    assert (product.price, product.currency, product.url) == (
        Decimal("129.90"),
        "EUR",
        "https://shop.example/a?b=1&c=ü",
    )
    assert product.available
    assert product.to_json()["price"] == "129.90"


def test_the_same_address_is_the_same_product(catalogue: Catalogue) -> None:
    first = keep(catalogue, 1, url="https://shop.example/1", title="Old", price=Decimal(100), currency="EUR")
    second = keep(catalogue, 2, url="https://shop.example/1", title="New", price=Decimal(80), currency="EUR")
    other = keep(catalogue, 3, url="https://shop.example/1", store="other")
    assert first == second != other
    assert (catalogue.product(first).title, catalogue.product(first).price) == ("New", Decimal(80))
    assert (catalogue.stats().products, catalogue.stats().photos) == (2, 3)


@settings(max_examples=40)  # each makes a catalogue on disk
@given(st.text(max_size=400), st.text(max_size=80), st.text(max_size=80), st.text(max_size=8), st.text(max_size=80))
def test_foreign_text_is_clean_when_it_comes_back(
    tmp_path_factory: pytest.TempPathFactory, title: str, brand: str, store: str, currency: str, url: str
) -> None:
    catalogue = Catalogue(tmp_path_factory.mktemp("foreign"))
    with catalogue.writing():
        number = catalogue.keep(patchwork(1), Listing(brand, title, store, Decimal(5), currency, url))
    product = catalogue.product(number)
    for text in (product.title, product.brand, product.store, product.currency or "EUR", product.url or "x"):
        assert text and len(text) <= 300
        assert not [c for c in text if unicodedata.category(c)[0] == "C"]
    assert product.currency is None or (len(product.currency) == 3 and product.currency.isalpha())
    catalogue.close()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/a", True),
        ("http://shop.example:8080/a?b#c", True),
        ("javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//shop.example/a", False),
        ("https://", False),
        ("https://[", False),
        ("https://shop.example/a b", False),
        ("https://shop.example/\x1b[31m", False),
        ("https://shop.example/\u202e", False),
        ("https://shop.example/" + "x" * 2000, False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_are_kept(url: str | None, kept: bool) -> None:
    assert web_address(url) == (url if kept else None)


def test_index_encodes_only_what_is_new(catalogue: Catalogue) -> None:
    encoder = PaletteEncoder()
    with catalogue.writing():
        for seed in range(3):
            catalogue.keep(patchwork(seed), Listing("Nike", f"Shoe {seed}"))
        assert catalogue.index(encoder) == 3
        assert catalogue.index(encoder) == 0
        catalogue.keep(patchwork(3), Listing("Nike", "Shoe 3"))
        assert catalogue.index(encoder) == 1
    assert encoder.seen == 4
    generation = catalogue.stats().generation
    with catalogue.writing():
        catalogue.index(encoder)
    assert catalogue.stats().generation == generation


def test_index_drops_what_is_gone(catalogue: Catalogue) -> None:
    numbers = [keep(catalogue, seed) for seed in range(3)]
    with catalogue.writing():
        with catalogue.transaction() as base:
            base.execute("DELETE FROM product WHERE id = ?", (numbers[1],))
        assert [problem.what for problem in catalogue.verify()] == ["1 vectors have no photo"]
        assert [f.product.id for f in catalogue.search(vector(1), ENCODER.identity, 5)].count(numbers[1]) == 0
        assert catalogue.index(ENCODER) == 0
    assert catalogue.verify() == []
    assert catalogue.stats().indexed == 2


def test_no_photo_finds_itself_with_the_vector_of_one_that_went(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    gone = keep(catalogue, 2)
    with catalogue.writing():
        with catalogue.transaction() as base:
            base.execute("DELETE FROM product WHERE id = ?", (gone,))
        catalogue.keep(patchwork(3), Listing("Nike", "Shoe 3"))
        assert not catalogue.in_step(ENCODER.identity)
        assert catalogue.index(ENCODER) == 1
    assert catalogue.in_step(ENCODER.identity)
    best = catalogue.search(vector(3), ENCODER.identity, 5)[0]
    assert (best.product.title, round(best.score, 3)) == ("Shoe 3", 1)


def views(catalogue: Catalogue) -> list[str | None]:
    with catalogue.transaction() as base:
        return [row[0] for row in base.execute("SELECT view FROM photo ORDER BY id")]


def test_index_marks_what_photos_show(catalogue: Catalogue) -> None:
    encoder = open_encoder()
    with catalogue.writing():
        catalogue.keep(sneaker("red"), Listing("Nike", "A shoe", url="https://shop.example/1"))
        catalogue.keep(Image.new("RGB", (64, 64), "teal"), Listing("Nike", "A shoe", url="https://shop.example/1"))
        catalogue.index(ENCODER)
        assert views(catalogue) == [None, None]  # the heads read other vectors
        catalogue.index(encoder)
        assert views(catalogue) == ["shoe", "other"]
        (found,) = catalogue.search(encoder.pictures([Image.new("RGB", (64, 64), "teal")])[0], encoder.identity)
        assert found.score > 0.99  # it is found all the same
        # An earlier version embedded photos and kept no view.
        with catalogue.transaction() as base:
            base.execute("UPDATE photo SET view = NULL WHERE id = 1")
        assert catalogue.index(encoder) == 0
        assert views(catalogue) == ["shoe", "other"]


def test_index_can_be_stopped(catalogue: Catalogue) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    with catalogue.writing():
        catalogue.keep(patchwork(1), Listing("Nike", "Shoe"))
        with pytest.raises(Cancelled):
            catalogue.index(ENCODER, stop)
        assert not catalogue.in_step(ENCODER.identity)
        catalogue.index(ENCODER)
    assert catalogue.in_step(ENCODER.identity) and catalogue.verify() == []


def test_a_transaction_is_all_or_nothing(catalogue: Catalogue) -> None:
    number = keep(catalogue, 1)
    with pytest.raises(Cancelled), catalogue.writing(), catalogue.transaction() as base:
        base.execute("UPDATE product SET title = 'half' WHERE id = ?", (number,))
        raise Cancelled
    assert catalogue.product(number).title == "Shoe 1"
