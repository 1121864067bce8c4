"""The scripts that make the built-in models run from a data folder to models that load: tiny, on drawn shoes."""

from __future__ import annotations

import csv
import io
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from dreamkicks.files import verify_checksums
from tests.drawing import encoded, sneaker

COLOURS = ("red", "blue", "green", "black", "orange", "purple", "navy", "teal")
BRANDS = ("Nike", "Adidas", "Puma")

PAINTER = """
seed = 7
[autoencoder]
latent_channels = 4
minutes = 0.03
batch = 4
learning_rate = 1e-3
latent_noise = 0.05
[denoiser]
minutes = 0.05
batch = 4
learning_rate = 1e-3
channels = [16, 16, 16]
token_width = 16
edit_share = 0.4
ema = 0.9
"""
ENCODER = """
seed = 7
minutes = 0.05
batch = 8
learning_rate = 1e-3
trunk_learning_rate = 1e-4
image_size = 64
embed_dim = 16
vocabulary = 300
context_length = 16
text_width = 48
text_layers = 1
"""


def pack(folder: Path, kind: str, pictures: dict[str, Image.Image], rows: list[dict[str, str]]) -> None:
    """A tar of pictures and a table, as the data folder has them."""
    (folder / kind).mkdir(parents=True)
    with tarfile.open(folder / kind / f"{kind}-00.tar", "w") as tar:
        for name, picture in pictures.items():
            data = encoded(picture, "WEBP")
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    if rows:
        with open(folder / kind / f"{kind}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty drawn shoes of three brands, each brand with colours of its own, and things that are no shoes."""
    folder = tmp_path_factory.mktemp("data")
    for kind, size in (("side", 256), ("labelled", 160)):
        pictures, rows = {}, []
        for number in range(60):
            brand = BRANDS[number % 3]
            colour = COLOURS[(number % 3) * 2 + number // 3 % 2]
            name = f"{kind}{number}.webp"
            pictures[name] = sneaker(colour, seed=number, size=size)
            rows.append({"file": name, "source": "drawn", "group": f"{kind}{number}", "brand": brand})
            rows[-1] |= {"title": f"{brand} {colour} shoe", "colour": colour, "type": "Shoe"}
        pack(folder, kind, pictures, rows)
    others = {}
    draw = random.Random(0)
    for number in range(30):
        sheet = Image.new("RGB", (120, 160), "white")
        pen = ImageDraw.Draw(sheet)
        for _ in range(6):
            x, y = draw.randrange(90), draw.randrange(130)
            pen.ellipse((x, y, x + 30, y + 30), fill=draw.choice(COLOURS))
        others[f"other{number}.webp"] = sheet
    pack(folder, "other", others, [])
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a script's main."""

    def run(main: Callable[[], None], *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
        main()

    return run


def test_the_painter(data: Path, tmp_path: Path, run: Callable[..., None]) -> None:
    from dreamkicks.painter.builtin import BuiltinPainter
    from dreamkicks.painter.presets import find_preset
    from scripts import train_painter

    config = tmp_path / "painter.toml"
    config.write_text(PAINTER)
    arguments = (data, "--config", config, "--work", tmp_path / "work", "--out", tmp_path / "painter")
    run(train_painter.main, *arguments)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    painter = BuiltinPainter(find_preset("builtin"), tmp_path / "painter")
    picture = painter.imagine("red low-top", 1).picture
    assert picture.size == (128, 128)
    assert painter.edit(picture, "blue", 1).picture.tobytes() != picture.tobytes()
    # A second run goes on from what the first one kept.
    run(train_painter.main, *arguments)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_the_encoder_and_the_brands(
    data: Path, tmp_path: Path, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamkicks.brands.classifier import Brands
    from dreamkicks.encoder.encoder import open_encoder
    from scripts import train_brands, train_encoder

    config = tmp_path / "encoder.toml"
    config.write_text(ENCODER)
    run(train_encoder.main, data, "--config", config, "--work", tmp_path / "work", "--out", tmp_path / "encoder")
    verify_checksums(tmp_path / "encoder")
    small = open_encoder(str(tmp_path / "encoder"))
    assert small.pictures([sneaker()]).shape == small.words(["red shoe"]).shape == (1, 16)

    run(train_brands.main, data, "--work", tmp_path / "work", "--out", tmp_path / "brands")
    head = Brands(tmp_path / "brands")
    encoder = open_encoder()
    assert head.encoder == encoder.identity
    seen = encoder.pictures([sneaker("red", seed=99), sneaker("green", seed=98)])
    nike, adidas = (head.names[row.argmax()] for row in head.probabilities(seen))
    assert (nike, adidas) == ("Nike", "Adidas")


def test_the_concepts(tmp_path: Path, run: Callable[..., None]) -> None:
    from dreamkicks.catalogue.catalogue import Catalogue
    from scripts import build_concepts

    run(build_concepts.main, "--count", 3, "--out", tmp_path / "concepts")
    catalogue = Catalogue(tmp_path / "concepts")
    assert catalogue.stats().stores == {"concepts": 3}
    assert catalogue.verify() == []
    assert [product.price for product in catalogue.products()] == [None] * 3
