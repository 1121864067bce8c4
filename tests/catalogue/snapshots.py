"""Catalogues on two machines, and the snapshots that travel between them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from dreamkicks import pictures
from dreamkicks.catalogue import snapshot
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import ImportReport, export_products, import_products
from dreamkicks.catalogue.ledger import Known, Ledger, Photo
from dreamkicks.catalogue.likeness import signature
from dreamkicks.catalogue.photos import keep_photo
from dreamkicks.stores.store import Offer, Size
from tests.catalogue.palette import ENCODER, patchwork

URL = "https://shop.example/1"
MONDAY, TUESDAY, WEDNESDAY = (1_700_000_000 + 86_400 * day for day in range(3))


def bring_in(catalogue: Catalogue, source: Path | str) -> ImportReport:
    return import_products(catalogue, ENCODER, source)


def share(one: Catalogue, other: Catalogue, file: Path) -> ImportReport:
    export_products(one, file)
    return bring_in(other, file)


def counts(report: ImportReport) -> tuple[int, int, int]:
    assert report.failed == []
    return report.added, report.updated, report.skipped


def crawl(catalogue: Catalogue, when: float, price: str = "99.00", seeds: tuple[int, ...] = (0,), **said: Any) -> None:
    """What a refresh keeps of a product of the shop "shop"."""
    photos = []
    for seed in seeds:
        picture = patchwork(seed)
        photos.append(
            Photo(
                f"https://cdn.example/{seed}.jpg",
                pictures.digest(picture),
                keep_photo(catalogue.folder, picture),
                signature(picture),
            )
        )
    offer = Offer(
        **{
            "url": URL,
            "brand": "Nike",
            "title": "Dunk",
            "price": Decimal(price),
            "currency": "EUR",
            "available": True,
            "sizes": (Size("EU 42", True),),
            "style": "DD1391-100",
            "pictures": (),
            **said,
        }
    )
    with catalogue.writing():
        Ledger(catalogue).keep("shop", offer, photos, Known(f"stamp {when}", offer.fingerprint(), when))
        catalogue.index(ENCODER)


def rows_of(file: Path) -> list[dict[str, Any]]:
    return parquet.read_table(file).to_pylist()


def write(file: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None, **options: Any) -> Path:
    """A snapshot that somebody else wrote."""
    table = pa.Table.from_pylist(rows, schema or snapshot.schema())
    parquet.write_table(table, file, **{"compression": "none", **options})
    return file
