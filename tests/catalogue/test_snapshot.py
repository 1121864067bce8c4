from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from dreamkicks import pictures
from dreamkicks.catalogue import snapshot
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import ImportReport, export_products, import_products
from dreamkicks.catalogue.ledger import Known, Ledger, Photo
from dreamkicks.catalogue.likeness import signature
from dreamkicks.catalogue.photos import keep_photo, photo_path
from dreamkicks.catalogue.product import Listing
from dreamkicks.catalogue.refresh import refresh
from dreamkicks.errors import Cancelled, CatalogueBusy, CatalogueError, PictureError, StorageError
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.store import Offer, Size
from tests.catalogue.ledgers import ledger_of
from tests.catalogue.palette import PaletteEncoder, content, fill, patchwork
from tests.drawing import encoded
from tests.stores.fakeshop import FakeClock, FakeShop, Shoe

ENCODER = PaletteEncoder()
URL = "https://shop.example/1"
MONDAY, TUESDAY, WEDNESDAY = (1_700_000_000 + 86_400 * day for day in range(3))


@pytest.fixture
def catalogues(tmp_path: Path) -> Iterator[Callable[[str], Catalogue]]:
    """Makes empty catalogues, each on a machine of its own."""
    made = []

    def make(name: str) -> Catalogue:
        made.append(Catalogue(tmp_path / name))
        return made[-1]

    yield make
    for catalogue in made:
        catalogue.close()


@pytest.fixture
def ours(catalogues: Callable[[str], Catalogue]) -> Catalogue:
    return catalogues("ours")


