"""Snapshots that are damaged or meant to do harm."""

from __future__ import annotations

import contextlib
import io
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from dreamkicks.catalogue import snapshot
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import export_products
from dreamkicks.errors import CatalogueError, PictureError
from tests.catalogue.ledgers import ledger_of
from tests.catalogue.snapshots import MONDAY, URL, bring_in, counts, crawl, rows_of, share, write


def test_each_bad_row_is_one_line_and_the_rest_goes_on(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (good,) = rows_of(file)
    bomb = io.BytesIO()
    Image.new("1", (7_000, 7_000)).save(bomb, "PNG")
    deep = "[" * 50_000
    bad: list[dict[str, Any]] = [
        {"price": Decimal("-1")}, {"price": Decimal("100000000")}, {"price": Decimal("9.999")},
        {"currency": "euro"}, {"currency": "\x1b[31mEUR"}, {"store": None}, {"title": None}, {"available": None},
        {"sizes": "{}"}, {"sizes": '[["EU 42", 1]]'}, {"sizes": deep}, {"sizes": json.dumps([["x", True]] * 9_000)},
        {"prices": None}, {"prices": '[["yesterday", "1", "EUR"]]'},
        {"prices": '[["2026-02-30T00:00:00+00:00", "1", "EUR"]]'}, {"prices": '[["2026-01-01T00:00:00+00:00", "1e9", null]]'},
        {"source": None}, {"source": "../../x"}, {"source": good["source"].upper()},
        {"image": None}, {"image": {"bytes": None, "path": "/etc/passwd"}}, {"image": {"bytes": b"", "path": None}},
        {"image": {"bytes": b"no picture", "path": None}}, {"image": {"bytes": good["image"]["bytes"][:60], "path": None}},
        {"image": {"bytes": bomb.getvalue(), "path": None}},
    ]  # fmt: skip
    rows = [good | {"url": f"https://shop.example/bad-{number}"} | wrong for number, wrong in enumerate(bad)]
    schema = snapshot.schema()
    wider = schema.set(schema.get_field_index("price"), pa.field("price", pa.decimal128(20, 3)))
    report = bring_in(theirs, write(file, [*rows, good], wider))
    assert (report.added, [name for name, _ in report.failed]) == (1, [f"row {n + 1}" for n in range(len(bad))])
    assert all("\n" not in reason and "\x1b" not in reason and len(reason) < 300 for _, reason in report.failed)
    assert "its price can't be used" in report.failed[0][1]
    assert report.failed[-1][1].startswith("has 7000 x 7000 pixels")
    assert [product.url for product in theirs.products()] == [URL]


def test_texts_that_are_none_and_times_beyond_the_calendar(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (good,) = rows_of(file)
    rows = [good, good | {"url": f"{URL}/a", "title": b"\xff\xfe"}, good | {"url": f"{URL}/b", "checked": 2**62}]
    bare = {"title": pa.binary(), "checked": pa.int64()}
    for row in rows:
        row["title"] = row["title"].encode() if isinstance(row["title"], str) else row["title"]
        row["checked"] = row["checked"] if isinstance(row["checked"], int) else MONDAY * 1_000_000
    schema = pa.schema([(field.name, bare.get(field.name, field.type)) for field in snapshot.schema()])
    table = pa.Table.from_pylist(rows, schema)
    columns = [
        column.cast(field.type) if field.name == "checked" else column
        for field, column in zip(snapshot.schema(), table.columns, strict=True)
    ]
    title = columns[table.column_names.index("title")].combine_chunks()
    columns[table.column_names.index("title")] = pa.Array.from_buffers(pa.string(), len(rows), title.buffers())
    parquet.write_table(pa.table(columns, snapshot.schema()), file, compression="none")
    report = bring_in(theirs, file)
    assert report.added == 1
    assert report.failed == [(f"row {n}", "it holds a text or a time that can't be read") for n in (2, 3)]


def test_foreign_texts_are_cleaned_and_paths_never_used(
    ours: Catalogue, theirs: Catalogue, file: Path, tmp_path: Path
) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (row,) = rows_of(file)
    row |= {"store": "sh\x1b]0;x\x07op", "brand": "\x9b31m", "title": "Air\x1b[31m\n‮One" + "x" * 400_000}
    row |= {"url": "javascript:alert(1)", "address": "file:///etc/passwd", "sizes": '[["\\u001b[31mEU 42", true]]'}
    row["image"]["path"] = "../../out.webp"
    write(file, [row])
    before = sorted(tmp_path.iterdir())
    assert bring_in(theirs, file).added == 1
    assert sorted(tmp_path.iterdir()) == before
    (product,) = theirs.products()
    assert (product.store, product.brand, product.url) == ("shop", "Unknown", None)
    assert product.title.startswith("Air Onex") and len(product.title) == 300
    assert ledger_of(theirs)["product"][0][9] == '[["EU 42", true]]'
    assert ledger_of(theirs)["listing"] == []  # nothing that a refresh could take for a page of the shop's
    assert list(theirs.folder.rglob("*.webp")) == [product.photo]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 4, b"no parquet" * 1000, b"\xff" * 8 + b"PAR1"])
