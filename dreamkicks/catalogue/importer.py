"""Brings pictures from a folder, a CSV file or an exported archive into the catalogue."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from dreamkicks import pictures
from dreamkicks.catalogue.catalogue import Catalogue, Listing, OnProgress, PictureEncoder
from dreamkicks.errors import CatalogueError, PictureError
from dreamkicks.files import write_atomic
from dreamkicks.text import clean

TABLE = "products.csv"
COLUMNS = ("file", "brand", "title", "price", "currency", "url", "store")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
_MOST_TABLE_BYTES = 200_000_000


@dataclass
class ImportReport:
    """What came of an import. `failed` holds a name and a reason for each picture that was left out."""

    added: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    name: str
    picture: Path | bytes | None
    """None for a name that leads out of the folder."""
    row: dict[str, str]


def import_products(
    catalogue: Catalogue,
    encoder: PictureEncoder,
    source: Path,
    table: Path | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import a folder of pictures, a CSV file beside its pictures, or an archive that `export_products` wrote.

    The table's `file` column names pictures relative to the folder; without a table every picture in the folder is taken and
    named after its file. What is known already (by its pixels) is skipped, so an interrupted import just goes on.
    Raises CatalogueError when there is nothing to import from, CatalogueBusy, Cancelled.
    """
    report = ImportReport()
    with catalogue.writing():
        items = list(_items(source, table))
        try:
            for place, item in enumerate(items):
                if on_progress:
                    on_progress(place, len(items))
                _take(catalogue, item, report)
        finally:
            # What was taken so far is made findable even when somebody pressed Ctrl-C.
            catalogue.index(encoder)
        if on_progress:
            on_progress(len(items), len(items))
    return report


def export_products(catalogue: Catalogue, file: Path) -> int:
    """Write all products with a photo each to one zip archive; returns how many."""
    buffer, table = io.BytesIO(), io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    count = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for product in catalogue.products():
            if not product.photo.is_file():
                continue
            name = f"photos/{product.photo.name}"
            if name not in archive.namelist():
                archive.write(product.photo, name)
            row = {"file": name, "price": "" if product.price is None else str(product.price)}
            row |= {column: getattr(product, column) or "" for column in ("brand", "title", "currency", "url", "store")}
            writer.writerow(row)
            count += 1
        archive.writestr(TABLE, table.getvalue())
    write_atomic(file, buffer.getvalue())
    return count


def _take(catalogue: Catalogue, item: _Item, report: ImportReport) -> None:
    if item.picture is None:
        report.failed.append((item.name, "lies outside the folder"))
        return
    try:
        picture = pictures.load(item.picture, name=item.name)
    except PictureError as error:
        report.failed.append((item.name, str(error).removeprefix(f"{item.name} ")))
        return
    if catalogue.knows(pictures.digest(picture)):
        report.skipped += 1
        return
    price, currency = None, item.row.get("currency") or None
    if text := (item.row.get("price") or "").strip():
        try:
            price = parse_price(text)
        except ValueError as error:
            report.failed.append((item.name, f"{error}; imported without a price"))
    stem = re.sub(r"[_\-.]+", " ", Path(item.name).stem)
    catalogue.keep(
        picture,
        Listing(
            brand=item.row.get("brand") or "Unknown",
            title=item.row.get("title") or stem,
            store=item.row.get("store") or "mine",
            price=price,
            currency=currency if price is not None else None,
            url=item.row.get("url"),
        ),
    )
    report.added += 1


def parse_price(text: str) -> Decimal:
    """A plain decimal number, 0 or more. Raises ValueError that names the text."""
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0 or price > 10_000_000:
        raise ValueError(f"the price '{clean(text, 30)}' is no number such as 129.95")
    return price


def _items(source: Path, table: Path | None) -> Iterator[_Item]:
    if source.is_file() and source.suffix.lower() == ".zip":
        yield from _archive(source)
        return
    if source.is_file() and source.suffix.lower() == ".csv":
        source, table = source.parent, source
    if not source.is_dir():
        raise CatalogueError(f"{source} is no folder, CSV file or exported archive. Check the path.")
    if table is None:
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                yield _Item(str(path.relative_to(source)), path, {})
        return
    try:
        data = table.read_bytes()
    except OSError as error:
        raise CatalogueError(f"The table {table} can't be read: {error.strerror}. Check the path.") from error
    root = source.resolve()
    for row in _rows(data, str(table)):
        path = (root / row["file"]).resolve() if "\0" not in row["file"] else root.parent
        yield _Item(clean(row["file"]), path if path.is_relative_to(root) else None, row)


def _archive(source: Path) -> Iterator[_Item]:
    """Pictures are read out of the archive by name and never unpacked to disk."""
    try:
        with zipfile.ZipFile(source) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if sizes.get(TABLE, _MOST_TABLE_BYTES) >= _MOST_TABLE_BYTES:
                raise CatalogueError(f"{source} holds no usable {TABLE}. Export it again.")
            for row in _rows(archive.read(TABLE), TABLE):
                size = sizes.get(row["file"])
                fits = size is not None and size <= pictures.MOST_BYTES
                yield _Item(clean(row["file"]), archive.read(row["file"]) if fits else b"", row)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise CatalogueError(f"{source} is no archive that can be read. Export it again.") from error


def _rows(data: bytes, name: str) -> Iterator[dict[str, str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{name} is not UTF-8 text. Save it as CSV in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text))
    if not reader.fieldnames or "file" not in reader.fieldnames:
        raise CatalogueError(f"{name} has no column 'file'. Its first line should be: {','.join(COLUMNS)}.")
    try:
        for row in reader:
            yield {key: value or "" for key, value in row.items() if key in COLUMNS and isinstance(value, str | None)}
    except csv.Error as error:
        raise CatalogueError(f"{name} is no CSV that can be read: {error}. Save it again.") from error
