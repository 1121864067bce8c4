"""The file that a snapshot is, as others read and write it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from dreamkicks import pictures
from dreamkicks.catalogue import snapshot
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import export_products
from dreamkicks.catalogue.photos import photo_path
from dreamkicks.errors import Cancelled, CatalogueError, StorageError
from tests.catalogue.palette import ENCODER, fill, patchwork
from tests.catalogue.snapshots import MONDAY, URL, bring_in, counts, crawl, rows_of, write


def test_others_find_typed_columns_and_pictures_of_datasets(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, "129.95")
    export_products(ours, file)
    schema = parquet.read_schema(file)
    assert schema.field("price").type == pa.decimal128(10, 2)
    assert schema.field("checked").type == pa.timestamp("us", "UTC")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}}
    assert schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (row,) = rows_of(file)
    picture = Image.open(io.BytesIO(row.pop("image")["bytes"]))
    assert (picture.format, picture.size) == ("WEBP", (32, 32))
    assert row == {
        "store": "shop",
        "url": URL,
        "brand": "Nike",
        "title": "Dunk",
        "price": Decimal("129.95"),
        "currency": "EUR",
        "style": "DD1391-100",
        "available": True,
        "sizes": '[["EU 42", true]]',
        "prices": f'[["{datetime.fromtimestamp(MONDAY, UTC).isoformat()}","129.95","EUR"]]',
        "checked": datetime.fromtimestamp(MONDAY, UTC),
        "stamp": f"stamp {MONDAY}",
        "fingerprint": row["fingerprint"],
        "source": pictures.digest(patchwork(0)),
        "address": "https://cdn.example/0.jpg",
    }


def test_what_others_filtered_and_wrote_again_comes_in(tmp_path: Path, theirs: Catalogue, file: Path) -> None:
    with contextlib.closing(fill(tmp_path / "many", 20, ENCODER)) as ours:
        export_products(ours, file)
    wide = {"string": pa.large_string(), "decimal128(10, 2)": pa.decimal128(12, 4)}  # as pandas and others like it
    schema = pa.schema([(field.name, wide.get(str(field.type), field.type)) for field in snapshot.schema()])
    rows = [row for row in rows_of(file) if row["brand"] == "Nike"]
    report = bring_in(theirs, write(file, rows, pa.schema([*reversed(schema), ("note", pa.string())])))
    assert counts(report) == (len(rows), 0, 0)
    assert theirs.stats().brands == {"Nike": 5}


def test_neither_writing_nor_reading_holds_more_than_a_group(
    ours: Catalogue, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl(ours, MONDAY)
    draw = random.Random(0)
    with ours.transaction() as base:
        for _ in range(400):
            data = draw.randbytes(30_000)
            digest = hashlib.sha256(data).hexdigest()
            photo_path(ours.folder, digest).parent.mkdir(exist_ok=True)
            photo_path(ours.folder, digest).write_bytes(data)
            base.execute("INSERT INTO photo (product, source, hash) VALUES (1, ?, ?)", (digest, digest))
    monkeypatch.setattr(snapshot, "_GROUP", 200_000)
    monkeypatch.setattr(snapshot, "_PAGE", 20)
    before, allocated = pa.total_allocated_bytes(), set()
    tracemalloc.start()
    assert export_products(ours, file, lambda done, total: allocated.add(pa.total_allocated_bytes())) == 401
    with open(file, "rb") as opened:
        for read in snapshot.Snapshot(opened, "it"):
            read()
            allocated.add(pa.total_allocated_bytes())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size > 12_000_000
    assert peak < 3_000_000 and max(allocated) - before < 3_000_000


def test_too_many_photos_are_not_exported_in_vain(ours: Catalogue, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crawl(ours, MONDAY, seeds=(0, 1, 2))
    monkeypatch.setattr(snapshot, "_MOST_ROWS", 2)
    with pytest.raises(CatalogueError, match="has 3 photos; a snapshot holds 2 at most"):
        export_products(ours, file)
    assert not file.exists()


def test_an_export_replaces_the_file_at_once(ours: Catalogue, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    data = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        export_products(ours, file, stop)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        export_products(ours, file)
    assert file.read_bytes() == data
    assert sorted(path.name for path in file.parent.iterdir()) == ["ours", "shoes.parquet"]
