"""Brings pictures from a folder, a CSV file or a snapshot into the catalogue, and writes snapshots."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from dreamkicks import files, pictures
from dreamkicks.catalogue import remote, snapshot
from dreamkicks.catalogue.catalogue import Catalogue, OnProgress, PictureEncoder
from dreamkicks.catalogue.product import Listing
from dreamkicks.errors import CatalogueError, PictureError
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
    """What came of an import. `failed` holds a name and a reason for each picture that was left out.

    `updated` counts what was known and is newer in a snapshot: prices, sizes, what is sold out.
    """

    added: int = 0
    updated: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    name: str
    find: Callable[[], Path]
    """Gives the picture; raises PictureError where it may not be taken from."""
    row: dict[str, str]


def import_products(
    catalogue: Catalogue,
    encoder: PictureEncoder,
    source: str | Path,
    table: Path | None = None,
    on_progress: OnProgress | None = None,
    offline: bool = False,
) -> ImportReport:
    """Import a folder of pictures, a CSV file beside its pictures, or a snapshot: its path, or an address that fsspec knows.

    The table's `file` column names pictures relative to the folder; without a table every picture in the folder is taken and
    named after its file. What is known already is skipped, so an interrupted import just goes on; what it had taken by then the
    next search indexes. `offline` refuses addresses that need the network.

    Raises CatalogueError when there is nothing to import from, CatalogueBusy, StorageError, Cancelled.
    """
    report = ImportReport()
    with catalogue.writing(), contextlib.ExitStack() as opened:
        items: list[_Item] | snapshot.Snapshot
        if remote.is_address(str(source)):
            fetched = remote.fetched(str(source), catalogue.folder, offline, on_progress)
            items = snapshot.Snapshot(opened.enter_context(fetched), str(source))
        else:
            items = _items(Path(source), table, opened)
        each: Iterator[_Item | Callable[[], snapshot.Row]] = iter(items)
        for place, item in enumerate(each):
            if on_progress:
                on_progress(place, len(items))
            if isinstance(item, _Item):
                _take(catalogue, item, report)
            else:
                _take_row(catalogue, f"row {place + 1}", item, report)
        catalogue.index(encoder, on_progress)
        if on_progress:
            on_progress(len(items), len(items))
    return report


def export_products(
    catalogue: Catalogue, target: str | Path, on_progress: OnProgress | None = None, offline: bool = False
) -> int:
    """Write a snapshot to a path, or to an address that fsspec knows; returns how many photos it holds.

    Whatever is there stays until the snapshot is whole. Raises StorageError, CatalogueError, Cancelled.
    """
    if remote.is_address(str(target)):
        opening = remote.delivered(str(target), catalogue.folder, offline, on_progress)
    else:
        opening = files.replacing(Path(target))
    with opening as file:
        return snapshot.write(catalogue, file, on_progress)


def _take(catalogue: Catalogue, item: _Item, report: ImportReport) -> None:
    listing, problem = _listing(item)
    try:
        picture = pictures.load(item.find(), name=item.name)
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


def _take_row(catalogue: Catalogue, name: str, read: Callable[[], snapshot.Row], report: ImportReport) -> None:
    try:
        outcome = snapshot.take(catalogue, read(), name)
    except PictureError as error:
        report.failed.append((name, str(error).removeprefix(f"{name} ")))
        return
    report.added += outcome == "added"
    report.updated += outcome == "updated"
    report.skipped += outcome == "skipped"


def _listing(item: _Item) -> tuple[Listing, str | None]:
    """What a row lists, and what is wrong with its price or its currency."""
    price, problem = None, None
    if text := (item.row.get("price") or "").strip():
        try:
            price = parse_price(text)
        except ValueError as error:
            problem = f"{error}; imported without a price"
    code = (item.row.get("currency") or "").strip()
    if price is not None and code and not re.fullmatch("[A-Za-z]{3}", code):
        problem = f"the currency '{clean(code, 30)}' is no code such as EUR; imported without it"
    stem = re.sub(r"[_\-.]+", " ", Path(item.name).stem)
    listing = Listing(
        brand=item.row.get("brand", ""),
        title=item.row.get("title") or stem,
        store=item.row.get("store", ""),
        price=price,
        currency=code if price is not None else None,
        url=item.row.get("url"),
        style=item.row.get("style"),
    )
    return listing, problem


def parse_price(text: str) -> Decimal:
    """A plain decimal number: 129, 129.95. Raises ValueError that names the text; "1.299" may mean two prices."""
    if not (text.isascii() and _PRICE.fullmatch(text)):
        raise ValueError(f"the price '{clean(text, 30)}' is no number such as 129.95")
    return Decimal(text)


def _items(source: Path, table: Path | None, opened: contextlib.ExitStack) -> list[_Item] | snapshot.Snapshot:
    if table is None and files.is_file(source):
        if source.suffix.lower() == ".csv":
            source, table = source.parent, source
        else:
            return snapshot.Snapshot(opened.enter_context(_open(source)), str(source))
    if not files.is_folder(source):
        raise CatalogueError(f"{source} is no folder, CSV file or snapshot. Check the path.")
    if table is not None:
        return _in_table(table, source.resolve())
    found = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in _SUFFIXES and path.is_file())
    return [
        _Item(clean(str(path.relative_to(source)), _LONGEST_NAME), functools.partial(Path, path), {}) for path in found
    ]


def _in_table(table: Path, root: Path) -> list[_Item]:
    """The pictures that a table names, relative to its folder."""
    with _open(table) as file:
        data = file.read(_MOST_TABLE_BYTES + 1)

    def find(name: str) -> Path:
        try:
            path = (root / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links
            raise PictureError("has a name that no file can have") from error
        if not path.is_relative_to(root):
            raise PictureError("lies outside the folder")
        return path

    return [_Item(_name(row), functools.partial(find, row["file"]), row) for row in _rows(data, str(table))]


def _open(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise CatalogueError(f"{path} can't be read: {error.strerror}. Check the path.") from error


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
