"""A catalogue that several processes use, and the copy of the one that ships, with which each person begins."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from dreamkicks import locations
from dreamkicks.catalogue import database
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Listing
from dreamkicks.errors import CatalogueBusy, CatalogueError
from tests.catalogue.palette import ENCODER, content, fill, keep, patchwork, vector

# ------------------------------------------------------------------ together


def ask(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in another process with `folder`, Catalogue and the encoder at hand."""
    begin = f"""
        from pathlib import Path
        from dreamkicks.catalogue.catalogue import Catalogue
        from dreamkicks.catalogue.product import Listing
        from dreamkicks.errors import CatalogueBusy
        from tests.catalogue.palette import PaletteEncoder, patchwork
        catalogue, encoder = Catalogue(Path({str(folder)!r})), PaletteEncoder()
    """
    root = Path(__file__).parents[2]
    code = textwrap.dedent(begin) + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)


def test_the_second_writer_is_told_at_once_and_readers_go_on(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    write = """
        try:
            with catalogue.writing():
                print("wrote")
        except CatalogueBusy as error:
            print(error)
    """
    read = "print(catalogue.search(encoder.pictures([patchwork(1)])[0], encoder.identity, 1)[0].product.title)"
    with catalogue.writing():
        catalogue.keep(patchwork(2), Listing("Nike", "Shoe 2"))
        answer = ask(catalogue.folder, write).stdout
        assert (
            answer == f"Another dreamkicks is writing to {catalogue.folder}. Wait until it is done, then try again.\n"
        )
        assert ask(catalogue.folder, read).stdout == "Shoe 1\n"
        with pytest.raises(CatalogueBusy), Catalogue(catalogue.folder).writing():
            pass
    assert ask(catalogue.folder, write).stdout == "wrote\n"


def test_what_another_process_brings_in_is_found(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    assert catalogue.search(vector(2), ENCODER.identity, 1)[0].product.title == "Shoe 1"
    script = """
        with catalogue.writing():
            catalogue.keep(patchwork(2), Listing("Nike", "from elsewhere"))
            catalogue.index(encoder)
    """
    ask(catalogue.folder, script)
    assert catalogue.search(vector(2), ENCODER.identity, 1)[0].product.title == "from elsewhere"


def test_damage_of_the_header_is_noticed_after_processes_that_only_ended(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    catalogue.close()
    path, note = catalogue.folder / database.NAME, catalogue.folder / database.HEADER
    script = """
        with catalogue.writing():
            for seed in range(100, 160):
                catalogue.keep(patchwork(seed), Listing("Nike", f"Shoe {seed}"))
    """
    # A process that ended, and one that let go of the catalogue.
    for grow in (lambda: ask(catalogue.folder, script), lambda: fill(catalogue.folder, 60)):
        before = path.read_bytes()[:100]
        grow()
        assert note.read_bytes() == path.read_bytes()[:100] != before
    whole = path.read_bytes()
    path.write_bytes(whole[:71] + bytes([whole[71] ^ 1]) + whole[72:])  # of the bytes that SQLite does not check
    with pytest.raises(CatalogueError, match="its header is not as it was written"):
        Catalogue(catalogue.folder)


def test_readers_go_on_while_one_writes(catalogue: Catalogue) -> None:
    keep(catalogue, 0)
    done = threading.Event()

    def write() -> None:
        writer = Catalogue(catalogue.folder)
        for seed in range(1, 12):
            keep(writer, seed)
        writer.close()
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert catalogue.search(vector(0), ENCODER.identity, 1)[0].product.title == "Shoe 0"
        assert catalogue.stats().products >= 1
    thread.join()
    assert len(catalogue.search(vector(0), ENCODER.identity, 99)) == 12


# ------------------------------------------------------------------ the one that ships


def test_at_first_the_catalogue_that_ships_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    fill(shipped, 4).close()
    before = {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    monkeypatch.setattr(locations, "concepts", lambda: shipped)
    mine = Catalogue.of_user()
    assert mine.folder == locations.catalogue() and mine.stats().products == 4 and mine.verify() == []
    keep(mine, 5000)
    mine.close()
    again = Catalogue.of_user()
    assert again.stats().products == 5
    again.close()
    assert {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()} == before
    assert [path.name for path in locations.home().iterdir()] == ["catalogue"]


def test_two_processes_may_make_the_first_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    fill(shipped, 4).close()
    monkeypatch.setattr(locations, "concepts", lambda: shipped)
    start, counts, errors = threading.Barrier(4), [], []

    def open_it() -> None:
        start.wait()
        try:
            catalogue = Catalogue.of_user()
            counts.append(catalogue.stats().products)
            catalogue.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counts, errors) == ([4] * 4, [])
    assert [path.name for path in locations.home().iterdir()] == ["catalogue"]


def test_without_one_that_ships_the_catalogue_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "concepts", lambda: tmp_path / "missing")
    catalogue = Catalogue.of_user()
    assert (catalogue.stats().products, content(catalogue)) == (0, [])
    assert (locations.catalogue() / database.NAME).is_file()
    catalogue.close()
