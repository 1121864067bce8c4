"""What is in a catalogue, in numbers. The database counts, in one snapshot of it; nothing here grows with the products."""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.photos import photo_path
from dreamkicks.stores.names import UNKNOWN

MOST = 20
"""How many brands, stores and lists of prices are told one by one; the rest is told by its number."""
_MOST_SIZES = 40
_MOST_SHARED = 12
_MOST_TITLES = 3
_MOST_PICTURES = 10

# The bars of prices are equally wide on a logarithmic scale (Renard's R20), which fits every currency and no outlier upsets.
_STEPS = (100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900)
EDGES = (Decimal(0), *(Decimal(step * 10**exponent) / 100 for exponent in range(9) for step in _STEPS))
"""Where the bars of prices begin; the last has no end."""

_MISSING = {
    "brand": f"brand = '{UNKNOWN}'",
    "price": "price IS NULL",
    "url": "url IS NULL",
    "picture": "NOT EXISTS (SELECT 1 FROM photo WHERE photo.product = product.id)",
    "sizes": "COALESCE(sizes, '[]') = '[]'",
    "style": "style IS NULL",
}
_DAYS = "(:now - coalesce(checked, seen)) / 86400"
_SEEN = {
    "day": f"{_DAYS} <= 1",
    "week": f"{_DAYS} > 1 AND {_DAYS} <= 7",
    "month": f"{_DAYS} > 7 AND {_DAYS} <= 30",
    "older": f"{_DAYS} > 30",
    "never": "coalesce(checked, seen) IS NULL",
}
_COUNTS = ", ".join(
    [
        "count(*) FILTER (WHERE available)",
        *(f"count(*) FILTER (WHERE {condition})" for condition in _MISSING.values()),
        *(f"count(*) FILTER (WHERE available AND {condition})" for condition in _SEEN.values()),
        *(f"count(*) FILTER (WHERE NOT available AND {condition})" for condition in _SEEN.values()),
    ]
)
_VIEWS = {"shoe": 0, "worn": 0, "other": 0, "unknown": 0}
# A photo is in here once for each of its products.
_SHARED = "(SELECT source, max(hash) AS hash, count(*) AS products FROM photo GROUP BY source HAVING count(*) > 1)"


@dataclass(frozen=True)
class Counts:
    """Products, those that their store has available, and those that are gone.

    `missing` has how many lack a field; `seen` how long ago what is available was last looked at in its shop: within a day,
    a week, a month, before that, or never, as with products that a person brought in; `last_seen` the same of what is gone.
    """

    products: int
    available: int
    gone: int
    missing: dict[str, int]
    seen: dict[str, int]
    last_seen: dict[str, int]


@dataclass(frozen=True)
class Prices:
    """What a store asks in one currency (None where nobody said which).

    `quartiles` are five prices: the lowest, those that a quarter, a half, three quarters of the products do not exceed, the highest.
    `histogram` counts products by the edge of EDGES that their price reached; edges that none did are left out.
    """

    store: str
    currency: str | None
    products: int
    quartiles: tuple[str, ...]
    histogram: dict[str, int]


@dataclass(frozen=True)
class SizeCount:
    """How many products are made in a size, and of how many that size can be bought."""

    label: str
    products: int
    available: int


@dataclass(frozen=True)
class SharedPhoto:
    """One photo of several products: their number, that of their stores, and the titles of the first few."""

    photo: str
    products: int
    stores: int
    titles: tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """Photos, equal to the pixel, of several products; `within_a_store` of those are shared by two products of one store."""

    photos: int
    products: int
    within_a_store: int
    most: tuple[SharedPhoto, ...]


@dataclass(frozen=True)
class Joined:
    """Shoes that several stores sell, and how many products those are."""

    shoes: int
    products: int


@dataclass(frozen=True)
class Report:
    """The commonest brands, stores, prices and sizes are told, with the number of all there are beside them."""

    total: Counts
    photos: int
    views: dict[str, int]
    """Photos by what they show: "shoe" by itself, "worn" on a foot, "other", and "unknown" where nobody has looked yet."""
    brands: dict[str, int]
    brands_in_all: int
    stores: dict[str, Counts]
    stores_in_all: int
    prices: tuple[Prices, ...]
    prices_in_all: int
    pictures: dict[str, int]
    """Products by their number of pictures, from "0" to as many as there are: at most "10+"."""
    sizes: tuple[SizeCount, ...]
    sizes_in_all: int
    shared: Shared
    joined: Joined


