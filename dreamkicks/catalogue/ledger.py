"""What shops said last, and what their products cost over time: the refresh's way into a catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dreamkicks.catalogue import shoes
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import web_address
from dreamkicks.stores.store import Offer


@dataclass(frozen=True)
class Known:
    """How an address of a shop was found last. A fingerprint is compared with an offer's."""

    stamp: str | None
    fingerprint: str
    checked: float


@dataclass(frozen=True)
class Photo:
    """A kept photo: where it came from, the hash of its pixels, that of its file, and what it is compared by."""

    address: str
    source: str
    hash: str
    signature: bytes


class Ledger:
    """Every method is one transaction; call those that write inside `catalogue.writing`. Any thread may use it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def known(self, store: str, key: str) -> Known | None:
        with self._catalogue.transaction() as base:
            row = base.execute(
                "SELECT stamp, fingerprint, checked FROM listing WHERE store = ? AND key = ?", (store, key)
            ).fetchone()
        return Known(*row) if row else None

    def addresses(self, store: str, key: str) -> set[str]:
        """Where the photos that a product has came from."""
        with self._catalogue.transaction() as base:
            rows = base.execute(
                "SELECT address FROM photo JOIN product ON product.id = photo.product "
                "WHERE store = ? AND key = ? AND address IS NOT NULL",
                (store, key),
            ).fetchall()
        return {row[0] for row in rows}

    def held(self) -> int:
        """How many photos all products have."""
        with self._catalogue.transaction() as base:
            return int(base.execute("SELECT count(*) FROM photo").fetchone()[0])

    def photos(self, store: str, key: str) -> list[Photo]:
        """The photos that a product has. Call it inside `catalogue.writing`."""
        with self._catalogue.transaction() as base:
            row = base.execute("SELECT id FROM product WHERE store = ? AND key = ?", (store, key)).fetchone()
            rows = shoes.photos_of(base, self._catalogue.folder, row["id"]) if row else []
        return [Photo(row["address"] or "", row["source"], row["hash"], row["signature"]) for row in rows]

    def note(self, store: str, found: Mapping[str, Known]) -> None:
        """Remember how addresses were found; their products stay as they are."""
        rows = [_listing(store, key, known) for key, known in found.items()]
        with self._catalogue.transaction() as base:
            base.executemany("INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?)", rows)

    def dismiss(self, store: str, key: str, known: Known) -> None:
        """Remember that an address is no product of interest; if it was one, it is not sold any more."""
        with self._catalogue.transaction() as base:
            base.execute("INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?)", _listing(store, key, known))
            base.execute("UPDATE product SET available = 0 WHERE store = ? AND key = ?", (store, key))

    def keep(self, store: str, offer: Offer, photos: Iterable[Photo], known: Known) -> bool:
        """Keep an offer with what is new of its photos; tells whether the product is new."""
        price = None if offer.price is None else str(offer.price)
        sizes = json.dumps([[size.label, size.available] for size in offer.sizes], ensure_ascii=False)
        with self._catalogue.transaction() as base:
            (new,) = base.execute(
                "SELECT NOT EXISTS (SELECT 1 FROM product WHERE store = ? AND key = ?)", (store, offer.url)
            ).fetchone()
            (number,) = base.execute(
                "INSERT INTO product (store, key, brand, title, price, currency, url, available, style, sizes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (store, key) DO UPDATE SET brand = excluded.brand, "
                "title = excluded.title, price = excluded.price, currency = excluded.currency, url = excluded.url, "
                "available = excluded.available, style = excluded.style, sizes = excluded.sizes RETURNING id",
                (
                    *(store, offer.url, offer.brand, offer.title, price, offer.currency),
                    *(web_address(offer.url), offer.available, offer.style, sizes),
                ),
            ).fetchone()
            base.executemany(
                "INSERT INTO photo (product, source, hash, address, signature) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (product, source) DO UPDATE SET address = excluded.address",
                [(number, photo.source, photo.hash, photo.address, photo.signature) for photo in photos],
            )
            # Photos that the shop took away go, unless none would be left.
            shown = json.dumps(offer.pictures)
            base.execute(
                "DELETE FROM photo WHERE product = ?1 AND address NOT IN (SELECT value FROM json_each(?2)) AND EXISTS "
                "(SELECT 1 FROM photo WHERE product = ?1 AND address IN (SELECT value FROM json_each(?2)))",
                (number, shown),
            )
            base.execute(
                "INSERT INTO price SELECT ?1, ?2, ?3, ?4 WHERE (?3, ?4) IS NOT "
                "(SELECT price, currency FROM price WHERE product = ?1 ORDER BY rowid DESC LIMIT 1)",
                (number, _utc(known.checked), price, offer.currency),
            )
            base.execute("INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?)", _listing(store, offer.url, known))
        return bool(new)

    def listed(self, store: str) -> set[str]:
        """All addresses that a shop listed when it was last read."""
        with self._catalogue.transaction() as base:
            return {row[0] for row in base.execute("SELECT key FROM listing WHERE store = ?", (store,))}

    def retire(self, store: str, gone: Iterable[str]) -> int:
        """Mark what a shop no longer lists as not available; returns how many products that changed.

        When it was last looked at is kept with a product.
        """
        rows = [(store, key) for key in gone]
        with self._catalogue.transaction() as base:
            changed = base.executemany(
                "UPDATE product SET available = 0 WHERE store = ? AND key = ? AND available", rows
            ).rowcount
            base.executemany(
                "UPDATE product SET seen = checked FROM listing WHERE listing.store = ? AND listing.key = ? "
                "AND product.store = listing.store AND product.key = listing.key",
                rows,
            )
            base.executemany("DELETE FROM listing WHERE store = ? AND key = ?", rows)
        return changed

    def prices(self, store: str, key: str) -> list[tuple[str, str | None, str | None]]:
        """(since, price, currency), the oldest first."""
        with self._catalogue.transaction() as base:
            rows = base.execute(
                "SELECT since, price.price, price.currency FROM price JOIN product ON product.id = price.product "
                "WHERE store = ? AND key = ? ORDER BY price.rowid",
                (store, key),
            ).fetchall()
        return [tuple(row) for row in rows]

    def refreshed(self) -> dict[str, tuple[int, int, str]]:
        """By store: products, those that can be bought, and when it was last looked at (UTC)."""
        with self._catalogue.transaction() as base:
            rows = base.execute(
                "SELECT product.store, count(*), sum(available), max(checked) FROM product "
                "JOIN listing ON listing.store = product.store AND listing.key = product.key GROUP BY product.store"
            ).fetchall()
        return {row[0]: (row[1], row[2], _utc(row[3])) for row in rows}


def _listing(store: str, key: str, known: Known) -> tuple[str, str, str | None, str, float]:
    return store, key, known.stamp, known.fingerprint, known.checked


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
