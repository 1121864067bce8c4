"""What is read out of both layouts, and out of nonsense."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamkicks.errors import FetchFailed, StoreError
from dreamkicks.stores import pages
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.listing import entries
from dreamkicks.stores.store import Entry, Offer, Size, Store

from .fakeshop import FakeShop, Shoe, sends, sitemap

JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=12,
)


def offers(shop: FakeShop, fetcher: Fetcher, store: Store) -> list[Offer | None]:
    return [entry.read() for entry in entries(store, fetcher)]


def list_as_shopify(shop: FakeShop, fetcher: Fetcher, product: object) -> list[Entry]:
    """What is read out of a list of that one product."""

    def answer(handler: Any) -> None:
        products = [product] if handler.path.endswith("page=1") else []
        handler.send(json.dumps({"products": products}).encode(), "application/json")

    shop.places["/collections/sneakers/products.json"] = answer
    return list(entries(shop.store(), fetcher))


def read_page(shop: FakeShop, fetcher: Fetcher, body: bytes) -> Offer | None:
    """What is read out of a product's page."""
    shop.shoes = [Shoe("a")]
    shop.places["/en/shoes/a.html"] = sends(body, "text/html")
    (offer,) = offers(shop, fetcher, shop.store("pages"))
    return offer


@pytest.mark.parametrize("kind", ["shopify", "pages"])
def test_both_layouts_say_the_same(shop: FakeShop, fetcher: Fetcher, kind: str) -> None:
    shop.shoes = [
        Shoe(
            "dunk",
            "Nike <b>Dunk</b> Low \x1b[31m👟 你好",
            "NIKE SB",
            "€ 1.299,95",
            {"42": True, "43": False},
            sku="DD1391-100",
        )
    ]
    (offer,) = offers(shop, fetcher, shop.store(kind))
    assert offer is not None
    assert (offer.brand, offer.title) == ("Nike", "Nike Dunk Low 👟 你好")
    assert (offer.price, offer.currency) == (Decimal("1299.95"), "EUR")
    assert offer.sizes == (Size("42", True), Size("43", False))
    assert offer.available
    assert offer.style == "DD1391-100"
    assert [picture.partition("?")[0] for picture in offer.pictures] == [
        f"{shop.cdn}/pictures/dunk-{n}.jpg" for n in range(2)
    ]


@pytest.mark.parametrize("kind", ["shopify", "pages"])
def test_sold_out_and_without_a_price(shop: FakeShop, fetcher: Fetcher, kind: str) -> None:
    shop.shoes = [Shoe("a", price=None, sizes={"42": False})]
    (offer,) = offers(shop, fetcher, shop.store(kind))
    assert offer is not None and not offer.available
    assert (offer.price, offer.currency) == (None, None)


@pytest.mark.parametrize("kind", ["shopify", "pages"])
def test_other_types_are_left_out(shop: FakeShop, fetcher: Fetcher, kind: str) -> None:
    shop.shoes = [Shoe("a"), Shoe("shirt", product_type="T-Shirts"), Shoe("untold", product_type="")]
    found = [offer for offer in offers(shop, fetcher, shop.store(kind, types=["sneaker"])) if offer]
    assert [offer.url.rpartition("/")[2].removesuffix(".html") for offer in found] == ["a", "untold"]


def test_the_lowest_price_that_can_be_bought(shop: FakeShop, fetcher: Fetcher) -> None:
    variants = [
        {"option1": "41", "price": "50.00", "available": False},
        {"option1": "42", "price": "90.00", "available": True},
        {"option1": "43", "price": "80.00", "available": True},
    ]
    (entry,) = list_as_shopify(shop, fetcher, {"title": "A", "handle": "a", "variants": variants})
    offer = entry.read()
    assert offer is not None and offer.price == Decimal("80.00")


