"""The one door to products on disk: keep them, index them, find them, check them."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from dreamkicks import files, locations, pictures
from dreamkicks.brands.classifier import open_brands
from dreamkicks.catalogue import database, shoes, vectors
from dreamkicks.catalogue.likeness import same_picture, signature
from dreamkicks.catalogue.photos import faults, keep_photo, photo_path, sweep_photos
from dreamkicks.catalogue.product import Filters, Finding, Listing, Product, web_address
from dreamkicks.errors import CatalogueBusy, CatalogueError, PictureError, StorageError
from dreamkicks.stores.names import style_of
from dreamkicks.text import clean

_BATCH = 64

OnProgress = Callable[[int, int], None]
"""Told how many are done of how many. It may raise Cancelled."""


class PictureEncoder(Protocol):
    """What indexing needs of an encoder."""

    identity: str
    dim: int

    def pictures(self, images: list[Image.Image]) -> np.ndarray: ...


@dataclass(frozen=True)
class Stats:
    products: int
    photos: int
    indexed: int
    encoder: str | None
    recall: float | None
    """Of the true ten nearest photos, the share that a search finds; None where all are."""
    generation: int | None
    bytes: int
    brands: dict[str, int]
    stores: dict[str, int]
    prices: dict[str, tuple[str, str]]
    """Lowest and highest price by currency."""


@dataclass(frozen=True)
class Problem:
    what: str
    advice: str


class Catalogue:
    """A folder of products. Many may read while one writes; see design of vectors.py for why readers never break."""

    def __init__(self, folder: Path) -> None:
        """Open a catalogue, made empty when absent. Raises CatalogueError, CatalogueTooNew, StorageError."""
        self.folder = folder
        with files.storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._connection = database.connect(folder)
        # Few callers close; however a process ends but by a kill, the header is noted.
        self._closing = weakref.finalize(self, database.close, self._connection, folder)
        self._vectors: vectors.Vectors | None = None
        self._guard = threading.RLock()

    @classmethod
    def of_user(cls) -> Catalogue:
        """The person's own catalogue; at first a copy of the one that ships."""
        folder = locations.catalogue()
        if not (folder / database.NAME).exists() and (locations.concepts() / database.NAME).exists():
            with files.storage(folder):
                folder.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".catalogue-") as beside:
                    shutil.copytree(locations.concepts(), Path(beside) / "copy")
                    try:
                        (Path(beside) / "copy").rename(folder)
                    except OSError as error:
                        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another process was quicker
                            raise
        return cls(folder)

    def close(self) -> None:
        self._closing()

    # ---------------------------------------------------------------- finding

    def search(self, vector: np.ndarray, encoder: str, k: int = 10, filters: Filters | None = None) -> list[Finding]:
        """The k nearest shoes to a unit vector (dim,) made by the encoder of that identity; all k when so many fit.

        Raises CatalogueError when the index was made by another encoder; `index` mends that.
        """
        loaded = self._load()
        if loaded is None:
            return []
        if loaded.encoder != encoder:
            raise CatalogueError(
                "The catalogue was indexed by another encoder. Run dreamkicks catalog verify --repair."
            )
        fitting = self._fitting(filters) if filters else None
        allowed = None if fitting is None else np.fromiter(fitting, np.int64, len(fitting))
        count = 4 * k
        while True:
            hits = loaded.search(vector, count, allowed)
            with self.transaction() as base:
                owners = shoes.owners_of(base, [photo for photo, _ in hits])
            best: dict[int, tuple[float, int, int]] = {}
            for photo, score in hits:
                if photo in owners:
                    product, shoe = owners[photo]
                    best.setdefault(shoe, (score, product, photo))
            if len(best) >= k or len(hits) < count:
                break
            count *= 4
        products = None if fitting is None else set(fitting.values())
        found = []
        for rank, (score, product, photo) in enumerate(list(best.values())[:k], start=1):
            with self.transaction() as base:
                first, *also = shoes.offers_of(base, self.folder, self.product(product, photo), products)
            found.append(Finding(rank, score, first, also=tuple(also)))
        return found

    def check_filters(self, filters: Filters) -> None:
        """Raises CatalogueError for a brand, store or currency that no product has, naming those there are."""
        for column, value in filters.texts():
            if not self._ask(f"SELECT 1 FROM product WHERE {column} = ? COLLATE NOCASE LIMIT 1", (value,)):
                known = ", ".join(list(self._count(column))[:30]) or "none"
                raise CatalogueError(f"The catalogue has no {column} '{clean(value, 60)}'. It has: {known}.")

    def product(self, number: int, photo: int | None = None) -> Product:
        """A product by its id, with that photo, else its first. Raises CatalogueError when there is none."""
        row = self._ask(
            "SELECT product.*, hash FROM product JOIN photo ON photo.product = product.id "
            "WHERE product.id = ? ORDER BY photo.id = ? DESC, photo.id LIMIT 1",
            (number, photo),
        )
        if not row:
            raise CatalogueError(f"The catalogue has no product {number}. Search again.")
        return Product.of_row(self.folder, row[0])

    def products(self) -> Iterator[Product]:
        """All products that have a photo, in the order they came."""
        for row in self._ask(
            "SELECT product.*, hash FROM product JOIN photo ON photo.id = "
            "(SELECT min(id) FROM photo WHERE photo.product = product.id) ORDER BY product.id"
        ):
            yield Product.of_row(self.folder, row)

    # ---------------------------------------------------------------- keeping

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer. Raises CatalogueBusy at once when another process is."""
        busy = CatalogueBusy(f"Another dreamkicks is writing to {self.folder}. Wait until it is done, then try again.")
        with files.lock(self.folder / "lock", busy):
            yield

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is written to the connection, or nothing; one thread at a time. Call it inside `writing`."""
        try:
            with self._guard, self._connection as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise database.unusable(self.folder, error) from error

    def knows(self, picture: Image.Image, listing: Listing) -> bool:
        """Whether its product has that picture, in this file or another; without an address, whether any product has it.

        Call it inside `writing`.
        """
        source = pictures.digest(picture)
        if web_address(listing.url) is None:
            rows = self._ask("SELECT hash FROM photo WHERE source = ?", (source,))
            return any(photo_path(self.folder, row["hash"]).is_file() for row in rows)
        with self.transaction() as base:
            row = base.execute("SELECT id FROM product WHERE store = ? AND key = ?", listing.place(source)).fetchone()
            return row is not None and self._shows(base, row["id"], signature(picture))

    def keep(self, picture: Image.Image, listing: Listing) -> int:
        """Keep a product with its photo, or one more photo of a product (same store and url); returns the product's id.

        A picture that the product has in another file adds no photo. Call it inside `writing`, and `index` afterwards. The
        product is durable when this returns.
        """
        source, seen = pictures.digest(picture), signature(picture)
        store, key = listing.place(source)
        url = web_address(listing.url)
        currency = (listing.currency or "").strip().upper()
        with self.transaction() as transaction:
            transaction.execute(
                "INSERT INTO product (store, key, brand, title, price, currency, url, style) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (store, key) DO UPDATE SET brand = excluded.brand, title = excluded.title, "
                "price = excluded.price, currency = excluded.currency, url = excluded.url, style = excluded.style, "
                "available = 1",
                (
                    store,
                    key,
                    clean(listing.brand, 60) or "Unknown",
                    clean(listing.title) or "Untitled",
                    None if listing.price is None else str(listing.price),
                    currency if re.fullmatch("[A-Z]{3}", currency) else None,
                    url,
                    style_of(listing.style, listing.title),
                ),
            )
            (number,) = transaction.execute(
                "SELECT id FROM product WHERE store = ? AND key = ?", (store, key)
            ).fetchone()
            if not self._shows(transaction, number, seen):
                transaction.execute(
                    "INSERT INTO photo (product, source, hash, signature) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (product, source) DO UPDATE SET hash = excluded.hash, signature = excluded.signature",
                    (number, source, keep_photo(self.folder, picture), seen),
                )
        return int(number)

    def index(self, encoder: PictureEncoder, on_progress: OnProgress | None = None) -> int:
        """Bring the vectors in step with the photos: encode what is new, drop what is gone, all anew for another encoder.

        Products that are the same shoe are joined, and by the built-in encoder's vectors photos are marked with what they show.
        Call it inside `writing`.

        Returns how many photos were encoded. Photos that can't be read are left out; `verify` names them.
        """
        with self.transaction() as base:
            shoes.join(base, self.folder)
        loaded = self._load_or_none()
        wanted = {row["id"]: row["hash"] for row in self._ask("SELECT id, hash FROM photo ORDER BY id")}
        keys, rows = [np.zeros(0, np.int64)], [np.zeros((0, encoder.dim), np.float32)]
        whole = loaded is not None and loaded.encoder == encoder.identity
        if loaded is not None and whole:
            there = np.isin(loaded.keys, np.fromiter(wanted, np.int64, len(wanted)))
            whole = bool(there.all())
            keep = slice(None) if whole else there  # a slice copies nothing
            keys, rows = [loaded.keys[keep]], [loaded.rows[keep]]
            unseen = [row["id"] for row in self._ask("SELECT id FROM photo WHERE view IS NULL")]
            unmarked = np.isin(keys[0], unseen)  # an earlier version embedded them
            self._mark(encoder.identity, keys[0][unmarked], rows[0][unmarked])
        have = set(keys[0].tolist())
        missing = [
            n for n, digest in wanted.items() if n not in have and files.is_file(photo_path(self.folder, digest))
        ]
        if missing or not whole:
            self._vectors = loaded = None  # each copy of 30,000 photos' vectors is 30 MB
        for start in range(0, len(missing), _BATCH):
            if on_progress:
                on_progress(start, len(missing))
            read = [(photo, image) for photo in missing[start : start + _BATCH] if (image := self._read(wanted[photo]))]
            if read:
                keys.append(np.array([photo for photo, _ in read], np.int64))
                rows.append(encoder.pictures([image for _, image in read]))
                self._mark(encoder.identity, keys[-1], rows[-1])
        if on_progress:
            on_progress(len(missing), len(missing))
        encoded = sum(map(len, keys[1:]))
        if encoded or not whole:
            all_keys, all_rows = np.concatenate(keys), np.concatenate(rows)
            keys.clear()
            rows.clear()
            vectors.save(self.folder, encoder.identity, all_keys, all_rows)
        return encoded

    def in_step(self, encoder: str) -> bool:
        """Whether every photo can be found by that encoder's vectors."""
        loaded = self._load_or_none()
        count, newest = self._ask("SELECT count(*), max(id) FROM photo")[0]
        if loaded is None or count == 0:
            return count == 0 and (loaded is None or len(loaded.keys) == 0)
        # No id is given twice, so as many with the same last one are the same.
        return loaded.encoder == encoder and len(loaded.keys) == count and int(loaded.keys[-1]) == newest

    def indexed_by(self) -> str | None:
        """The identity of the encoder that made the index; None where there is none to be read."""
        loaded = self._load_or_none()
        return None if loaded is None else loaded.encoder

    # ---------------------------------------------------------------- checking

    def stats(self) -> Stats:
        loaded = self._load_or_none()
        prices: dict[str, tuple[str, str]] = {}
        for row in self._ask("SELECT COALESCE(currency, '') AS c, price FROM product WHERE price IS NOT NULL"):
            low, high = prices.get(row["c"], (row["price"], row["price"]))
            prices[row["c"]] = (min(low, row["price"], key=Decimal), max(high, row["price"], key=Decimal))
        return Stats(
            products=self._ask("SELECT count(*) FROM product")[0][0],
            photos=self._ask("SELECT count(*) FROM photo")[0][0],
            indexed=0 if loaded is None else len(loaded.keys),
            encoder=None if loaded is None else loaded.encoder,
            recall=None if loaded is None else loaded.recall,
            generation=None if loaded is None else loaded.generation,
            bytes=files.size_of(self.folder),
            brands=self._count("brand"),
            stores=self._count("store"),
            prices=prices,
        )

    def verify(self, on_progress: OnProgress | None = None) -> list[Problem]:
        """Read everything and compare: the database, every photo against its hash, the vectors against the photos."""
        if (state := self._state()) != "ok":  # and nothing that it says can be believed
            return [Problem(f"the database is damaged: {state}", f"move {self.folder} away and import again")]
        back = "run dreamkicks catalog verify --repair, then refresh its shop or import its picture again"
        lost, closed = faults(self.folder, self._hashes(), on_progress)
        problems = [Problem(what, back) for what in lost.values()]
        problems += [Problem(what, f"check the rights in {self.folder} and the disk") for what in closed.values()]
        try:
            loaded = vectors.load(self.folder)
        except CatalogueError as error:
            return [*problems, Problem(str(error).split(". ")[0], "run dreamkicks catalog verify --repair")]
        indexed = set() if loaded is None else set(loaded.keys.tolist())
        photos = {row["id"] for row in self._ask("SELECT id FROM photo")}
        if unseen := photos - indexed:
            problems.append(Problem(f"{len(unseen)} photos are not indexed", "run dreamkicks catalog verify --repair"))
        if gone := indexed - photos:
            problems.append(Problem(f"{len(gone)} vectors have no photo", "run dreamkicks catalog verify --repair"))
        return problems

    def repair(self, encoder: PictureEncoder, on_progress: OnProgress | None = None) -> list[Problem]:
        """Forget photos whose file is missing or damaged, delete files that are no product's photo, and `index`.

        A shop's product is due at its next refresh then, which fetches its photo again. Call it inside `writing`: nobody else
        is then between writing a file and its row. Returns what was forgotten. Raises CatalogueError when the database is
        damaged, StorageError when a photo can't be read, and then deletes nothing.
        """
        if (state := self._state()) != "ok":
            raise database.unusable(self.folder, sqlite3.DatabaseError(state))
        lost, closed = faults(self.folder, self._hashes(), on_progress)
        if closed:
            what = next(iter(closed.values()))
            raise StorageError(f"{what.capitalize()}. Check the rights in {self.folder} and the disk.")
        with self.transaction() as base:
            for digest in lost:
                base.execute(
                    # As the refresh marks what it has not all pictures of: the offer is as it was.
                    "UPDATE listing SET stamp = NULL, fingerprint = '?' || ltrim(fingerprint, '?') WHERE (store, key) IN "
                    "(SELECT store, key FROM product JOIN photo ON photo.product = product.id WHERE hash = ?)",
                    (digest,),
                )
                base.execute("DELETE FROM photo WHERE hash = ?", (digest,))
        sweep_photos(self.folder, set(self._hashes()))
        self.index(encoder, on_progress)
        return [Problem(what, "refresh its shop or import its picture again") for what in lost.values()]

    def _state(self) -> str:
        """ "ok", or what SQLite finds wrong with the database."""
        return clean(self._ask("PRAGMA integrity_check")[0][0], 200)

    def _hashes(self) -> list[str]:
        """Of the photos' files, in the order they came."""
        return [row["hash"] for row in self._ask("SELECT hash FROM photo GROUP BY hash ORDER BY min(id)")]

    def _count(self, column: str) -> dict[str, int]:
        rows = self._ask(
            f"SELECT {column}, count(*) FROM product WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY 2 DESC, 1"
        )
        return {row[0]: row[1] for row in rows}

    def _read(self, digest: str) -> Image.Image | None:
        try:
            return pictures.load(photo_path(self.folder, digest))
        except PictureError:
            return None

    def _mark(self, encoder: str, photos: np.ndarray, rows: np.ndarray) -> None:
        """Keep what photos (n,) show, where their vectors (n, dim) are such as the heads read. Raises WeightsError."""
        if len(photos) and (brands := open_brands()).encoder == encoder:
            with self.transaction() as base:
                marks = zip(brands.views(rows), photos.tolist(), strict=True)
                base.executemany("UPDATE photo SET view = ? WHERE id = ?", marks)

    def _load(self) -> vectors.Vectors | None:
        with self._guard:
            pointer = vectors.current(self.folder)
            if pointer is None:
                self._vectors = None
            elif self._vectors is None or self._vectors.generation != pointer[0]:
                self._vectors = vectors.load(self.folder)
            return self._vectors

    def _load_or_none(self) -> vectors.Vectors | None:
        try:
            return self._load()
        except vectors.VectorsDamaged:
            return None

    def _shows(self, base: sqlite3.Connection, product: int, seen: bytes) -> bool:
        """Whether a photo of the product has that signature, or nearly, and its file is there."""
        photos = shoes.photos_of(base, self.folder, product)
        there = [row["signature"] for row in photos if photo_path(self.folder, row["hash"]).is_file()]
        return bool(there) and bool(same_picture(seen, there).any())

    def _fitting(self, filters: Filters) -> dict[int, int] | None:
        """The photos that filters let through, each with its product; None for all."""
        conditions = [f"{column} = ? COLLATE NOCASE" for column, _ in filters.texts()]
        if filters.available:
            conditions.append("available = 1")
        if filters.max_price is not None:
            conditions.append("price IS NOT NULL")
        if not conditions:
            return None
        rows = self._ask(
            "SELECT photo.id, product, price FROM photo JOIN product ON product.id = photo.product WHERE "
            + " AND ".join(conditions),
            tuple(value for _, value in filters.texts()),
        )
        most = filters.max_price
        return {row["id"]: row["product"] for row in rows if most is None or Decimal(row["price"]) <= most}

    def _ask(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        try:
            with self._guard:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise database.unusable(self.folder, error) from error
