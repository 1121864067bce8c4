"""Which products of different stores are the same shoe.

Two are when brand, whatever its case, and style code agree. Where a code is missing, or one store uses it for several products
at once, they are when brand, title and a picture agree. Being similar is never enough, and two different codes are never one shoe.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dreamkicks import pictures
from dreamkicks.catalogue.likeness import same_picture, signature
from dreamkicks.catalogue.photos import photo_path
from dreamkicks.catalogue.product import Product
from dreamkicks.errors import PictureError
from dreamkicks.stores.names import UNKNOWN, plain

_MOST = 50
"""Products that may share brand and title; a title that more have says too little."""


def join(base: sqlite3.Connection, folder: Path) -> None:
    """Set `product.shoe` for all products, as what is kept now says it; what stays as it was is not written.

    Call it in a transaction. Two grouped passes, and pictures only where brand and title agree.
    """
    _name(base)
    coded = dict(base.execute(
        "WITH coded AS (SELECT id, store, available, lower(brand) AS maker, style FROM product "
        "WHERE style IS NOT NULL AND maker <> lower(?)), "
        "code AS (SELECT maker, style, min(id) AS shoe FROM coded GROUP BY maker, style HAVING count(DISTINCT store) > 1 "
        "AND total(available) = count(DISTINCT iif(available, store, NULL))) "
        "SELECT id, shoe FROM coded JOIN code USING (maker, style)", (UNKNOWN,)
    ))  # fmt: skip
    shoes = dict(coded)
    alike = base.execute(
        "SELECT id, store, style, name FROM product WHERE name IN (SELECT name FROM product WHERE name <> '' "
        "GROUP BY name HAVING count(DISTINCT store) > 1 AND count(*) <= ?) "
        "ORDER BY name, style IS NULL, style, id",
        (_MOST,),
    ).fetchall()
    for _, group in itertools.groupby(alike, key=lambda row: row["name"]):
        for members in _match(base, folder, group):
            shoe = next((coded[one] for one in members if one in coded), members[0])
            shoes |= dict.fromkeys(members, shoe)
    before = dict(base.execute("SELECT id, shoe FROM product WHERE shoe IS NOT NULL"))
    changed = [(shoes.get(one), one) for one in before.keys() | shoes.keys() if shoes.get(one) != before.get(one)]
    base.executemany("UPDATE product SET shoe = ? WHERE id = ?", changed)


def photos_of(base: sqlite3.Connection, folder: Path, product: int) -> list[sqlite3.Row]:
    """The photos that are kept of a product, the first first, all with their signature; nobody looks whether their files are there.

    Those that an earlier version kept without one, and that can't be read, are left out. Call it in a transaction.
    """
    query = "SELECT * FROM photo WHERE product = ? ORDER BY id"
    rows = base.execute(query, (product,)).fetchall()
    if any(row["signature"] is None for row in rows):  # kept by an earlier version
        for row in rows:
            with contextlib.suppress(PictureError):
                seen = row["signature"] or signature(pictures.load(photo_path(folder, row["hash"])))
                base.execute("UPDATE photo SET signature = ? WHERE id = ?", (seen, row["id"]))
        rows = [row for row in base.execute(query, (product,)) if row["signature"] is not None]
    return rows


def _name(base: sqlite3.Connection) -> None:
    """Brand and title of what is new or renamed, as they are compared: case, spaces and punctuation aside."""
    names = []
    for number, brand, title in base.execute("SELECT id, brand, title FROM product WHERE name IS NULL"):
        words = plain(title).removeprefix(plain(brand))  # some shops begin titles with the brand
        names.append((f"{plain(brand)} {words}" if words and plain(brand) != plain(UNKNOWN) else "", number))
    base.executemany("UPDATE product SET name = ? WHERE id = ?", names)


def _match(base: sqlite3.Connection, folder: Path, group: Iterable[sqlite3.Row]) -> list[list[int]]:
    """Those of a group of the same brand and title that are the same shoe, by their ids: one of a store, and a picture in common."""
    found: list[list[tuple[sqlite3.Row, list[bytes]]]] = []
    for row in group:
        seen = [photo["signature"] for photo in photos_of(base, folder, row["id"])]
        for members in found:
            if all(
                row["store"] != other["store"]
                and (None in (row["style"], other["style"]) or row["style"] == other["style"])
                for other, _ in members
            ) and any(same_picture(one, theirs).any() for one in seen for _, theirs in members if theirs):
                members.append((row, seen))
                break
        else:
            found.append([(row, seen)])
    return [[row["id"] for row, _ in members] for members in found if len(members) > 1]


def owners_of(base: sqlite3.Connection, photos: list[int]) -> dict[int, tuple[int, int]]:
    """Of photos: the product, and what all products that are its shoe have in common. Call it in a transaction."""
    owners = {}
    for start in range(0, len(photos), 500):
        part = photos[start : start + 500]
        marks = ", ".join("?" * len(part))
        rows = base.execute(
            "SELECT photo.id, product, coalesce(shoe, product) AS shoe FROM photo "
            f"JOIN product ON product.id = product WHERE photo.id IN ({marks})",
            part,
        )
        owners.update({row["id"]: (row["product"], row["shoe"]) for row in rows})
    return owners


def offers_of(base: sqlite3.Connection, folder: Path, product: Product, fitting: set[int] | None) -> list[Product]:
    """The offers of that product's shoe, those that can be bought first, then by price; all with its photo.

    Of others only those in `fitting`, or all. Call it in a transaction.
    """
    rows = base.execute(
        "SELECT *, '' AS hash FROM product WHERE shoe = (SELECT shoe FROM product WHERE id = ?1) AND id <> ?1",
        (product.id,),
    )
    others = [Product.of_row(folder, row) for row in rows if fitting is None or row["id"] in fitting]
    return sorted([product, *(replace(other, photo=product.photo) for other in others)], key=lambda offer: offer.order)
