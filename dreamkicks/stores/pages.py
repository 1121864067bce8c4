"""Shops that describe their products to search engines: sitemaps, schema.org JSON-LD, and OpenGraph as the fallback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse
from selectolax.lexbor import LexborHTMLParser

from dreamkicks.errors import FetchFailed, NotAllowed, StoreError
from dreamkicks.stores.fetcher import LONGEST_ADDRESS, PAGE, SITEMAP, Fetcher
from dreamkicks.stores.money import lowest, price_of
from dreamkicks.stores.names import brand_of, style_of, title_of
from dreamkicks.stores.network import gunzip
from dreamkicks.stores.store import Entry, Offer, Size, Store
from dreamkicks.text import clean

_SITEMAPS = 500
_ENTRIES = 100_000
_HELD = 20_000
"""Elements of a sitemap that are held at once: those of one page, which may have a thousand pictures."""
_DEPTH = 20
_SELLING = (
    "instock",
    "onlineonly",
    "limitedavailability",
    "instoreonly",
    "preorder",
    "presale",
    "backorder",
    "in stock",
)


def entries(store: Store, fetcher: Fetcher) -> Iterator[Entry]:
    """All pages in the store's sitemaps that look like products.

    Raises what Fetcher.get raises, and FetchFailed for what is no sitemap: after all other sitemaps, if they can be had.
    """
    failed: list[StoreError] = []
    wanted = re.compile(store.products)
    waiting = [store.site + place for place in store.sitemaps]
    seen, listed = set(waiting), 0
    while waiting:
        sitemap = waiting.pop(0)
        for kind, url, stamp in _listed(store, fetcher, sitemap, failed):
            if kind == "sitemap":
                if url not in seen and len(seen) < _SITEMAPS:
                    seen.add(url)
                    waiting.append(url)
                elif url not in seen and not failed:
                    failed.append(FetchFailed(f"{store.site} has more than {_SITEMAPS} sitemaps", lasting=True))
            elif wanted.search(_path(url)):
                listed += 1
                if listed > _ENTRIES:
                    raise FetchFailed(
                        f"{store.site} lists more than {_ENTRIES:,} products; narrow `products` in its entry",
                        lasting=True,
                    )
                yield _entry(store, fetcher, url, stamp)
    if failed:
        raise failed[0]


def _listed(
    store: Store, fetcher: Fetcher, sitemap: str, failed: list[StoreError]
) -> Iterator[tuple[str, str, str | None]]:
    """What one sitemap lists. Why it could not be read, or not to its end, is added to `failed`."""
    try:
        yield from _locations(fetcher.get(store, sitemap, SITEMAP), sitemap)
    except (FetchFailed, NotAllowed) as error:
        failed.append(error)  # at most one for each sitemap


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""  # no address, and so no page


def _entry(store: Store, fetcher: Fetcher, url: str, stamp: str | None) -> Entry:
    return Entry(url, stamp, lambda: _offer(store, url, json.loads(fetcher.get(store, url, PAGE, distil=distil))))


def _locations(body: bytes, name: str) -> Iterator[tuple[str, str, str | None]]:
    """What a sitemap lists: ("sitemap" or "url", address, last modification)."""
    if body.startswith(b"\x1f\x8b"):
        body = gunzip(body, SITEMAP.limit)
    try:
        inside: list[Any] = []
        held = 0
        for event, element in iterparse(BytesIO(body), ("start", "end"), forbid_dtd=True):
            if event == "start":
                inside.append(element)
                held += 1
                if held > _HELD:
                    raise ValueError("too much in one place")
                continue
            inside.pop()
            kind = element.tag.rpartition("}")[2]
            if kind in ("url", "sitemap"):
                fields = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
                if (url := fields.get("loc")) and len(url) <= LONGEST_ADDRESS:
                    yield kind, url, clean(fields.get("lastmod", ""), 40) or None
            if len(inside) == 1:  # a child of the root is over
                inside[0].clear()
                held = 1
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise FetchFailed(f"{clean(name, 200)} is no sitemap", lasting=False) from error


def distil(page: bytes) -> bytes:
    """What a product's page says of its product, as small JSON: {"product": schema.org, "graph": OpenGraph}."""
    tree = LexborHTMLParser(page.decode("utf-8", "replace"))
    product: dict[str, Any] | None = None
    for script in tree.css('script[type="application/ld+json"]'):
        try:
            # Line breaks inside strings, which JSON forbids, are the commonest mistake of shops.
            data = json.loads(
                script.text().strip().removeprefix("<!--").removesuffix("-->").strip().rstrip(";"),
                strict=False,
            )
        except (ValueError, RecursionError):
            continue
        if (product := _find_product(data)) is not None:
            product = _shallow(product)
            break
    graph: dict[str, list[str]] = {}
    for meta in tree.css("meta[property], meta[name]"):
        name = meta.attributes.get("property") or meta.attributes.get("name") or ""
        if name.startswith(("og:", "product:")) and (said := meta.attributes.get("content")):
            graph.setdefault(name[:60], []).append(said[:2000])
    return json.dumps({"product": product, "graph": graph}).encode()