def test_what_is_no_parquet(theirs: Catalogue, file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(CatalogueError, match="is no snapshot that an export wrote, or it is cut short"):
        bring_in(theirs, file)


def test_half_a_snapshot(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    data = file.read_bytes()
    for part in (*range(0, len(data), 97), len(data) - 1):
        file.write_bytes(data[:part])
        with pytest.raises(CatalogueError, match=r"shoes\.parquet is no snapshot"):
            bring_in(theirs, file)
    assert list(theirs.products()) == []


def test_other_columns(theirs: Catalogue, ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    whole = parquet.read_table(file)
    price = whole.column("price")
    for table, said in (
        (whole.drop_columns("title"), "column 'title' .* should be string, and is missing"),
        (whole.set_column(0, "store", pa.array([1])), "column 'store' .* should be string, and is int64"),
        (whole.set_column(4, "price", price.cast(pa.string())), "column 'price' .* should be decimal, and is string"),
        (whole.append_column("price", price), "column 'price' .* should be decimal, and is decimal, decimal"),
        (
            whole.drop_columns("image"),
            r"column 'image' .* should be struct<bytes: binary, path: string>, and is missing",
        ),
        (pa.table({"x\x1b[31m": [1]}), "column 'store'"),
    ):
        parquet.write_table(table, file, compression="none")
        with pytest.raises(CatalogueError, match=said):
            bring_in(theirs, file)


def test_what_could_unpack_to_more_than_it_is(
    ours: Catalogue, theirs: Catalogue, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (row,) = rows_of(file)
    zeros = row | {"image": {"bytes": bytes(4_000_000), "path": None}}
    write(file, [zeros], compression="zstd")
    assert file.stat().st_size < 100_000
    with pytest.raises(CatalogueError, match="is compressed, which exports are not"):
        bring_in(theirs, file)
    monkeypatch.setattr(snapshot, "_MOST_GROUP", 3_000_000)
    with pytest.raises(CatalogueError, match="a row group over 3 MB"):
        bring_in(theirs, write(file, [zeros]))
    monkeypatch.setattr(snapshot, "_MOST_ROWS", 2)
    with pytest.raises(CatalogueError, match="has 3 rows; 2 is the most"):
        bring_in(theirs, write(file, [row] * 3, row_group_size=1))


def test_one_picture_in_many_rows_is_in_memory_once(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (row,) = rows_of(file)
    row["image"]["bytes"] = random.Random(0).randbytes(2_000_000)
    write(file, [row] * 40, use_dictionary=True, dictionary_pagesize_limit=10_000_000)
    assert file.stat().st_size < 2_100_000
    before = pa.total_allocated_bytes()
    with open(file, "rb") as opened:
        for read in snapshot.Snapshot(opened, "it"):
            assert len(read().image) == 2_000_000
            assert pa.total_allocated_bytes() - before < 12_000_000


def test_flipped_bits_are_noticed_and_what_came_before_is_kept(
    ours: Catalogue, theirs: Catalogue, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_GROUP", 1)
    crawl(ours, MONDAY, seeds=(0, 1))
    export_products(ours, file)
    data = bytearray(file.read_bytes())
    second = rows_of(file)[1]["image"]["bytes"]
    data[data.index(second) + 40] ^= 1
    file.write_bytes(data)
    with pytest.raises(CatalogueError, match="is damaged after row 1; what came before is kept"):
        bring_in(theirs, file)
    assert theirs.stats().photos == 1
    assert counts(share(ours, theirs, file)) == (1, 0, 1)


def test_a_footer_that_hides_rows(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    export_products(ours, file)
    data, two, hidden = file.read_bytes(), b"\x16\x04", 0  # a 64-bit number in the next field
    place = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    while (place := data.find(two, place + 1)) >= 0:
        changed = data[:place] + b"\x16\x00" + data[place + 2 :]
        with contextlib.suppress(CatalogueError):
            found = list(snapshot.Snapshot(io.BytesIO(changed), "it"))
            hidden += len(found) != 2
    assert hidden == 0


def test_any_damage_is_an_error_of_ours(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    export_products(ours, file)
    data, draw, whole = file.read_bytes(), random.Random(0), 0
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(draw.choice([1, 1, 4])):
            changed[draw.randrange(end if draw.random() < 0.7 else 0, len(data))] = draw.randrange(256)
        try:
            for read in snapshot.Snapshot(io.BytesIO(changed), "it"):
                read()
            whole += 1
        except (CatalogueError, PictureError) as error:
            assert "\n" not in str(error)
    assert 0 < whole < 150