def report_on(catalogue: Catalogue, now: float) -> Report:
    """Count a catalogue; `now` is in seconds of the epoch. Raises CatalogueError, CatalogueBusy, StorageError."""
    with catalogue.transaction() as base:
        base.execute("BEGIN")  # so that all of it is of one moment, whatever a refresh writes meanwhile
        (total,) = base.execute(
            f"SELECT count(*), {_COUNTS} FROM product LEFT JOIN listing USING (store, key)", {"now": now}
        )
        brands = base.execute(
            "SELECT brand, count(*), count(*) OVER () FROM product GROUP BY brand ORDER BY 2 DESC, 1 LIMIT ?", (MOST,)
        ).fetchall()
        stores = base.execute(
            f"SELECT store, count(*) OVER (), count(*), {_COUNTS} FROM product LEFT JOIN listing USING (store, key) "
            "GROUP BY store ORDER BY count(*) DESC, store LIMIT :most",
            {"now": now, "most": MOST},
        ).fetchall()
        priced = base.execute(
            "SELECT store, currency, count(*), count(*) OVER () FROM product WHERE price IS NOT NULL "
            "GROUP BY store, currency ORDER BY 3 DESC, 1, 2 LIMIT ?",
            (MOST,),
        ).fetchall()
        pictures = dict(
            base.execute(
                "SELECT min(photos, ?1) AS number, count(*) FROM (SELECT count(photo.id) AS photos FROM product "
                "LEFT JOIN photo ON photo.product = product.id GROUP BY product.id) GROUP BY number",
                (_MOST_PICTURES,),
            ).fetchall()
        )
        views = _VIEWS | dict(
            base.execute("SELECT coalesce(view, 'unknown'), count(*) FROM photo GROUP BY view").fetchall()
        )
        sizes = base.execute(
            "SELECT json_extract(size.value, '$[0]') AS label, count(*), "
            "count(*) FILTER (WHERE available AND json_extract(size.value, '$[1]')), count(*) OVER () "
            "FROM product, json_each(product.sizes) AS size GROUP BY label ORDER BY 2 DESC, label LIMIT ?",
            (_MOST_SIZES,),
        ).fetchall()
        return Report(
            total=_counts(total),
            photos=sum(views.values()),
            views=views,
            brands={row[0]: row[1] for row in brands},
            brands_in_all=brands[0][2] if brands else 0,
            stores={row[0]: _counts(row[2:]) for row in stores},
            stores_in_all=stores[0][1] if stores else 0,
            prices=tuple(_prices(base, *row[:3]) for row in priced),
            prices_in_all=priced[0][3] if priced else 0,
            pictures={
                f"{number}+" if number == _MOST_PICTURES else str(number): pictures.get(number, 0)
                for number in range(max(pictures, default=-1) + 1)
            },
            sizes=tuple(SizeCount(*row[:3]) for row in sizes),
            sizes_in_all=sizes[0][3] if sizes else 0,
            shared=_shared(base, catalogue),
            joined=Joined(*base.execute("SELECT count(DISTINCT shoe), count(shoe) FROM product").fetchone()),
        )


def _counts(row: tuple[int, ...]) -> Counts:
    products, available, *rest = row
    counted = iter(rest)
    missing, seen, last_seen = (dict(zip(names, counted, strict=False)) for names in (_MISSING, _SEEN, _SEEN))
    return Counts(products, available, products - available, missing, seen, last_seen)


def _prices(base: sqlite3.Connection, store: str, currency: str | None, count: int) -> Prices:
    places = [max(0, math.ceil(count * quarter / 4) - 1) for quarter in range(5)]
    reached: dict[int, str] = {}
    histogram: Counter[str] = Counter()
    rows = base.execute(
        "SELECT price FROM product WHERE store = ? AND currency IS ? AND price IS NOT NULL ORDER BY CAST(price AS REAL)",
        (store, currency),
    )
    for place, (price,) in enumerate(rows):
        if place in places:
            reached[place] = price
        histogram[str(EDGES[max(0, bisect_right(EDGES, Decimal(price)) - 1)])] += 1
    return Prices(store, currency, count, tuple(reached[place] for place in places), dict(histogram))


def _shared(base: sqlite3.Connection, catalogue: Catalogue) -> Shared:
    owners = f"FROM {_SHARED} AS shared JOIN photo USING (source) JOIN product ON product.id = photo.product"
    (photos, products) = base.execute(f"SELECT count(DISTINCT source), count(DISTINCT product.id) {owners}").fetchone()
    (within,) = base.execute(
        f"SELECT count(DISTINCT source) FROM (SELECT source {owners} GROUP BY source, store HAVING count(*) > 1)"
    ).fetchone()
    most = base.execute(
        f"SELECT source, shared.hash, shared.products, count(DISTINCT store) {owners} "
        "GROUP BY source ORDER BY shared.products DESC, source LIMIT ?",
        (_MOST_SHARED,),
    ).fetchall()
    titles = "SELECT title FROM product JOIN photo ON photo.product = product.id WHERE source = ? ORDER BY product.id LIMIT ?"
    return Shared(
        photos,
        products,
        within,
        tuple(
            SharedPhoto(
                str(photo_path(catalogue.folder, digest)),
                count,
                stores,
                tuple(row[0] for row in base.execute(titles, (source, _MOST_TITLES))),
            )
            for source, digest, count, stores in most
        ),
    )
