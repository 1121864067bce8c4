"""The scripts that make the built-in models run from a data folder to models that load: tiny, on drawn shoes."""

from __future__ import annotations

import csv
import io
import random
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from dreamkicks.files import verify_checksums
from tests.drawing import encoded, sneaker, worn_sneaker

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
[prior]
components = 8
width = 16
blocks = 1
designs = 4
minutes = 0.02
batch = 8
learning_rate = 1e-3
[decoder]
minutes = 0.03
batch = 4
learning_rate = 1e-4
critic_rate = 1e-4
latent_noise = 0.05
ema = 0.9
pixel = 2.0
unlike = 2.0
persuade = 0.3
repetition = 1.0
[denoiser]
minutes = 0.05
batch = 4
learning_rate = 1e-3
channels = [16, 16, 16]
token_width = 16
edit_share = 0.4
ema = 0.9
[latents]
minutes = 0.03
batch = 6
dreams = 2
edit_share = 0.4
learning_rate = 1e-4
critic_rate = 1e-4
ema = 0.9
latent = 0.5
pixel = 2.0
unlike = 2.0
persuade = 0.3
[swaps]
count = 20
alike = -1.0
said = -1.0
along = -2.0
colour = 200.0
[one_step]
minutes = 0.05
batch = 6
dreams = 2
edit_share = 0.4
learning_rate = 1e-4
decoder_rate = 1e-4
decoder_after = 0.0
critic_rate = 1e-4
ema = 0.9
latent = 0.5
pixel = 2.0
unlike = 2.0
persuade = 0.3
lattice = 1.0
sameness = 1.0
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
titles = 4
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
    """Sixty drawn shoes of three brands, each brand with colours of its own, and things that are no shoes.

    Thirty more are on feet, and of a brand that no other shoe is of; views.csv says which.
    """
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
        worn = [f"worn{number}.webp" for number in range(30 if kind == "labelled" else 0)]
        for number, name in enumerate(worn):
            row = rows[number]
            pictures[name] = worn_sneaker(row["colour"], seed=number, size=160)
            rows.append(row | {"file": name, "group": name, "brand": "Vans"})
        pack(folder, kind, pictures, rows)
    titles = [f"{brand} {colour} trainer" for brand in BRANDS for colour in COLOURS]
    (folder / "products.csv").write_text("title\n" + "".join(f"{title}\n" for title in titles))
    (folder / "views.csv").write_text("file,view\n" + "".join(f"{name},worn\n" for name in worn))
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
    pack(folder, "phone", {f"phone{n}.webp": Image.new("RGB", (90, 120), COLOURS[n]) for n in range(3)}, [])
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a script's main."""

    def run(main: Callable[[], None], *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
        main()

    return run


def stamps(folder: Path, but: Path | None = None) -> dict[Path, int]:
    """When the files below a folder were written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path != but}


def test_the_painter(data: Path, tmp_path: Path, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamkicks.painter.builtin import BuiltinPainter
    from dreamkicks.painter.framing import frame
    from dreamkicks.painter.presets import find_preset
    from scripts import train_painter
    from scripts.lib import clock, one_step

    config = tmp_path / "painter.toml"
    config.write_text(PAINTER.replace("[one_step]\nminutes = 0.05", "[one_step]\nminutes = 10"))
    arguments = (data, "--config", config, "--work", tmp_path / "work", "--out", tmp_path / "painter")
    # Stopped in the last stage, it goes on there: what was finished is not touched.
    monkeypatch.setattr(clock, "KEPT_EVERY", 0.0)
    with monkeypatch.context() as stopped:
        left = iter(range(1))
        stopped.setattr(one_step, "descend", lambda *_: next(left))
        with pytest.raises(StopIteration):
            run(train_painter.main, *arguments)
    kept = tmp_path / "work" / "one_step.pt"
    assert kept.exists() and not (tmp_path / "painter").exists()
    made = stamps(tmp_path / "work", but=kept)
    config.write_text(PAINTER)
    run(train_painter.main, *arguments)
    assert not kept.exists()
    assert stamps(tmp_path / "work").items() > made.items()

    painter = BuiltinPainter(find_preset("builtin"), tmp_path / "painter")
    picture = painter.imagine("red low-top", 1).picture
    assert picture.size == (256, 256)
    shoe = frame(sneaker("red"))
    for edit in ("blue", "high-top"):
        assert painter.edit(shoe, edit, 1).picture.tobytes() != shoe.tobytes()
    # A painter that is finished comes of the same command again.
    whole = {path.name: path.read_bytes() for path in (tmp_path / "painter").rglob("*.safetensors")}
    shutil.rmtree(tmp_path / "painter")
    run(train_painter.main, *arguments)
    assert whole == {path.name: path.read_bytes() for path in (tmp_path / "painter").rglob("*.safetensors")}


def test_the_encoder_and_the_brands(
    data: Path, tmp_path: Path, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamkicks.brands.classifier import Brands
    from dreamkicks.encoder.encoder import open_encoder
    from scripts import train_brands, train_encoder

    config = tmp_path / "encoder.toml"
    config.write_text(ENCODER)
    arguments = (data, "--config", config, "--work", tmp_path / "work", "--out", tmp_path / "encoder")
    run(train_encoder.main, *arguments)
    verify_checksums(tmp_path / "encoder")
    # One that is finished is not trained on.
    trained = {path.name: path.read_bytes() for path in (tmp_path / "encoder").iterdir()}
    run(train_encoder.main, *arguments)
    assert trained == {path.name: path.read_bytes() for path in (tmp_path / "encoder").iterdir()}
    small = open_encoder(str(tmp_path / "encoder"))
    assert small.pictures([sneaker()]).shape == small.words(["red shoe"]).shape == (1, 16)

    arguments = (data, "--labels", data / "views.csv", "--work", tmp_path / "work", "--out", tmp_path / "brands")
    run(train_brands.main, *arguments)
    head = Brands(tmp_path / "brands")
    encoder = open_encoder()
    assert head.encoder == encoder.identity
    by_itself = encoder.pictures([sneaker("red", seed=99), sneaker("green", seed=98)])
    on_a_foot = encoder.pictures([worn_sneaker("red", seed=97), worn_sneaker("green", seed=96)])
    assert head.views(by_itself) == ["shoe", "shoe"]
    assert head.views(on_a_foot) == ["worn", "worn"]
    assert [head.names[row.argmax()] for row in head.probabilities(by_itself)] == ["Nike", "Adidas"]
    assert head.names == ["Adidas", "Nike", "Puma"]  # it has seen no shoe on a foot


def test_every_measure_of_the_encoder_stands_next_to_its_baselines(
    data: Path, run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts import evaluate_encoder

    run(evaluate_encoder.main, data, "--dreams", 2)
    tables: dict[str, dict[str, list[float]]] = {}
    for line in capsys.readouterr().out.splitlines():
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells and "held out" in name:
            rows = tables.setdefault(name, {})
        elif cells and "---" not in name:
            rows[name] = [float(cell) for cell in cells]
    brands, words, near, changed = tables.values()
    assert list(brands) == [f"{n} + SVM" for n in ("pixels", "HOG", "EfficientNet-lite0", "an untrained CLIP")] + [
        "built-in"
    ]
    assert list(words) == ["an untrained CLIP", "built-in"]
    assert (
        list(near)
        == list(changed)
        == ["chance", "pixels", "HOG", "EfficientNet-lite0", "an untrained CLIP", "built-in"]
    )
    assert all(0 <= share <= 1 for table in tables.values() for row in table.values() for share in row)
    mirrored = {name: row[0] for name, row in changed.items()}
    assert mirrored["built-in"] == 1 > mirrored["chance"]  # it takes the mean of a picture and its mirror image


def test_the_concepts(tmp_path: Path, run: Callable[..., None]) -> None:
    from dreamkicks.catalogue.catalogue import Catalogue
    from scripts import build_concepts

    run(build_concepts.main, "--count", 3, "--out", tmp_path / "concepts")
    catalogue = Catalogue(tmp_path / "concepts")
    assert catalogue.stats().stores == {"concepts": 3}
    assert catalogue.verify() == []
    assert [product.price for product in catalogue.products()] == [None] * 3
