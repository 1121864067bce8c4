"""Snapshots at addresses; each test has a folder of its own in fsspec's memory."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dreamkicks.catalogue import remote
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import export_products, import_products
from dreamkicks.errors import Cancelled, CatalogueError, StorageError
from tests.catalogue.palette import PaletteEncoder, content, fill

ENCODER = PaletteEncoder()


class Stiff(MemoryFileSystem):
    """A file system that moves nothing."""

    protocol = "stiff"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        raise PermissionError("moving is not allowed")


fsspec.register_implementation("stiff", Stiff, clobber=True)
fsspec.register_implementation("lacking", "no_such_package.Files", clobber=True, errtxt="Install no_such_package")


@pytest.fixture
def ours(tmp_path: Path) -> Catalogue:
    return fill(tmp_path / "ours", 8, ENCODER)


@pytest.fixture
def theirs(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "theirs")


@pytest.fixture
def team() -> str:
    return f"memory://{secrets.token_hex(8)}"


def names(folder: str) -> list[str]:
    system, path = fsspec.url_to_fs(folder)
    return sorted(found.rpartition("/")[2] for found in system.find(path))


@pytest.mark.parametrize("protocol", ["memory", "file", "stiff"])
def test_there_and_back(ours: Catalogue, theirs: Catalogue, tmp_path: Path, protocol: str) -> None:
    (tmp_path / "a b").mkdir()
    address = f"{protocol}://{tmp_path}/a b/shoes.parquet"
    told: list[tuple[int, int]] = []
    for _ in range(2):
        assert export_products(ours, address, lambda done, total: told.append((done, total))) == 15
        assert names(f"{protocol}://{tmp_path}/a b") == ["shoes.parquet"]
    assert told[0] == (0, 15) and (14, 15) in told
    report = import_products(theirs, ENCODER, address)
    assert (report.added, report.failed) == (15, [])
    assert [row[:6] for row in content(theirs)] == [row[:6] for row in content(ours)]
    assert {path.name for path in theirs.folder.iterdir()} == {path.name for path in ours.folder.iterdir()}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s4://bucket/x.parquet", "Addresses of the kind 's4' are not known"),
        ("\x1b[31m://bucket/x.parquet", "Addresses of the kind '' are not known"),
        ("lacking://x.parquet", r"Install no_such_package. For s3 install s3fs"),
        ("s3:/bucket/x.parquet", "s3:/bucket/x.parquet names no file. Write an address as s3://"),
        ("memory://", "names no file"),
        ("memory://folder/", "names no file"),
        ("zip::memory://x.zip", "names no file"),
        ("simplecache::s3://bucket/x.parquet", "names no file"),
    ],
)
def test_addresses_that_can_t_be_meant(ours: Catalogue, address: str, said: str) -> None:
    for act in (lambda: export_products(ours, address), lambda: import_products(ours, ENCODER, address)):
        with pytest.raises(StorageError, match=said) as caught:
            act()
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_paths_are_no_addresses() -> None:
    for path in ("shoes.parquet", "/a/b", "C:/shoes.parquet", "C:\\shoes", "a:b/c", "./s3:/x", "-"):
        assert not remote.is_address(path), path


def test_nothing_there(theirs: Catalogue, team: str, tmp_path: Path) -> None:
    for address in (f"{team}/none.parquet", f"file://{tmp_path}/none.parquet"):
        with pytest.raises(StorageError, match=r"none\.parquet does not exist"):
            import_products(theirs, ENCODER, address)


def test_a_folder_is_not_written_over(ours: Catalogue, team: str, tmp_path: Path) -> None:
    export_products(ours, f"{team}/folder/shoes.parquet")
    (tmp_path / "folder").mkdir()
    for address in (f"{team}/folder", f"file://{tmp_path}/folder"):
        with pytest.raises(StorageError, match="that is a folder; name a file in it"):
            export_products(ours, address)
    assert names(team) == ["shoes.parquet"] and not list((tmp_path / "folder").iterdir())


def test_offline_only_what_is_near_is_used(ours: Catalogue, theirs: Catalogue, team: str) -> None:
    export_products(ours, f"{team}/x.parquet", offline=True)
    assert import_products(theirs, ENCODER, f"{team}/x.parquet", offline=True).added == 15
    for address in ("s3://bucket/x.parquet", "https://shop.example/x.parquet", "hf://datasets/a/b/x.parquet"):
        for act in (export_products, lambda c, a, **o: import_products(c, ENCODER, a, **o)):
            with pytest.raises(StorageError, match="the program is set to stay offline"):
                act(ours, address, offline=True)


@pytest.mark.parametrize("password", ["secret", "p@secret"])
def test_a_password_is_not_told(ours: Catalogue, password: str) -> None:
    with pytest.raises(StorageError) as caught:
        export_products(ours, f"ftp://me:{password}@shop.example/x.parquet", offline=True)
    assert "secret" not in str(caught.value) and "ftp://shop.example/x.parquet" in str(caught.value)


def test_what_is_there_stays_until_all_has_arrived(ours: Catalogue, team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{team}/shoes.parquet"
    export_products(ours, address)
    data = fsspec.url_to_fs(address)[0].cat_file(address)
    monkeypatch.setattr(remote, "_PIECE", 1_000)

    def stop(done: int, total: int) -> None:
        if total == 0:  # MB on their way, no more rows
            raise Cancelled

    with pytest.raises(Cancelled):
        export_products(ours, address, stop)
    assert names(team) == ["shoes.parquet"]
    assert fsspec.url_to_fs(address)[0].cat_file(address) == data


def test_no_end_of_a_file_is_no_end_of_the_disk(
    ours: Catalogue, theirs: Catalogue, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_products(ours, f"{team}/x.parquet")
    monkeypatch.setattr(remote, "_PIECE", 1_000)
    monkeypatch.setattr(remote, "_MOST_BYTES", 5_000)
    with pytest.raises(StorageError, match="over"):
        import_products(theirs, ENCODER, f"{team}/x.parquet")


def test_what_is_no_snapshot_is_called_by_its_address(theirs: Catalogue, team: str) -> None:
    fsspec.url_to_fs(team)[0].pipe_file(f"{team}/x.parquet", b"no parquet")
    with pytest.raises(CatalogueError, match=rf"{team}/x\.parquet is no snapshot"):
        import_products(theirs, ENCODER, f"{team}/x.parquet")
