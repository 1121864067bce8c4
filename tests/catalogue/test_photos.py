from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image

from dreamkicks import pictures
from dreamkicks.catalogue.photos import LONGEST_SIDE, keep_photo, photo_path
from tests.drawing import sneaker


def test_a_photo_is_kept_under_its_hash(tmp_path: Path) -> None:
    picture = sneaker("navy", size=900)
    digest = keep_photo(tmp_path, picture)
    path = photo_path(tmp_path, digest)
    assert path == tmp_path / "photos" / digest[:2] / f"{digest}.webp"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    kept = pictures.load(path)
    assert max(kept.size) == LONGEST_SIDE
    assert picture.size == (900, 900)  # the caller's picture stays as it is


def test_the_same_picture_is_one_file(tmp_path: Path) -> None:
    assert keep_photo(tmp_path, sneaker("navy")) == keep_photo(tmp_path, sneaker("navy"))
    assert keep_photo(tmp_path, sneaker("navy")) != keep_photo(tmp_path, sneaker("red"))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_pictures_of_any_shape(tmp_path: Path) -> None:
    for size in ((1, 1), (4000, 1), (2, 3000), (300, 200)):
        kept = pictures.load(photo_path(tmp_path, keep_photo(tmp_path, Image.new("RGB", size, "red"))))
        assert max(kept.size) == min(LONGEST_SIDE, max(size))
