"""What a catalogue says of itself, and how it notices damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.photos import keep_photo, photo_path
from dreamkicks.catalogue.product import Listing
from dreamkicks.catalogue.vectors import POINTER
from dreamkicks.errors import CatalogueError
from tests.catalogue.palette import ENCODER, fill, keep, patchwork, vector


def test_stats(filled: Catalogue) -> None:
    stats = filled.stats()
    assert (stats.products, stats.photos, stats.indexed) == (60, 120, 120)
    assert (stats.encoder, stats.generation) == (ENCODER.identity, 1)
    assert stats.brands == dict.fromkeys(("Adidas", "Nike", "Puma", "Vans"), 15)
    assert stats.stores == dict.fromkeys(("mine", "other.example", "shop.example"), 20)
    assert stats.prices == {"EUR": ("40", "160")}
    assert stats.bytes > 120 * 100


def test_a_good_catalogue_has_no_problem(filled: Catalogue) -> None:
    told: list[tuple[int, int]] = []
    assert filled.verify(lambda done, total: told.append((done, total))) == []
    assert told == [(0, 120), (50, 120), (100, 120)]


def test_photos_that_are_gone_or_damaged_can_be_brought_back(catalogue: Catalogue) -> None:
    photos = [catalogue.product(keep(catalogue, seed)).photo for seed in range(3)]
    photos[0].unlink()
    photos[1].write_bytes(photos[1].read_bytes()[:-1] + b"\xff")
    problems = catalogue.verify()
    assert [problem.what for problem in problems] == [
        f"photo {photos[0].name} is missing",
        f"photo {photos[1].name} is damaged",
    ]
    assert "--repair, then refresh its shop or import its picture again" in problems[1].advice
    with catalogue.writing():  # what the advice says
        forgotten = catalogue.repair(ENCODER)
    assert [problem.what for problem in forgotten] == [problem.what for problem in problems]
    assert catalogue.verify() == [] and catalogue.in_step(ENCODER.identity)
    assert [product.title for product in catalogue.products()] == ["Shoe 2"]
    for seed in range(2):
        keep(catalogue, seed)
    assert catalogue.verify() == [] and all(photo.is_file() for photo in photos)
    assert catalogue.stats().products == 3


def test_a_repair_deletes_what_is_nobody_s_photo(catalogue: Catalogue) -> None:
    kept = catalogue.product(keep(catalogue, 1)).photo
    with catalogue.writing():
        gone = photo_path(catalogue.folder, keep_photo(catalogue.folder, patchwork(2)))
        half = gone.with_name(".0123456789abcdef.part")  # as a kill leaves it
        half.touch()
        assert catalogue.repair(ENCODER) == []
    assert kept.is_file() and not gone.exists() and not half.exists()
    assert catalogue.verify() == []


def test_a_photo_that_can_t_be_read_costs_no_new_generation(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    with catalogue.writing():
        number = catalogue.keep(patchwork(2), Listing("Nike", "Shoe 2"))
        catalogue.product(number).photo.unlink()
        assert catalogue.index(ENCODER) == 0
        assert catalogue.index(ENCODER) == 0
    assert catalogue.stats().generation == 1
    assert [finding.product.title for finding in catalogue.search(vector(2), ENCODER.identity, 5)] == ["Shoe 1"]


def test_a_photo_that_can_t_be_opened_is_named(catalogue: Catalogue) -> None:
    photo = catalogue.product(keep(catalogue, 1)).photo
    photo.unlink()
    photo.mkdir()
    (problem,) = catalogue.verify()
    assert photo.name in problem.what and "can't be read" in problem.what


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / POINTER).unlink(),
        lambda folder: (folder / POINTER).write_bytes(b"garbage \xff"),
        lambda folder: (folder / POINTER).write_text("7 " + "0" * 64),
        lambda folder: (folder / "generations" / "000001" / "manifest.json").unlink(),
        lambda folder: half(folder / "generations" / "000001" / "manifest.json"),
        lambda folder: half(folder / "generations" / "000001" / "vectors.usearch"),
        lambda folder: shutil.rmtree(folder / "generations"),
    ],
    ids=[
        "no pointer",
        "pointer garbage",
        "pointer nowhere",
        "no manifest",
        "half a manifest",
        "half an index",
        "no generations",
    ],
)
def test_vectors_that_are_damaged_are_noticed_and_made_anew(tmp_path: Path, damage: object) -> None:
    fill(tmp_path, 10).close()
    damage(tmp_path)  # type: ignore[operator]
    catalogue = Catalogue(tmp_path)
    if (tmp_path / POINTER).exists():
        with pytest.raises(CatalogueError, match="catalog verify"):
            catalogue.search(vector(3), ENCODER.identity, 3)
    else:
        assert catalogue.search(vector(3), ENCODER.identity, 3) == []
    (problem,) = catalogue.verify()
    assert "catalog verify --repair" in problem.advice
    assert not catalogue.in_step(ENCODER.identity)
    assert (catalogue.stats().products, catalogue.stats().indexed) == (10, 0)
    with catalogue.writing():
        assert catalogue.index(ENCODER) == catalogue.stats().photos
    assert catalogue.verify() == []
    assert catalogue.search(vector(3), ENCODER.identity, 3)[0].product.title == "Shoe 3"
    catalogue.close()
