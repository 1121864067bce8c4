"""A catalogue as one file: Parquet, a row for each photo with its product, written and read a piece at a time.

Pictures have the form of Hugging Face datasets, so that pandas, DuckDB and datasets open a snapshot. Nothing in it is compressed:
pictures are already, and what is not packed can't unpack to more than the file holds.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, ValidationError

from dreamkicks import pictures
from dreamkicks.catalogue import footer
from dreamkicks.catalogue.catalogue import Catalogue, OnProgress
from dreamkicks.catalogue.ledger import Ledger
from dreamkicks.catalogue.likeness import same_picture, signature
from dreamkicks.catalogue.photos import keep_photo, photo_path
from dreamkicks.catalogue.product import MINE, web_address
from dreamkicks.errors import CatalogueError, PictureError
from dreamkicks.stores.names import UNKNOWN, style_of
from dreamkicks.text import clean

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP = 16_000_000
"""Bytes of pictures in a row group, which is held in memory while it is written."""
_SEARCHED = ["store", "brand", "price", "available", "checked"]
"""Columns whose lowest and highest value the footer tells of each group."""
_MOST_GROUP = 256_000_000
_MOST_ROWS = 1_000_000
_MOST_JSON = 100_000
_MOST_PRICES = 1000
"""The newest of a product that travel."""
_PAGE = 500
"""Photos asked of the database at once."""
# When a product was last looked at in its shop, whether that lists it still or not.
_CHECKED = "coalesce(listing.checked, product.seen)"


def _text(limit: int, otherwise: str = "") -> AfterValidator:
    return AfterValidator(lambda said: clean(said, limit) or otherwise)


def _short(said: object) -> object:
    if isinstance(said, str) and len(said) > _MOST_JSON:
        raise ValueError(f"has over {_MOST_JSON:,} characters")
    return said


def _moment(said: str) -> str:
    datetime.fromisoformat(said)
    return said


_Bounded = BeforeValidator(_short)
_Address = Annotated[str | None, AfterValidator(web_address)]
_Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
_Since = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9-]{5}T[0-9:]{8}\+00:00$"), AfterValidator(_moment)]
_Price = Annotated[str, Field(pattern=r"^[0-9]{1,8}(\.[0-9]{1,2})?$")]


class Row(BaseModel):
    """A photo and what is known of its product; the fields are a snapshot's columns, in their order.

    Texts are cleaned and addresses that are none of the web's are dropped, as those of an import are; anything else that an
    export does not write makes the row invalid.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    store: Annotated[str, _text(60, MINE)]
    url: _Address
    brand: Annotated[str, _text(60, UNKNOWN)]
    title: Annotated[str, _text(300, "Untitled")]
    price: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)] | None
    currency: _Currency | None
    style: Annotated[str | None, AfterValidator(lambda said: style_of(said))]
    available: bool
    sizes: Annotated[Json[tuple[tuple[Annotated[str, _text(60)], bool], ...]] | None, _Bounded]
    """JSON: [["EU 42", true], ...], true where it can be bought."""
    prices: Annotated[Json[tuple[tuple[_Since, _Price | None, _Currency | None], ...]], _Bounded]
    """JSON: [["2026-03-01T07:30:00+00:00", "129.95", "EUR"], ...], the oldest first."""
    checked: datetime | None
    """When it was last looked at in its shop; None for what no refresh brought in."""
    stamp: Annotated[str, _text(300)] | None
    fingerprint: Annotated[str, _text(100)] | None
    """What a refresh compares; None for what its shop does not list any more."""
    source: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the pixels that came in, before they were made smaller."""
    address: _Address
    """Where its shop has the picture."""
    image: bytes

    @property
    def key(self) -> str:
        """What tells the product from the others of its store."""
        return self.url or self.source


@functools.cache
def schema() -> pa.Schema:
    """The columns of a snapshot, and which of them datasets show as a picture."""
    import pyarrow as pa

    kinds = {
        "price": pa.decimal128(10, 2),
        "available": pa.bool_(),
        "checked": pa.timestamp("us", "UTC"),
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    }
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    columns = [(name, kinds.get(name, pa.string())) for name in Row.model_fields]
    return pa.schema(columns, {"huggingface": json.dumps(features)})


# -------------------------------------------------------------------- writing


def write(catalogue: Catalogue, file: IO[bytes], on_progress: OnProgress | None = None) -> int:
    """Write all photos whose files are there, each with its product; returns how many.

    Raises CatalogueError when there are more than an import takes.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with catalogue.transaction() as base:
        (total,) = base.execute("SELECT count(*) FROM photo").fetchone()
    if total > _MOST_ROWS:
        raise CatalogueError(f"The catalogue has {total:,} photos; a snapshot holds {_MOST_ROWS:,} at most.")
    count, size, group = 0, 0, []
    with parquet.ParquetWriter(
        file, schema(), compression="none", use_dictionary=False, write_statistics=_SEARCHED, write_page_checksum=True
    ) as writer:
        for place, row in enumerate(_photos(catalogue)):
            if on_progress:
                on_progress(place, max(total, place))
            if row is None:
                continue
            count, size = count + 1, size + len(row["image"]["bytes"])
            group.append(row)
            if size >= _GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema()))
                size, group = 0, []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema()))
    return count