def _find_product(data: Any, depth: int = 0) -> dict[str, Any] | None:
    """The first Product or ProductGroup in a document, however it is nested."""
    if depth > _DEPTH:
        return None
    if isinstance(data, dict):
        kinds = data.get("@type")
        if any(_last(kind) in ("product", "productgroup") for kind in (kinds if isinstance(kinds, list) else [kinds])):
            return data
        data = [data[key] for key in ("@graph", "mainEntity", "mainEntityOfPage") if key in data]
    if isinstance(data, list):
        for item in data[:200]:
            if (found := _find_product(item, depth + 1)) is not None:
                return found
    return None


def _shallow(said: Any, depth: int = 0) -> Any:
    """Without what is nested too deep to be of use, and for Python's own writer of JSON."""
    if isinstance(said, dict):
        return {key: _shallow(value, depth + 1) for key, value in said.items()} if depth < _DEPTH else None
    if isinstance(said, list):
        return [_shallow(value, depth + 1) for value in said] if depth < _DEPTH else None
    return said


def _offer(store: Store, url: str, said: dict[str, Any]) -> Offer | None:
    """None when the page describes no product, or one of another kind."""
    product, graph = said["product"] or {}, said["graph"]
    variants = [variant for variant in _list(product.get("hasVariant")) if isinstance(variant, dict)]
    first = variants[0] if variants else {}
    title = title_of(product.get("name")) or (title_of(_one(graph, "og:title")) if _sold_by_graph(graph) else "")
    if not title:
        return None
    category = " ".join(_texts(product.get("category")))
    if not store.sells(title_of(category)):
        return None
    offers = [offer for source in (product, *variants) for offer in _offers(source.get("offers"))]
    offers = offers or [
        {
            "price": _one(graph, "product:price:amount") or _one(graph, "og:price:amount"),
            "priceCurrency": _one(graph, "product:price:currency") or _one(graph, "og:price:currency"),
            "availability": _one(graph, "product:availability") or _one(graph, "og:availability") or "instock",
        }
    ]
    sold = [offer for offer in offers if _selling(offer)]
    price, currency = lowest(_price(offer, store) for offer in sold or offers)
    named = [
        text for key in ("mpn", "sku", "productGroupID", "model") for text in _texts(product.get(key) or first.get(key))
    ]
    pictures = _texts(product.get("image")) or _texts(first.get("image")) or graph.get("og:image", [])
    brand = next(iter(_texts(product.get("brand") or first.get("brand"))), None) or _one(graph, "product:brand")
    return Offer(
        url=url,
        brand=brand_of(brand, title, store.name),
        title=title,
        price=price,
        currency=currency,
        available=bool(sold),
        sizes=_sizes(variants, offers),
        style=style_of(*named, title),
        pictures=tuple(dict.fromkeys(_absolute(url, picture) for picture in pictures)),
    )


def _offers(said: Any, depth: int = 0) -> list[dict[str, Any]]:
    """Single offers, out of lists and of AggregateOffers that list theirs."""
    if isinstance(said, list):
        return [offer for item in said[:200] for offer in _offers(item, depth + 1)] if depth < 3 else []
    if not isinstance(said, dict):
        return []
    inner = said.get("offers")
    return (_offers(inner, depth + 1) if inner and depth < 3 else []) or [said]


def _selling(offer: dict[str, Any]) -> bool:
    said = offer.get("availability")
    return said is None or _last(said) in _SELLING  # shops that say nothing list what they sell


def _price(offer: dict[str, Any], store: Store) -> tuple[Decimal | None, str | None]:
    inner = next((item for item in _list(offer.get("priceSpecification")) if isinstance(item, dict)), {})
    amount = next(
        (source[key] for source in (offer, inner) for key in ("price", "lowPrice") if source.get(key) is not None),
        None,
    )
    said = offer.get("priceCurrency") or inner.get("priceCurrency")
    return price_of(amount, said if isinstance(said, str) and said else store.currency)


def _sizes(variants: list[dict[str, Any]], offers: list[dict[str, Any]]) -> tuple[Size, ...]:
    sizes: dict[str, bool] = {}
    for item in variants or offers:
        nested = _offers(item.get("offers")) or [item]
        label = next((clean(text, 30) for text in _texts(item.get("size"))), "")
        if label:
            sizes[label] = sizes.get(label, False) or any(_selling(offer) for offer in nested)
    return tuple(Size(label, available) for label, available in sizes.items())


def _sold_by_graph(graph: dict[str, list[str]]) -> bool:
    return _one(graph, "og:type") in ("product", "og:product", "product.item") or "product:price:amount" in graph


def _absolute(url: str, picture: str) -> str:
    try:
        return urljoin(url, picture)
    except ValueError:
        return picture  # the fetcher refuses it by name


def _one(graph: dict[str, list[str]], name: str) -> str | None:
    return next(iter(graph.get(name, [])), None)


def _texts(said: Any) -> list[str]:
    """The texts of a value that may be a text, a thing with a name or an address, or a list of those."""
    found = []
    for item in _list(said):
        if isinstance(item, dict):
            item = next(
                (item[key] for key in ("url", "contentUrl", "name", "@id") if isinstance(item.get(key), str)),
                None,
            )
        if isinstance(item, str) and item.strip():
            found.append(item.strip())
    return found


def _list(said: Any) -> list[Any]:
    return said[:500] if isinstance(said, list) else [] if said is None else [said]


def _last(said: Any) -> str:
    """ "https://schema.org/InStock" is "instock"."""
    return re.split(r"[/#:]", said)[-1].strip().lower() if isinstance(said, str) else ""
