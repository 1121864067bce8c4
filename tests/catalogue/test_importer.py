from __future__ import annotations

import csv
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkicks.catalogue import importer
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import COLUMNS, ImportReport, export_products, import_products, parse_price
from dreamkicks.errors import Cancelled, CatalogueBusy, CatalogueError
from tests.catalogue.palette import PaletteEncoder, content, patchwork
from tests.drawing import encoded

ENCODER = PaletteEncoder()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue")
    yield catalogue
    catalogue.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, one of them in a folder within."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for seed in range(5):
        place = folder / "more" if seed == 4 else folder
        (place / f"nike_air-{seed}.png").write_bytes(encoded(patchwork(seed)))
    return folder


def bring_in(catalogue: Catalogue, source: Path, table: Path | None = None) -> ImportReport:
    return import_products(catalogue, ENCODER, source, table)


def table(path: Path, *rows: dict[str, Any]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def titles(catalogue: Catalogue) -> list[str]:
    return sorted(product.title for product in catalogue.products())


# -------------------------------------------------------------------- folders


def test_a_folder(catalogue: Catalogue, folder: Path) -> None:
    told: list[tuple[int, int]] = []
    report = import_products(catalogue, ENCODER, folder, None, lambda done, total: told.append((done, total)))
    assert (report.added, report.skipped, report.failed) == (5, 0, [])
    assert titles(catalogue) == [f"nike air {seed}" for seed in range(5)]
    assert told[:5] == [(place, 5) for place in range(5)] and told[-1] == (5, 5)
    product = catalogue.search(ENCODER.pictures([patchwork(3)])[0], ENCODER.identity, 1)[0].product
    assert (product.title, product.brand, product.store, product.price, product.url) == (
        "nike air 3",
        "Unknown",
        "mine",
        None,
        None,
    )


def test_what_is_known_is_skipped(catalogue: Catalogue, folder: Path) -> None:
    bring_in(catalogue, folder)
    before = content(catalogue)
    (folder / "renamed.bmp").write_bytes(encoded(patchwork(2), "BMP"))  # the same pixels
    (folder / "new.png").write_bytes(encoded(patchwork(9)))
    report = bring_in(catalogue, folder)
    assert (report.added, report.skipped, report.failed) == (1, 6, [])
    assert len(content(catalogue)) == len(before) + 1
    assert catalogue.verify() == []


def test_a_lost_photo_comes_back_with_its_picture(catalogue: Catalogue, folder: Path) -> None:
    bring_in(catalogue, folder)
    next(catalogue.products()).photo.unlink()
    assert len(catalogue.verify()) == 1
    report = bring_in(catalogue, folder)
    assert (report.added, report.skipped) == (1, 4)
    assert catalogue.verify() == [] and catalogue.stats().products == 5


def test_each_unreadable_picture_is_one_line_and_the_rest_goes_on(catalogue: Catalogue, folder: Path) -> None:
    (folder / "a-empty.png").touch()
    (folder / "b-text.jpg").write_text("no picture")
    (folder / "c-cut.png").write_bytes(encoded(patchwork(7))[:60])
    (folder / "d-folder.png").mkdir()
    (folder / "notes.txt").write_text("not asked for")
    (folder / "e\x1b[31m\nf.gif").write_text("hostile name")
    report = bring_in(catalogue, folder)
    assert report.added == 5
    assert report.failed == [
        ("a-empty.png", "is empty. Save or download it again."),
        ("b-text.jpg", "is not a picture that can be read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF)."),
        ("c-cut.png", "is damaged or cut short. Save or download it again."),
        ("e f.gif", "is not a picture that can be read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF)."),
    ]


def test_a_folder_without_pictures(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = bring_in(catalogue, tmp_path / "empty")
    assert (report.added, report.skipped, report.failed) == (0, 0, [])


@pytest.mark.parametrize("name", ["missing", "a.txt", "a.zip", "a.csv"])
def test_nothing_to_import_from(catalogue: Catalogue, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "a.zip").write_text("no archive")
    (tmp_path / "a.csv").write_text("no,table\n1,2\n")
    with pytest.raises(CatalogueError) as caught:
        bring_in(catalogue, tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert titles(catalogue) == []


# -------------------------------------------------------------------- tables


def test_a_table(catalogue: Catalogue, folder: Path) -> None:
    rows = [
        {
            "file": "nike_air-0.png",
            "brand": "Nike",
            "title": "Air, “One”\nPro",
            "price": " 129.95 ",
            "currency": "eur",
            "url": "https://shop.example/1",
            "store": "shop",
        },
        {"file": "more/nike_air-4.png", "brand": "Puma", "url": "javascript:alert(1)", "currency": "EUR"},
    ]
    for source, csv_file in ((folder, table(folder / "t.csv", *rows)), (folder / "t.csv", None)):
        report = bring_in(catalogue, source, csv_file)
        assert (report.added + report.skipped, report.failed) == (2, [])
    one, two = catalogue.products()
    assert (one.brand, one.title, one.price, one.currency, one.url, one.store) == (
        "Nike",
        "Air, “One” Pro",
        Decimal("129.95"),
        "EUR",
        "https://shop.example/1",
        "shop",
    )
    assert (two.brand, two.title, two.price, two.currency, two.url, two.store) == (
        "Puma",
        "nike air 4",
        None,
        None,
        None,
        "mine",
    )


def test_names_that_lead_out_of_the_folder(catalogue: Catalogue, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(patchwork(66)))
    (folder / "link.png").symlink_to(secret)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    names = ["../secret.png", str(secret), "more/../../secret.png", "link.png", "a\0b.png", "..", "/", "~/x.png"]
    names += ["circle.png", "x" * 5000, "", "missing.png", "./more/../nike_air-0.png"]
    report = bring_in(catalogue, table(folder / "t.csv", *({"file": name} for name in names)))
    assert report.added == 1
    assert titles(catalogue) == ["nike air 0"]
    assert [name for name, reason in report.failed if reason == "lies outside the folder"] == [
        "../secret.png",
        str(secret),
        "more/../../secret.png",
        "link.png",
        "..",
        "/",
    ]
    assert len(report.failed) == len(names) - 1
    assert all("\n" not in name + reason and len(name) <= 300 for name, reason in report.failed)
    reasons = dict(report.failed)
    assert reasons["a b.png"] == "has a name that no file can have"
    assert reasons["missing.png"] == "does not exist. Check the path."
    assert "a row without a file" in reasons


def test_a_price_is_reported_and_not_guessed(catalogue: Catalogue, folder: Path) -> None:
    prices = ["€ 1.299,95", "1.299", "1,299.00", "-5", "NaN"]
    rows = [
        {"file": f"nike_air-{seed}.png", "price": price, "currency": "EUR"} for seed, price in enumerate(prices[:4])
    ]
    rows.append({"file": "more/nike_air-4.png", "price": prices[4], "currency": "EUR"})
    report = bring_in(catalogue, table(folder / "t.csv", *rows))
    assert report.added == 5
    assert [reason for _, reason in report.failed] == [
        f"the price '{price}' is no number such as 129.95; imported without a price" for price in prices
    ]
    assert {(product.price, product.currency) for product in catalogue.products()} == {(None, None)}


def test_a_currency_that_is_no_code_is_reported(catalogue: Catalogue, folder: Path) -> None:
    rows = [
        {"file": f"nike_air-{seed}.png", "price": "129", "currency": said}
        for seed, said in enumerate(("euro", "eur", ""))
    ]
    report = bring_in(catalogue, table(folder / "t.csv", *rows))
    assert [reason for _, reason in report.failed] == [
        "the currency 'euro' is no code such as EUR; imported without it"
    ]
    assert [product.currency for product in catalogue.products()] == [None, "EUR", None]


@pytest.mark.parametrize(
    ("text", "price"), [("129.95", "129.95"), ("0", "0"), ("99999999", "99999999"), ("1.5", "1.5")]
)
def test_plain_prices(text: str, price: str) -> None:
    assert parse_price(text) == Decimal(price)


@given(
    st.text(max_size=40) | st.sampled_from(["1e5", "١٢٣", "1_000", "Infinity", " 5", "5\n", "1.999", "1" * 9, "0x1"])
)
def test_prices_of_any_kind(text: str) -> None:
    try:
        price = parse_price(text)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 100
    else:
        assert text.isascii() and price == Decimal(text) and 0 <= price < 10**8


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no column 'file'"),
        (b"brand,title\nNike,Air\n", "has no column 'file'"),
        (b"file;brand\na.png;Nike\n", "has no column 'file'"),
        ("file,brand\na.png,Größe\n".encode("latin-1"), "is not UTF-8"),
        (b'file\n"' + b"x" * 200_000 + b'"\n', "is no CSV that can be read"),
        (b'"' + b"x" * 200_000 + b'"\n', "is no CSV that can be read"),
    ],
    ids=["empty", "other columns", "semicolons", "latin-1", "endless field", "endless header"],
)
def test_a_table_that_can_t_be_used(catalogue: Catalogue, folder: Path, data: bytes, said: str) -> None:
    (folder / "t.csv").write_bytes(data)
    with pytest.raises(CatalogueError, match=said) as caught:
        bring_in(catalogue, folder / "t.csv")
    assert "t.csv" in str(caught.value)
    assert titles(catalogue) == []


def test_a_table_with_odd_rows(catalogue: Catalogue, folder: Path) -> None:
    (folder / "t.csv").write_bytes(
        b"\xef\xbb\xbffile,brand,colour\r\n"  # a byte order mark, as spreadsheets write it
        b"nike_air-0.png\r\n"
        b"\r\n"
        b"nike_air-1.png,Nike,red,and,more\r\n"
    )
    assert bring_in(catalogue, folder / "t.csv").added == 2
    assert sorted(product.brand for product in catalogue.products()) == ["Nike", "Unknown"]


def test_a_table_without_an_end(catalogue: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(folder / "t.csv", "wb") as file:
        file.write(b"file\n")
        file.truncate(60_000_000)
    with pytest.raises(CatalogueError, match="over 50 MB"):
        bring_in(catalogue, folder / "t.csv")
    monkeypatch.setattr(importer, "_MOST_ROWS", 1000)
    (folder / "t.csv").write_bytes(b"file\n" + b"a\n" * 1001)
    with pytest.raises(CatalogueError, match="over 1,000 rows"):
        bring_in(catalogue, folder / "t.csv")


# -------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_stopping_loses_nothing_that_was_taken(catalogue: Catalogue, folder: Path, stop: type[BaseException]) -> None:
    def on_progress(done: int, total: int) -> None:
        if done == 3:
            raise stop

    with pytest.raises(stop):
        import_products(catalogue, ENCODER, folder, None, on_progress)
    stats = catalogue.stats()
    assert (stats.products, stats.indexed) == (3, 0)  # nobody waits for the encoder who wants to stop
    with catalogue.writing():  # it let go of the lock
        assert catalogue.index(ENCODER) == 3  # as the next search does
    assert catalogue.verify() == []
    report = bring_in(catalogue, folder)
    assert (report.added, report.skipped) == (2, 3)


def test_another_writer_is_in_the_way(catalogue: Catalogue, folder: Path) -> None:
    with Catalogue(catalogue.folder).writing(), pytest.raises(CatalogueBusy):
        bring_in(catalogue, folder)
    assert titles(catalogue) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for seed in range(10):
        (tmp_path / "pictures" / f"{seed}.png").write_bytes(encoded(patchwork(seed)))
    ask = [sys.executable, "-m", "tests.catalogue.killed", str(tmp_path), "20"]
    done = subprocess.run(ask, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    moments = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [trouble for _, trouble in moments] == [""] * 20
    assert len({count for count, _ in moments}) > 2  # they really were at different moments


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_disk_that_fills_up_while_importing(catalogue: Catalogue, folder: Path, tmp_path: Path) -> None:
    bring_in(catalogue, folder / "more")
    before = content(catalogue)
    script = f"""
        import resource, signal
        from pathlib import Path
        from dreamkicks.catalogue.catalogue import Catalogue
        from dreamkicks.catalogue.importer import import_products
        from dreamkicks.errors import StorageError
        from tests.catalogue.palette import PaletteEncoder
        catalogue = Catalogue(Path({str(catalogue.folder)!r}))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for limit in (50, 5_000, 30_000, 50_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                import_products(catalogue, PaletteEncoder(), Path({str(folder)!r}))
            except StorageError as error:
                print(error)
    """
    ask = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(ask, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert len(told) == 4 and all(line.startswith("Can't write ") for line in told)
    assert ".webp: " in told[0] and "catalogue.db: " in told[-1]
    assert set(before) <= set(content(catalogue))
    assert [problem.what for problem in catalogue.verify() if "not indexed" not in problem.what] == []
    bring_in(catalogue, folder)
    assert catalogue.stats().products == 5 and catalogue.verify() == []
    assert not list(catalogue.folder.rglob("*.part"))


# -------------------------------------------------------------------- the same shoe


def test_offers_of_two_stores_by_one_picture_both_come_in_and_survive_an_export(
    catalogue: Catalogue, folder: Path, tmp_path: Path
) -> None:
    rows = [
        {"file": "nike_air-0.png", "brand": "Nike", "title": title, "store": store, "style": "DD1391-100", "price": "9",
         "url": f"https://{store}.example/1"}
        for store, title in (("north", "Dunk"), ("south", "Dunk Low"))
    ]  # fmt: skip
    rows.append(rows[0] | {"file": "nike_air-1.png", "price": "much"})
    source = table(folder / "offers.csv", *rows)
    assert (bring_in(catalogue, source).added, bring_in(catalogue, source).skipped) == (3, 3)
    assert export_products(catalogue, tmp_path / "all.parquet") == 3
    other = Catalogue(tmp_path / "other")
    assert [bring_in(other, tmp_path / "all.parquet").added, bring_in(other, tmp_path / "all.parquet").skipped] == [
        3,
        3,
    ]
    (found,) = other.search(ENCODER.pictures([patchwork(0)])[0], ENCODER.identity, 5)
    assert {found.product.store, found.also[0].store} == {"north", "south"}
    assert found.product.style == "DD1391-100"
    other.close()


def test_another_file_of_a_picture_is_no_second_photo(catalogue: Catalogue, folder: Path) -> None:
    (folder / "again.jpg").write_bytes(encoded(patchwork(0).resize((64, 64)), "JPEG", quality=70))
    rows = [
        {"file": name, "title": "Dunk", "url": "https://north.example/1"} for name in ("nike_air-0.png", "again.jpg")
    ]
    report = bring_in(catalogue, table(folder / "offers.csv", *rows))
    assert (report.added, report.skipped, catalogue.stats().photos) == (1, 1, 1)