def test_shopify_is_read_until_a_page_is_empty(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.shoes, shop.page_size = [Shoe(f"s{n}") for n in range(7)], 3
    assert len(offers(shop, fetcher, shop.store())) == 7
    assert [one.path.rpartition("=")[2] for one in shop.asked("products.json")] == ["1", "2", "3", "4"]
    assert all("limit=250" in one.path for one in shop.asked("products.json"))


def test_shopify_is_never_asked_beyond_25000(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.shoes, shop.page_size = [Shoe(f"s{n}") for n in range(101)], 1
    with pytest.raises(FetchFailed, match="25,000"):
        list(entries(shop.store(), fetcher))
    assert [one.status for one in shop.asked("products.json")] == [200] * 100


def test_thousands_of_products_are_asked_for_as_they_are_taken(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.shoes = [Shoe(f"s{n}") for n in range(3000)]
    for place, _ in enumerate(entries(shop.store(), fetcher)):
        assert len(shop.asked("products.json")) == place // 250 + 1
    assert place == 2999
    assert len(shop.asked("products.json")) == 13


def test_pictures_of_shopify_are_asked_for_at_the_size_that_is_kept(shop: FakeShop, fetcher: Fetcher) -> None:
    images = [{"src": "//cdn.shopify.com/a.jpg?v=1"}, {"src": "https://other.example/b.jpg?v=1"}, {"src": "\ud800"}]
    (entry,) = list_as_shopify(shop, fetcher, {"title": "A", "handle": "a", "images": images})
    offer = entry.read()
    assert offer is not None
    assert offer.pictures[:2] == ("https://cdn.shopify.com/a.jpg?v=1&width=640", "https://other.example/b.jpg?v=1")
    assert offer.pictures[2:] == ("\ud800",)  # the fetcher refuses what is no address


@pytest.mark.parametrize(
    "handle", ["../../etc/passwd", "a/b", "a b", "naïve", "a?x=1#y", "\x1b[31m", "\ud800", "..", "", None, 5, ["a"]]
)
def test_no_handle_leaves_the_products_of_the_shop(shop: FakeShop, fetcher: Fetcher, handle: object) -> None:
    found = list_as_shopify(shop, fetcher, {"handle": handle, "title": "A"})
    assert len(found) == (0 if handle in ("..", "", None, 5, ["a"]) else 1)
    for entry in found:
        place = entry.url.removeprefix(f"{shop.site}/products/")
        assert place and not set(place) & set("/?# \x1b") and place.isascii()


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"products": 5}', b"null", b"", b"[" * 100_000, b'{"products": ' + b"9" * 5000],
    ids=range(7),
)
def test_a_list_that_is_none_is_said_to_be_none(shop: FakeShop, fetcher: Fetcher, body: bytes) -> None:
    shop.places["/collections/sneakers/products.json"] = sends(body, "application/json")
    with pytest.raises(FetchFailed, match="no list of products"):
        list(entries(shop.store(), fetcher))


@pytest.mark.parametrize(
    "body",
    [
        b"<html><br></html>",
        b"",
        b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><urlset><url><loc>&b;</loc></url></urlset>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><urlset/>',
        gzip.compress(b"<urlset>"),
        gzip.compress(b"\0" * 60_000_000, 1),
        b"\x1f\x8bnoise",
        b'<?xml version="1.0" encoding="none"?><urlset/>',
    ],
    ids=["html", "empty", "bytes", "entity", "system", "cut", "bomb", "noise", "encoding"],
)
def test_a_sitemap_that_is_none_is_said_to_be_none(shop: FakeShop, fetcher: Fetcher, body: bytes) -> None:
    shop.places["/sitemap.xml"] = sends(body, "application/xml")
    with pytest.raises(StoreError):
        list(entries(shop.store("pages"), fetcher))


def test_sitemaps_that_list_each_other_end(shop: FakeShop, fetcher: Fetcher) -> None:
    store = shop.store("pages")
    shop.places["/sitemap.xml"] = sends(
        sitemap([(f"{store.site}/sitemap.xml", None), (f"{store.site}/sitemap-1.xml.gz", None)], "sitemapindex"),
        "text/xml",
    )
    shop.shoes = [Shoe("a")]
    assert len(offers(shop, fetcher, store)) == 1
    assert len(shop.asked("/sitemap.xml")) == 1


def test_a_sitemap_that_can_t_be_had_hides_no_other(shop: FakeShop, fetcher: Fetcher) -> None:
    store = shop.store("pages")
    lost = [f"{store.site}/lost.xml", "https://evil.test/sitemap.xml", f"{store.site}/private/sitemap.xml"]
    shop.places["/sitemap.xml"] = sends(
        sitemap([(url, None) for url in (*lost, f"{store.site}/sitemap-1.xml.gz")], "sitemapindex"), "text/xml"
    )
    shop.shoes = [Shoe("a")]
    listed = entries(store, fetcher)
    assert next(listed).url == f"{store.site}/en/shoes/a.html"
    with pytest.raises(FetchFailed, match=r"lost\.xml answered 404"):
        next(listed)


@pytest.mark.parametrize(
    "body",
    [
        b"<urlset><url>" + b"<a/>" * 100_000 + b"<loc>https://shop.test/en/shoes/a.html</loc></url></urlset>",
        b"<urlset><b>" + b"<a/>" * 100_000 + b"</b></urlset>",
        b"<a>" * 100_000,
    ],
)
def test_what_a_sitemap_makes_us_hold_is_bounded(shop: FakeShop, fetcher: Fetcher, body: bytes) -> None:
    shop.places["/sitemap.xml"] = sends(body, "application/xml")
    with pytest.raises(FetchFailed, match="no sitemap"):
        list(entries(shop.store("pages"), fetcher))


def test_a_sitemap_may_be_long_and_its_addresses_not(shop: FakeShop, fetcher: Fetcher) -> None:
    store = shop.store("pages")
    listed = [(f"{store.site}/en/shoes/{'a' * length}.html", None) for length in (100, 10_000)]
    shop.places["/sitemap.xml"] = sends(sitemap(listed[:1] * 30_000 + listed[1:]), "text/xml")
    found = [entry.url for entry in entries(store, fetcher)]
    assert (len(found), set(found)) == (30_000, {listed[0][0]})


def test_a_line_of_a_sitemap_that_is_no_address_is_skipped(shop: FakeShop, fetcher: Fetcher) -> None:
    store = shop.store("pages")
    listed = [("https://[oops/en/shoes/b.html", None), (f"{store.site}/en/shoes/a.html", None)]
    shop.places["/sitemap.xml"] = sends(sitemap(listed), "text/xml")
    assert [entry.url for entry in entries(store, fetcher)] == [f"{store.site}/en/shoes/a.html"]


def test_open_graph_where_there_is_no_schema(shop: FakeShop, fetcher: Fetcher) -> None:
    shop.shoes = [Shoe("a", "Vans Old Skool", "Vans", "75", graph_only=True)]
    (offer,) = offers(shop, fetcher, shop.store("pages"))
    assert offer is not None
    assert (offer.brand, offer.price, offer.currency, offer.available) == ("Vans", Decimal("75.00"), "GBP", True)
    assert offer.pictures == (f"{shop.cdn}/pictures/a-0.jpg",)


def page(script: str) -> bytes:
    return f'<html><script type="application/ld+json">{script}</script></html>'.encode()


@pytest.mark.parametrize(
    ("script", "price"),
    [
        ('{"@type": "Product", "name": "A", "offers": {"price": 10}}', "10.00"),
        (
            '{"@type": ["Thing", "Product"], "name": "A", "offers": {"@type": "AggregateOffer", "lowPrice": "10"}}',
            "10.00",
        ),
        ('[{"@type": "http://schema.org/Product", "name": "A", "offers": [{"price": 20}, {"price": 10}]}]', "10.00"),
        (
            '{"@type": "Product", "name": "A", "offers": {"priceSpecification": {"price": "10", "priceCurrency": "EUR"}}}',
            "10.00",
        ),
        (
            '{"@type": "ProductGroup", "name": "A", "hasVariant": [{"@type": "Product", "offers": {"price": 10}}]}',
            "10.00",
        ),
        ('<!-- {"@type": "Product", "name": "A\nB", "offers": {"price": 10}}; -->', "10.00"),
        ('{"@type": "WebPage", "mainEntity": {"@type": "Product", "name": "A"}}', None),
    ],
)
def test_the_ways_of_writing_schema(shop: FakeShop, fetcher: Fetcher, script: str, price: str | None) -> None:
    offer = read_page(shop, fetcher, page(script))
    assert offer is not None and offer.title.startswith("A")
    assert offer.price == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", page("{"), page("[" * 50_000), page('{"@type": "Article"}'), b"\xff\x00"],
    ids=range(6),
)
def test_a_page_without_a_product_is_none(shop: FakeShop, fetcher: Fetcher, body: bytes) -> None:
    assert read_page(shop, fetcher, body) is None


def test_what_is_nested_deep_is_left_out(shop: FakeShop, fetcher: Fetcher) -> None:
    for depth in (*range(950, 1000), 10_000):  # where Python reads it, and can't write it again
        script = '{"@type": "Product", "name": "A", "x": ' + "[" * depth + "]" * depth + "}"
        assert set(json.loads(pages.distil(page(script)))) == {"product", "graph"}
    offer = read_page(shop, fetcher, page('{"@type": "Product", "name": "A", "x": ' + "[" * 900 + "]" * 900 + "}"))
    assert offer is not None and offer.title == "A"


FIELDS = ("name", "brand", "offers", "image", "category", "mpn", "sku", "hasVariant", "size", "price", "availability")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES), st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES))
def test_any_schema_is_an_offer_or_none(
    shop: FakeShop, fetcher: Fetcher, product: dict[str, object], variant: dict[str, object]
) -> None:
    said = {"@type": "Product", "name": "A", "hasVariant": [variant], **product}
    offer = read_page(shop, fetcher, page(json.dumps(said)))
    assert offer is None or offer.fingerprint()


SHOPIFY_FIELDS = ("title", "vendor", "variants", "images", "options", "tags", "product_type")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(SHOPIFY_FIELDS), JSON_VALUES),
    st.dictionaries(st.sampled_from(("price", "option1", "option2", "available", "sku", "title")), JSON_VALUES),
)
def test_any_shopify_product_is_an_offer_or_refused(
    shop: FakeShop, fetcher: Fetcher, product: dict[str, object], variant: dict[str, object]
) -> None:
    (entry,) = list_as_shopify(shop, fetcher, {"handle": "a", "title": "A", "variants": [variant], **product})
    try:
        offer = entry.read()
    except FetchFailed as error:
        assert "title" in str(error)
    else:
        assert offer is not None and offer.fingerprint()


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_distilled(body: bytes) -> None:
    assert set(json.loads(pages.distil(body))) == {"product", "graph"}