def _photos(catalogue: Catalogue) -> Iterator[dict[str, Any] | None]:
    """The rows, by product and photo in the order they came; None for a photo whose file is lost."""
    last = (0, 0)
    while True:
        with catalogue.transaction() as base:
            page = base.execute(
                f"SELECT product.*, photo.id AS photo, source, hash, address, stamp, fingerprint, {_CHECKED} AS checked, "
                "(SELECT json_group_array(json_array(since, price, currency)) FROM "
                "(SELECT * FROM (SELECT since, price, currency FROM price WHERE price.product = product.id "
                f"ORDER BY rowid DESC LIMIT {_MOST_PRICES}) ORDER BY since)) AS prices "
                "FROM photo JOIN product ON product.id = photo.product "
                "LEFT JOIN listing ON listing.store = product.store AND listing.key = product.key "
                "WHERE (photo.product, photo.id) > (?, ?) ORDER BY photo.product, photo.id LIMIT ?",
                (*last, _PAGE),
            ).fetchall()
        if not page:
            return
        last = (page[-1]["id"], page[-1]["photo"])
        for found in page:
            path = photo_path(catalogue.folder, found["hash"])
            try:
                image = {"bytes": path.read_bytes(), "path": path.name}
            except OSError:
                yield None
                continue
            yield {
                **{name: found[name] for name in Row.model_fields if name != "image"},
                "price": None if found["price"] is None else Decimal(found["price"]),
                "available": bool(found["available"]),
                "checked": None if found["checked"] is None else datetime.fromtimestamp(found["checked"], UTC),
                "image": image,
            }


# -------------------------------------------------------------------- reading


