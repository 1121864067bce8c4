"""Brings pictures from a folder, a CSV file or an exported archive into the catalogue."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from dreamkicks import pictures
from dreamkicks.catalogue.catalogue import Catalogue, Listing, OnProgress, PictureEncoder
from dreamkicks.errors import CatalogueError, PictureError
from dreamkicks.files import replacing
from dreamkicks.text import clean

TABLE = "products.csv"
COLUMNS = ("file", "brand", "title", "price", "currency", "url", "store", "style")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
_MOST_TABLE_BYTES = 50_000_000
_MOST_ROWS = 500_000
_LONGEST_NAME = 300
_PRICE = re.compile(r"\d{1,8}(\.\d{1,2})?")


@dataclass
class ImportReport:
    """What came of an import. `failed` holds a name and a reason for each picture that was left out."""

    added: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    name: str
    read: Callable[[], Path | bytes]
    """Gives the picture; raises PictureError when there is none to be had."""
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
    with catalogue.writing(), contextlib.ExitStack() as opened:
        items = _items(source, table, opened)
        try:
            for place, item in enumerate(items):
                if on_progress:
                    on_progress(place, len(items))
                _take(catalogue, item, report)
        except BaseException:
            # What was taken so far is made findable even when somebody pressed Ctrl-C.
            catalogue.index(encoder)
            raise
        catalogue.index(encoder, on_progress)
        if on_progress:
            on_progress(len(items), len(items))
    return report


def export_products(catalogue: Catalogue, file: Path) -> int:
    """Write all products with a photo each to one zip archive; returns how many. Raises StorageError."""
    table, names, count = io.StringIO(), set(), 0
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    with replacing(file) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for product in catalogue.products():
            if not product.photo.is_file():
                continue
            name = f"photos/{product.photo.name}"
            if name not in names:
                names.add(name)
                archive.writestr(zipfile.ZipInfo(name), product.photo.read_bytes())
            row = {"file": name, "price": "" if product.price is None else str(product.price)}
            row |= {column: getattr(product, column) or "" for column in COLUMNS if column not in row}
            writer.writerow(row)
            count += 1
        archive.writestr(zipfile.ZipInfo(TABLE), table.getvalue())
    return count


def _take(catalogue: Catalogue, item: _Item, report: ImportReport) -> None:
    listing, problem = _listing(item)
    try:
        data = item.read()
        if isinstance(data, bytes) and catalogue.holds(hashlib.sha256(data).hexdigest(), listing):
            report.skipped += 1
            return
        picture = pictures.load(data, name=item.name)
    except PictureError as error:
        report.failed.append((item.name, str(error).removeprefix(f"{item.name} ")))
        return
    if catalogue.knows(picture, listing):
        report.skipped += 1
        return
    if problem:
        report.failed.append((item.name, problem))
    catalogue.keep(picture, listing)
    report.added += 1


def _listing(item: _Item) -> tuple[Listing, str | None]:
    """What a row lists, and what is wrong with its price."""
    price, problem = None, None
    if text := (item.row.get("price") or "").strip():
        try:
            price = parse_price(text)
        except ValueError as error:
            problem = f"{error}; imported without a price"
    stem = re.sub(r"[_\-.]+", " ", Path(item.name).stem)
    listing = Listing(
        brand=item.row.get("brand", ""),
        title=item.row.get("title") or stem,
        store=item.row.get("store", ""),
        price=price,
        currency=item.row.get("currency") if price is not None else None,
        url=item.row.get("url"),
        style=item.row.get("style"),
    )
    return listing, problem


def parse_price(text: str) -> Decimal:
    """A plain decimal number: 129, 129.95. Raises ValueError that names the text; "1.299" may mean two prices."""
    if not (text.isascii() and _PRICE.fullmatch(text)):
        raise ValueError(f"the price '{clean(text, 30)}' is no number such as 129.95")
    return Decimal(text)


def _items(source: Path, table: Path | None, opened: contextlib.ExitStack) -> list[_Item]:
    if source.is_file() and source.suffix.lower() == ".zip":
        return _in_archive(source, opened)
    if source.is_file() and source.suffix.lower() == ".csv":
        source, table = source.parent, source
    if not source.is_dir():
        raise CatalogueError(f"{source} is no folder, CSV file or exported archive. Check the path.")
    if table is not None:
        return _in_table(table, source.resolve())
    found = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in _SUFFIXES and path.is_file())
    return [
        _Item(clean(str(path.relative_to(source)), _LONGEST_NAME), functools.partial(Path, path), {}) for path in found
    ]


def _in_table(table: Path, root: Path) -> list[_Item]:
    """The pictures that a table names, relative to its folder."""
    try:
        with open(table, "rb") as file:
            data = file.read(_MOST_TABLE_BYTES + 1)
    except OSError as error:
        raise CatalogueError(f"The table {table} can't be read: {error.strerror}. Check the path.") from error

    def find(name: str) -> Path:
        try:
            path = (root / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links
            raise PictureError("has a name that no file can have") from error
        if not path.is_relative_to(root):
            raise PictureError("lies outside the folder")
        return path

    return [_Item(_name(row), functools.partial(find, row["file"]), row) for row in _rows(data, str(table))]


def _in_archive(source: Path, opened: contextlib.ExitStack) -> list[_Item]:
    """Pictures are read out of the archive by name when their turn comes, and never unpacked to disk."""
    try:
        archive = opened.enter_context(zipfile.ZipFile(source))
        table = _member(archive, TABLE, _MOST_TABLE_BYTES)
    except (zipfile.BadZipFile, OSError, PictureError) as error:
        raise CatalogueError(f"{source} is no archive that an export wrote. Export it again.") from error
    read = functools.partial(_member, archive, most=pictures.MOST_BYTES)
    return [
        _Item(_name(row), functools.partial(read, row["file"]), row) for row in _rows(table, f"{TABLE} in {source}")
    ]


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        info = archive.getinfo(name)
        if info.file_size > most:
            raise PictureError(f"is over {most // 1_000_000} MB")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others unpack without a bound
            raise PictureError("is packed in a way that exports are not")
        return archive.read(info)
    except KeyError:
        raise PictureError("is not in the archive") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        RuntimeError,
        EOFError,
    ) as error:  # RuntimeError: it wants a password
        raise PictureError("is damaged in the archive") from error


def _name(row: dict[str, str]) -> str:
    return clean(row["file"], _LONGEST_NAME) or "a row without a file"


def _rows(data: bytes, name: str) -> Iterator[dict[str, str]]:
    if len(data) > _MOST_TABLE_BYTES:
        raise CatalogueError(f"{name} is over {_MOST_TABLE_BYTES // 1_000_000} MB. Split it.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{name} is not UTF-8 text. Save it as CSV in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text))
    try:
        if not reader.fieldnames or "file" not in reader.fieldnames:
            raise CatalogueError(f"{name} has no column 'file'. Its first line should be: {','.join(COLUMNS)}.")
        for count, row in enumerate(reader):
            if count == _MOST_ROWS:
                raise CatalogueError(f"{name} has over {_MOST_ROWS:,} rows. Split it.")
            yield {key: value or "" for key, value in row.items() if key in COLUMNS and isinstance(value, str | None)}
    except csv.Error as error:
        raise CatalogueError(f"{name} is no CSV that can be read: {error}. Save it again.") from error
