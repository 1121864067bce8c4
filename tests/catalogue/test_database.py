from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dreamkicks.catalogue import database
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.errors import CatalogueError, CatalogueTooNew, DreamkicksError, StorageError
from tests.catalogue.palette import ENCODER, content, fill

MIGRATIONS = sorted(Path(database.__file__).with_name("migrations").glob("*.sql"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, list[tuple[object, ...]]]]:
    """The bytes of a good database, and what it holds."""
    folder = tmp_path_factory.mktemp("whole")
    catalogue = fill(folder, 12)
    held = content(catalogue)
    catalogue.close()
    assert not (folder / "catalogue.db-wal").exists()
    yield (folder / database.NAME).read_bytes(), held


def tables(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / database.NAME)) as connection:
        return [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")]


def test_a_new_database_has_the_newest_schema(tmp_path: Path) -> None:
    with closing(database.connect(tmp_path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    database.connect(tmp_path).close()


def test_the_first_schema_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / database.NAME)) as connection:
        connection.executescript(MIGRATIONS[0].read_text())
        connection.execute(
            "INSERT INTO product (store, key, brand, title, price) VALUES ('mine', 'k', 'Nike', 'Old', '99')"
        )
        connection.execute("INSERT INTO photo (product, source, hash) VALUES (1, 's', 'h')")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    catalogue = Catalogue(tmp_path)
    product = catalogue.product(1)
    assert (product.brand, product.title, str(product.price), product.photo.stem) == ("Nike", "Old", "99", "h")
    catalogue.close()
    (tmp_path / "new").mkdir()
    database.connect(tmp_path / "new").close()
    assert tables(tmp_path) == tables(tmp_path / "new")


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, mode: str) -> None:
    catalogue = fill(tmp_path, 2)
    catalogue.close()
    with closing(sqlite3.connect(tmp_path / database.NAME)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.commit()
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.rglob("*") if path.is_file()}
    for _ in range(2):
        with pytest.raises(CatalogueTooNew, match=r"newer dreamkicks .*Update dreamkicks"):
            Catalogue(tmp_path)
    assert {
        path: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.rglob("*") if path.is_file()
    } == before


def test_many_open_a_new_catalogue_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        folder, start = tmp_path / str(turn), threading.Barrier(6)
        errors: list[Exception] = []
        folder.mkdir()

        def connect(folder: Path = folder, start: threading.Barrier = start, errors: list[Exception] = errors) -> None:
            start.wait()
            try:
                database.connect(folder).close()
            except DreamkicksError as error:
                errors.append(error)

        threads = [threading.Thread(target=connect) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(tables(folder)) > 4


@pytest.mark.parametrize(
    "data", [b"no database at all, but long enough to be read as one" * 40, b"SQLite format 3\0" + b"\xff" * 500]
)
def test_garbage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / database.NAME).write_bytes(data)
    with pytest.raises(CatalogueError, match=r"can't be used: .* Move the folder .* away and import again"):
        Catalogue(tmp_path)
    assert (tmp_path / database.NAME).read_bytes() == data


def test_half_a_database_is_noticed(tmp_path: Path, whole: tuple[bytes, list[tuple[object, ...]]]) -> None:
    data, held = whole
    shown = 0
    for part in range(1, 20):
        for beside in tmp_path.iterdir():
            beside.unlink()
        (tmp_path / database.NAME).write_bytes(data[: len(data) * part // 20])
        shown += damage_shows(tmp_path, held)
    assert shown >= 18  # the end of the last page may be blank, and then nothing is lost


def test_a_damaged_database_is_no_reason_to_delete_photos(tmp_path: Path) -> None:
    fill(tmp_path, 12).close()
    data = bytearray((tmp_path / database.NAME).read_bytes())
    data[data.rindex(b"https://shop.example/3")] ^= 1  # a key is not what its index says
    (tmp_path / database.NAME).write_bytes(data)
    catalogue, photos = Catalogue(tmp_path), set((tmp_path / "photos").rglob("*.webp"))
    assert [problem.what[:24] for problem in catalogue.verify()] == ["the database is damaged:"]
    with catalogue.writing(), pytest.raises(CatalogueError, match=r"can't be used: .* Move the folder"):
        catalogue.repair(ENCODER)
    assert set((tmp_path / "photos").rglob("*.webp")) == photos and len(photos) > 12
    catalogue.close()


def test_an_emptied_database_beside_its_vectors(tmp_path: Path) -> None:
    fill(tmp_path, 3).close()
    (tmp_path / database.NAME).write_bytes(b"")
    with pytest.raises(CatalogueError, match="it is empty, and the vectors beside it are not"):
        Catalogue(tmp_path)
    (tmp_path / database.NAME).unlink()
    with pytest.raises(CatalogueError, match="it is empty"):
        Catalogue(tmp_path)


def test_any_flip_in_the_header_is_noticed(tmp_path: Path) -> None:
    fill(tmp_path, 12).close()
    data = (tmp_path / database.NAME).read_bytes()
    for at in range(100):
        for flip in (0x01, 0x03, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            (tmp_path / database.NAME).write_bytes(damaged)
            with pytest.raises(CatalogueError, match=r"catalogue\.db can't be used: its header"):
                Catalogue(tmp_path)
    (tmp_path / database.NAME).write_bytes(data)
    Catalogue(tmp_path).close()


def test_an_old_note_of_the_header_is_no_damage(tmp_path: Path) -> None:
    Catalogue(tmp_path).close()
    old = (tmp_path / database.HEADER).read_bytes()
    fill(tmp_path, 40).close()
    assert (tmp_path / database.HEADER).read_bytes() != old
    for note in (old, old[:50], b""):  # as after a kill just before it was written anew
        (tmp_path / database.HEADER).write_bytes(note)
        catalogue = Catalogue(tmp_path)
        assert len(content(catalogue)) == 40
        catalogue.close()
        assert (tmp_path / database.HEADER).read_bytes() == (tmp_path / database.NAME).read_bytes()[:100]


def damage_shows(folder: Path, held: list[tuple[object, ...]]) -> bool:
    """Whether opening, reading or verifying fails as it should; what can be read has to be what was there."""
    try:
        catalogue = Catalogue(folder)
    except DreamkicksError as error:
        assert "\n" not in str(error)
        return True
    try:
        assert content(catalogue) == held
        return any("database is damaged" in problem.what for problem in catalogue.verify())
    except DreamkicksError as error:
        assert "\n" not in str(error)
        return True
    finally:
        catalogue.close()


def test_where_no_database_can_be(tmp_path: Path) -> None:
    (tmp_path / database.NAME).mkdir()
    with pytest.raises(StorageError, match="Can't write"):
        Catalogue(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a part of that path is a file"):
        Catalogue(tmp_path / "file")
    if Path("/proc").is_dir():
        with pytest.raises(StorageError):
            Catalogue(Path("/proc/dreamkicks"))


def test_what_sqlite_says_of_the_disk_is_no_damage(tmp_path: Path) -> None:
    with closing(database.connect(tmp_path)) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.DatabaseError) as full:
            connection.execute("CREATE TABLE more AS SELECT zeroblob(1000000)")
        assert isinstance(database.unusable(tmp_path, full.value), StorageError)
        assert "the disk is full; free some space" in str(database.unusable(tmp_path, full.value))
        connection.execute("PRAGMA query_only = 1")
        with pytest.raises(sqlite3.DatabaseError) as read_only:
            connection.execute("DELETE FROM product")
        assert isinstance(database.unusable(tmp_path, read_only.value), StorageError)