class Snapshot:
    """A snapshot that was checked as far as its footer tells: its columns, and that no part of it is too large to be read.

    Iterating reads a row at a time, so that memory grows with neither rows nor repetition, and gives a function for each: it
    returns the row, or raises PictureError with what is wrong with it. Raises CatalogueError where the file is damaged.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        """Raises CatalogueError when an export did not write it, or it is cut short or damaged."""
        import pyarrow as pa
        from pyarrow import parquet

        self._name = clean(name, 500)
        try:
            self._rows = self._check_groups(footer.row_groups(file))
            self._file = parquet.ParquetFile(
                file, pre_buffer=False, buffer_size=65536, page_checksum_verification=True,
                thrift_string_size_limit=footer.MOST_BYTES, thrift_container_size_limit=footer.MOST_BYTES,
            )  # fmt: skip
            self._check_columns(self._file.schema_arrow)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise CatalogueError(
                f"{self._name} is no snapshot that an export wrote, or it is cut short. Export or copy it again."
            ) from error

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Callable[[], Row]]:
        import pyarrow as pa

        columns, count = [name if name != "image" else "image.bytes" for name in Row.model_fields], 0
        try:
            for batch in self._file.iter_batches(1, columns=columns, use_threads=False):
                count += 1
                yield functools.partial(_row, batch)
            if count != self._rows:
                raise OSError("rows are missing")
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise CatalogueError(
                f"{self._name} is damaged after row {count:,}; what came before is kept. Copy or export it again, and import "
                "once more."
            ) from error

    def _check_columns(self, columns: pa.Schema) -> None:
        for wanted in schema():
            found = [column for column in columns if column.name == wanted.name]
            kinds = ", ".join(map(_kind, found)) or "missing"
            if kinds != _kind(wanted):
                raise CatalogueError(
                    f"The column '{wanted.name}' of {self._name} should be {_kind(wanted)}, and is {clean(kinds, 100)}. "
                    "Export it again."
                )

    def _check_groups(self, groups: list[footer.RowGroup]) -> int:
        """How many rows they hold."""
        if any(group.compressed for group in groups):
            raise CatalogueError(f"{self._name} is compressed, which exports are not. Write it without compression.")
        if any(group.size > _MOST_GROUP for group in groups):
            raise CatalogueError(
                f"{self._name} has a row group over {_MOST_GROUP // 1_000_000} MB. Write it with smaller ones."
            )
        rows = sum(group.rows for group in groups)
        if rows > _MOST_ROWS:
            raise CatalogueError(f"{self._name} has {rows:,} rows; {_MOST_ROWS:,} is the most. Split it.")
        return rows


def _kind(column: pa.Field) -> str:
    """What a column holds, without what other writers choose otherwise: large_string, decimal128(5, 2)."""
    return re.sub(r"large_|\d+\([^)]*\)", "", str(column.type))


def _row(batch: pa.RecordBatch) -> Row:
    try:
        (values,) = batch.to_pylist()
        return Row.model_validate({**values, "image": (values["image"] or {}).get("bytes")})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise PictureError(clean(f"its {first['loc'][0]} can't be used: {first['msg']}")) from None
    except (ValueError, OverflowError):  # no UTF-8, a time beyond the calendar
        raise PictureError("it holds a text or a time that can't be read") from None


# -------------------------------------------------------------------- bringing in


def take(catalogue: Catalogue, row: Row, name: str) -> Literal["added", "updated", "skipped"]:
    """Bring a row in: its photo where its product does not have it, and the rest where a shop was asked later than here.

    "added" when the photo was, "updated" when only the rest was, "skipped" when nothing was new. Durable when it returns. Call
    it inside `catalogue.writing`. Raises PictureError, which calls the picture by that name.
    """
    photo = _new_photo(catalogue, row, name)
    checked = None if row.checked is None or row.url is None else min(row.checked.timestamp(), time.time())
    with catalogue.transaction() as base:
        found = base.execute(
            f"SELECT product.id, {_CHECKED} AS checked, fingerprint FROM product LEFT JOIN listing USING (store, key) "
            "WHERE product.store = ? AND product.key = ?",
            (row.store, row.key),
        ).fetchone()
        newer = found is None or _is_newer(checked, row.fingerprint, found["checked"], found["fingerprint"])
        number = _write_product(base, row, checked) if newer else found["id"]
        if photo:
            base.execute(
                "INSERT INTO photo (product, source, hash, signature, address) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
                "(product, source) DO UPDATE SET hash = excluded.hash, signature = excluded.signature",
                (number, row.source, *photo, row.address),
            )
        longer = _write_prices(base, number, row)
    return "added" if photo else "updated" if newer or longer else "skipped"


def _is_newer(theirs: float | None, fingerprint: str | None, ours: float | None, our_fingerprint: str | None) -> bool:
    """Whether theirs is what a shop said later, of a product that both know.

    In whole seconds, as other writers may round; what a shop listed when it was last looked at, it may have dropped since. A look that
    failed says nothing.
    """
    if fingerprint == "":
        return False
    if theirs is None or ours is None:
        return theirs is not None
    if int(theirs) == int(ours):
        return fingerprint is None and our_fingerprint is not None
    return theirs > ours


def _new_photo(catalogue: Catalogue, row: Row, name: str) -> tuple[str, bytes] | None:
    """The hash and signature of the row's picture, which is kept; None when its product has it, in this file or another."""
    photos = Ledger(catalogue).photos(row.store, row.key)
    there = [photo for photo in photos if photo_path(catalogue.folder, photo.hash).is_file()]
    if row.source in {photo.source for photo in there}:
        return None
    picture = pictures.load(row.image, name)
    seen = signature(picture)
    if same_picture(seen, [photo.signature for photo in there]).any():
        return None
    return keep_photo(catalogue.folder, picture), seen


def _write_product(base: sqlite3.Connection, row: Row, checked: float | None) -> int:
    """All but photos and prices; the listing spares a refresh here from asking for what the other one knew."""
    values = {
        **row.model_dump(include={"store", "brand", "title", "currency", "url", "available", "style"}),
        "key": row.key,
        "price": None if row.price is None else f"{row.price:.2f}",
        "sizes": None if row.sizes is None else json.dumps(row.sizes, ensure_ascii=False),
        "seen": checked if row.fingerprint is None else None,
    }
    renewed = ", ".join(f"{column} = excluded.{column}" for column in values if column not in ("store", "key"))
    (number,) = base.execute(
        f"INSERT INTO product ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) "
        f"ON CONFLICT (store, key) DO UPDATE SET {renewed} RETURNING id",
        tuple(values.values()),
    ).fetchone()
    base.execute("DELETE FROM listing WHERE store = ? AND key = ?", (row.store, row.key))
    if checked is not None and row.fingerprint is not None:
        base.execute(
            "INSERT INTO listing (store, key, stamp, fingerprint, checked) VALUES (?, ?, ?, ?, ?)",
            (row.store, row.key, row.stamp, row.fingerprint, checked),
        )
    return int(number)


def _write_prices(base: sqlite3.Connection, number: int, row: Row) -> bool:
    """Both histories as one; tells whether that says more than the one here did."""
    before = [
        tuple(price)
        for price in base.execute(
            "SELECT since, price, currency FROM price WHERE product = ? ORDER BY rowid", (number,)
        )
    ]
    both = sorted({*before, *row.prices}, key=lambda price: [part or "" for part in price])
    after = [next(same) for _, same in itertools.groupby(both, key=lambda price: price[1:])]
    if after == before:
        return False
    base.execute("DELETE FROM price WHERE product = ?", (number,))
    base.executemany("INSERT INTO price VALUES (?, ?, ?, ?)", [(number, *price) for price in after])
    return True