@pytest.fixture
def theirs(catalogues: Callable[[str], Catalogue]) -> Catalogue:
    return catalogues("theirs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shoes.parquet"


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


# -------------------------------------------------------------------- there and back


def test_everything_comes_back_and_nothing_comes_twice(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    with ours.writing():
        ours.keep(patchwork(0), Listing("Nike", 'Air "1", ü', price=Decimal("99.50"), currency="EUR"))
        for seed in (1, 2):
            ours.keep(patchwork(seed), Listing("Puma", "=HYPERLINK(1)", "shop", url="https://shop.example/?a=1,2"))
    assert counts(share(ours, theirs, file)) == (3, 0, 0)
    assert [row[:6] for row in content(theirs)] == [row[:6] for row in content(ours)]
    assert theirs.verify() == [] and theirs.in_step(ENCODER.identity)
    for seed in range(3):
        (found,) = theirs.search(ENCODER.pictures([patchwork(seed)])[0], ENCODER.identity, 1)
        assert found.score > 0.98

    assert counts(bring_in(theirs, file)) == counts(bring_in(ours, file)) == (0, 0, 3)
    assert counts(share(theirs, ours, file)) == (0, 0, 3)  # their pictures are other files by now
    assert counts(share(ours, theirs, file)) == (0, 0, 3)


def test_what_a_refresh_found_spares_the_next_machine_from_asking(
    ours: Catalogue, theirs: Catalogue, file: Path, shop: FakeShop, clock: FakeClock, fetchers: Callable[..., Fetcher]
) -> None:
    clock.advance(-100_000_000)  # the program's own clock is not to be behind the shop's
    shop.shoes = [Shoe(f"shoe-{n}", f"Runner {n}", price=f"{100 + n}.00", sku=f"GX{1000 + n}") for n in range(4)]
    shop.shoes.append(Shoe("gone", sizes={"42": False}))
    store = shop.store("pages")
    refresh(ours, ENCODER, [store], fetchers())
    clock.advance(86_400)
    shop.shoes[0].price, shop.shoes[0].lastmod = "80.00", "2026-01-02"
    del shop.shoes[1]
    refresh(ours, ENCODER, [store], fetchers())
    assert share(ours, theirs, file).failed == []

    def known(catalogue: Catalogue) -> dict[str, list[tuple[object, ...]]]:
        # Photos were written anew, so they are other files.
        found = ledger_of(catalogue)
        return found | {"photo": [(*row[:3], *row[4:]) for row in found["photo"]]}

    assert known(theirs) == known(ours)
    assert [price for _, price, _ in Ledger(theirs).prices("pages", shop_url(ours, "Runner 0"))] == ["100.00", "80.00"]
    assert Ledger(theirs).refreshed() == Ledger(ours).refreshed()
    before = len(shop.log)
    clock.advance(3_600)
    (report,) = refresh(theirs, ENCODER, [store], fetchers())
    assert (report.unchanged, report.new, report.changed, report.gone, report.pictures) == (4, 0, 0, 0, 0)
    assert not [asked.path for asked in shop.log[before:] if "shoe" in asked.path]


def shop_url(catalogue: Catalogue, title: str) -> str:
    (url,) = [str(product.url) for product in catalogue.products() if product.title == title]
    return url


def test_the_later_look_at_a_shop_wins_whichever_way_it_travels(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, "99.00")
    crawl(theirs, TUESDAY, "89.00", title="Dunk Low", available=False, sizes=(Size("EU 42", False),))
    assert counts(share(ours, theirs, file)) == (0, 1, 0)  # only what the shoe cost on Monday was new
    (product,) = theirs.products()
    assert (product.title, product.price, product.available) == ("Dunk Low", Decimal("89.00"), False)

    assert counts(share(theirs, ours, file)) == (0, 1, 0)
    (product,) = ours.products()
    assert (product.title, product.price, product.available) == ("Dunk Low", Decimal("89.00"), False)
    assert Ledger(ours).known("shop", URL) == Ledger(theirs).known("shop", URL)
    assert ledger_of(ours)["product"] == ledger_of(theirs)["product"]
    for catalogue in (ours, theirs):
        assert [price for _, price, _ in Ledger(catalogue).prices("shop", URL)] == ["99.00", "89.00"]
    assert counts(bring_in(ours, file)) == (0, 0, 1)


def test_a_photo_more_comes_in_whoever_looked_last(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    crawl(theirs, TUESDAY, seeds=(0,))
    assert counts(share(ours, theirs, file)) == (1, 1, 0)  # and the price is known since Monday
    assert counts(bring_in(theirs, file)) == (0, 0, 2)
    assert Ledger(theirs).addresses("shop", URL) == {"https://cdn.example/0.jpg", "https://cdn.example/1.jpg"}


def test_another_file_of_a_photo_is_no_second_photo(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    (row,) = rows_of(file)
    smaller = encoded(patchwork(0).resize((64, 64)), "JPEG", quality=70)
    other = row | {"source": "0" * 64, "image": {"bytes": smaller, "path": None}}
    assert counts(bring_in(theirs, write(file, [row, other]))) == (1, 0, 1)
    assert theirs.stats().photos == 1


def test_what_a_shop_dropped_is_gone_at_the_next_machine_too(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    share(ours, theirs, file)
    yesterday = file.with_name("yesterday.parquet")
    file.rename(yesterday)
    with ours.writing():
        Ledger(ours).retire("shop", [URL])
    assert counts(share(ours, theirs, file)) == (0, 1, 0)
    assert not next(theirs.products()).available
    assert Ledger(theirs).known("shop", URL) is None
    assert counts(bring_in(theirs, file)) == counts(bring_in(theirs, yesterday)) == (0, 0, 1)  # and stays so

    crawl(ours, WEDNESDAY)  # it sells it again
    assert counts(share(ours, theirs, file)) == (0, 1, 0)
    assert next(theirs.products()).available and Ledger(theirs).known("shop", URL) is not None


def test_histories_become_one(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    for when, price in ((MONDAY, "99.00"), (WEDNESDAY, "79.00")):
        crawl(ours, when, price)
    for when, price in ((TUESDAY, "99.00"), (TUESDAY + 60, "89.00")):
        crawl(theirs, when, price)
    share(ours, theirs, file)
    found = Ledger(theirs).prices("shop", URL)
    assert [price for _, price, _ in found] == ["99.00", "89.00", "79.00"]
    assert [datetime.fromisoformat(since).timestamp() for since, *_ in found] == [MONDAY, TUESDAY + 60, WEDNESDAY]


def test_of_a_long_history_the_newest_thousand_prices_travel(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    with ours.transaction() as base:
        days = [datetime.fromtimestamp(MONDAY + 86_400 * day, UTC).isoformat() for day in range(1, 2_500)]
        base.executemany("INSERT INTO price VALUES (1, ?, ?, 'EUR')", [(day, str(n)) for n, day in enumerate(days)])
    assert counts(share(ours, theirs, file)) == (1, 0, 0)
    assert Ledger(theirs).prices("shop", URL) == Ledger(ours).prices("shop", URL)[-1_000:]


def test_a_lost_photo_is_left_out_and_comes_back(ours: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY, seeds=(0, 1))
    export_products(ours, file)
    next(ours.products()).photo.unlink()
    assert export_products(ours, file.with_name("without.parquet")) == 1
    assert counts(bring_in(ours, file)) == (1, 0, 1)
    assert ours.verify() == [] and ours.stats().photos == 2


def test_a_time_to_come_is_now(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    rows = rows_of(file)
    rows[0]["checked"] = datetime(2999, 1, 1, tzinfo=UTC)
    bring_in(theirs, write(file, rows))
    known = Ledger(theirs).known("shop", URL)
    assert known is not None and abs(known.checked - datetime.now(UTC).timestamp()) < 600


def test_an_empty_catalogue(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    assert export_products(ours, file) == 0
    assert counts(bring_in(theirs, file)) == (0, 0, 0)


# -------------------------------------------------------------------- the file


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


# -------------------------------------------------------------------- hostile files


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
    assert theirs.stats().photos == 1 and theirs.in_step(ENCODER.identity)
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


# -------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_an_interrupted_import_goes_on(
    ours: Catalogue, theirs: Catalogue, file: Path, stop: type[BaseException]
) -> None:
    crawl(ours, MONDAY, seeds=(0, 1, 2))
    export_products(ours, file)

    def on_progress(done: int, total: int) -> None:
        if (done, total) == (2, 3):
            raise stop

    with pytest.raises(stop):
        import_products(theirs, ENCODER, file, None, on_progress)
    assert theirs.stats().photos == 2
    assert theirs.in_step(ENCODER.identity) and theirs.verify() == []
    assert counts(bring_in(theirs, file)) == (1, 0, 2)


def test_another_writer_is_in_the_way(ours: Catalogue, theirs: Catalogue, file: Path) -> None:
    crawl(ours, MONDAY)
    export_products(ours, file)
    with Catalogue(theirs.folder).writing(), pytest.raises(CatalogueBusy):
        bring_in(theirs, file)
