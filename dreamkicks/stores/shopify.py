"""Shops on Shopify: collections/<c>/products.json, 250 products a page, until a page is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from dreamkicks.errors import FetchFailed
from dreamkicks.stores.fetcher import JSON, Fetcher
from dreamkicks.stores.money import lowest, price_of
from dreamkicks.stores.names import brand_of, style_of, title_of
from dreamkicks.stores.store import Entry, Offer, Size, Store
from dreamkicks.text import clean

_A_PAGE = 250
# Shopify answers 400 when page x limit goes above 25,000.
_PAGES = 25_000 // _A_PAGE
_SIZE_OPTIONS = ("size", "maat", "größe", "taille", "eu size", "us size", "uk size", "shoe size")


def entries(store: Store, fetcher: Fetcher) -> Iterator[Entry]:
    """All products of the store's collections. Raises what Fetcher.get raises, FetchFailed when the list is no list of products."""
    for collection in store.collections:
        for page in range(1, _PAGES + 1):
            url = f"{store.site}/collections/{quote(collection)}/products.json?limit={_A_PAGE}&page={page}"
            products = _products(fetcher.get(store, url, JSON), url)
            for product in products:
                if (entry := _entry(store, product)) is not None:
                    yield entry
            if not products:
                break
        else:
            raise FetchFailed(
                f"{store.site} lists more than 25,000 products in {collection}; name smaller collections",
                lasting=True,
            )


def _products(body: bytes, url: str) -> list[Any]:
    try:
        products = json.loads(body)["products"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FetchFailed(f"{url} sent no list of products", lasting=False) from error
    if not isinstance(products, list):
        raise FetchFailed(f"{url} sent no list of products", lasting=False)
    return products


def _entry(store: Store, product: Any) -> Entry | None:
    if not isinstance(product, dict) or not isinstance(handle := product.get("handle"), str) or not handle.strip("./ "):
        return None
    if not store.sells(_text(product.get("product_type"))):
        return None
    url = f"{store.site}/products/{quote(handle[:300], safe='', errors='replace')}"
    return Entry(url, None, lambda: _offer(store, url, product))


def _offer(store: Store, url: str, product: dict[str, Any]) -> Offer:
    title = title_of(product.get("title"))
    if not title:
        raise FetchFailed(f"{url} has no title", lasting=True)
    variants = [variant for variant in _list(product.get("variants")) if isinstance(variant, dict)]
    sold = [variant for variant in variants if variant.get("available", True)]
    price, currency = lowest(price_of(variant.get("price"), store.currency) for variant in sold or variants)
    images = [image.get("src") for image in _list(product.get("images")) if isinstance(image, dict)]
    tags = product.get("tags")
    return Offer(
        url=url,
        brand=brand_of(product.get("vendor"), title, store.name),
        title=title,
        price=price,
        currency=currency,
        available=bool(sold),
        sizes=_sizes(product, variants),
        style=style_of(
            *(variant.get("sku") for variant in variants),
            title,
            *(tags if isinstance(tags, list) else [tags]),
        ),
        pictures=tuple(dict.fromkeys(_smaller(src) for src in images if isinstance(src, str) and src)),
    )


def _sizes(product: dict[str, Any], variants: list[dict[str, Any]]) -> tuple[Size, ...]:
    """A size for each variant, by the option that is called size, else by the first."""
    names = [
        _text(option.get("name") if isinstance(option, dict) else option).lower()
        for option in _list(product.get("options"))
    ]
    place = next((number for number, name in enumerate(names, start=1) if name in _SIZE_OPTIONS), 1)
    sizes: dict[str, bool] = {}
    for variant in variants:
        label = _text(variant.get(f"option{place}") or variant.get("title"))
        if label and label != "Default Title":
            sizes[label] = sizes.get(label, False) or bool(variant.get("available", True))
    return tuple(Size(label, available) for label, available in sizes.items())


def _smaller(src: str) -> str:
    """Shopify's servers scale pictures; 640 px is more than what is kept."""
    try:
        url = httpx.URL("https:" + src if src.startswith("//") else src)
        return str(url.copy_merge_params({"width": "640"})) if url.host == "cdn.shopify.com" else str(url)
    except (httpx.InvalidURL, ValueError):
        return src  # the fetcher refuses it by name


def _text(said: object) -> str:
    return clean(said, 60) if isinstance(said, str) else ""


def _list(said: object) -> list[Any]:
    return said[:500] if isinstance(said, list) else []
