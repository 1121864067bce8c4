"""Measure the built-in encoder and brand heads on the held-out split, next to what they should beat.

    python -m scripts.evaluate_encoder DATA

Prints Markdown tables: brands (F1, calibration, "not a sneaker"), words and pictures (recall, MRR), picture to picture
(precision at 10), and how often a changed picture still finds its original.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image, ImageFilter, ImageOps
from sklearn.metrics import f1_score
from sklearn.svm import SVC
from tqdm import tqdm

from dreamkicks import locations
from dreamkicks.brands.classifier import open_brands
from dreamkicks.encoder.encoder import Encoder, open_encoder
from scripts.lib.baselines import Describe, Lite0, hog, pixels
from scripts.lib.photographs import BRANDS
from scripts.lib.split import held_out, scales


@dataclass(frozen=True)
class Photograph:
    picture: Image.Image
    brand: str
    title: str
    colour: str
    group: str


def load(data: Path, kind: str) -> list[Photograph]:
    """All photographs of a kind with their rows of its table, where it has one."""
    rows: dict[str, dict[str, str]] = {}
    if (data / kind / f"{kind}.csv").exists():
        with open(data / kind / f"{kind}.csv", newline="", encoding="utf-8") as file:
            rows = {row["file"]: row for row in csv.DictReader(file)}
    found = []
    for archive in sorted((data / kind).glob("*.tar")):
        with tarfile.open(archive) as tar:
            for member in tqdm(tar.getmembers(), desc=f"read {archive.name}"):
                stream = tar.extractfile(member)
                if stream is not None:
                    row = rows.get(member.name, {})
                    picture = Image.open(io.BytesIO(stream.read())).convert("RGB")
                    words = [row.get(name, "") for name in ("brand", "title", "colour")]
                    found.append(Photograph(picture, *words, row.get("group", member.name)))
    return found


def in_batches(describe: Describe, photographs: Sequence[Photograph]) -> np.ndarray:
    parts = [photographs[start : start + 256] for start in range(0, len(photographs), 256)]
    return np.concatenate([describe([one.picture for one in part]) for part in tqdm(parts, desc="describe")])


def random_clip() -> Encoder:
    """The built-in architecture with weights that were never trained."""
    encoder = open_encoder()
    fresh = object.__new__(Encoder)
    fresh.__dict__.update(encoder.__dict__)
    torch.manual_seed(0)
    folder = f"local-dir:{locations.weights() / 'encoder'}"
    fresh._model = open_clip.create_model(folder, load_weights=False).eval()
    return fresh


def calibration_error(chance: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    gaps = [
        abs(right[place == b].mean() - chance[place == b].mean()) * (place == b).mean() for b in set(place.tolist())
    ]
    return float(sum(gaps))


def brands(train: list[Photograph], held: list[Photograph], other: list[Photograph]) -> None:
    names = [BRANDS.index(one.brand) for one in held]
    answers = [BRANDS.index(one.brand) for one in train]
    encoder = open_encoder()
    rows = []
    for name, describe in (("HOG + SVM", hog), ("EfficientNet-lite0 + SVM", Lite0())):
        machine = SVC(C=10).fit(in_batches(describe, train), answers)
        rows.append((name, machine.predict(in_batches(describe, held))))
    verdicts = open_brands().classify(in_batches(encoder.pictures, held))
    shares = open_brands().probabilities(in_batches(encoder.pictures, held))
    rows.append(("built-in", shares.argmax(1)))
    print("\n| brands, 13, held out | F1 macro | F1 weighted |\n|---|---|---|")
    for name, guess in rows:
        macro, weighted = (f1_score(names, guess, average=way) for way in ("macro", "weighted"))
        print(f"| {name} | {macro:.3f} | {weighted:.3f} |")
    fresh = np.array([not scales(one.group) for one in held])  # the others set the scale of the probabilities
    error = calibration_error(shares.max(1)[fresh], (shares.argmax(1) == names)[fresh])
    print(f"\n{len(held)} photographs; expected calibration error {error:.3f} on the {fresh.sum()} that set no scale")
    other = [one for one in other if not scales(one.group)]
    found = np.array(
        [not verdict.is_sneaker for verdict in open_brands().classify(in_batches(encoder.pictures, other))]
    )
    wrong = np.array([not verdict.is_sneaker for verdict in verdicts])[fresh]
    # Precision depends on how many of each there are; here as if there were as many sneakers as other things.
    precision = found.mean() / (found.mean() + wrong.mean())
    print(f"not a sneaker: recall {found.mean():.3f}, precision {precision:.3f} ({len(other)} other things)")


def words(held: list[Photograph]) -> None:
    titles = sorted({one.title.lower() for one in held if one.title})
    shown = [one for one in held if one.title]
    right = np.array([[one.title.lower() == title for one in shown] for title in titles])
    print(
        "\n| words and pictures, held out | words → pictures R@1 | R@5 | R@10 | MRR | pictures → words R@1 | R@5 | R@10 | MRR |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, encoder in (("random CLIP", random_clip()), ("built-in", open_encoder())):
        scores = encoder.words(titles) @ in_batches(encoder.pictures, shown).T
        cells = []
        for matrix, truth in ((scores, right), (scores.T, right.T)):
            order = np.argsort(-matrix, axis=1)
            rank = np.take_along_axis(truth, order, 1).argmax(1)
            cells += [f"{(rank < k).mean():.3f}" for k in (1, 5, 10)] + [f"{(1 / (rank + 1)).mean():.3f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{len(titles)} titles, {len(shown)} photographs")


def phone(picture: Image.Image) -> Image.Image:
    """On a wooden floor: the white paper becomes brown stripes."""
    sheet = Image.new("RGB", picture.size, (150, 110, 80))
    for x in range(0, picture.width, 16):
        sheet.paste((120, 85, 60), (x, 0, x + 2, picture.height))
    return Image.composite(sheet, picture, picture.convert("L").point(lambda level: 255 if level > 245 else 0))


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=20)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def crop(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((w // 12, h // 12, w - w // 12, h - h // 12))


CHANGES = {
    "mirror": ImageOps.mirror,
    "crop": crop,
    "grey paper": lambda p: Image.composite(
        Image.new("RGB", p.size, (214, 214, 214)), p, p.convert("L").point(lambda level: 255 if level > 245 else 0)
    ),
    "blur": lambda p: p.filter(ImageFilter.GaussianBlur(max(p.size) / 100)),
    "JPEG 20": jpeg,
    "floor": phone,
}


def neighbours(held: list[Photograph]) -> None:
    described: dict[str, Describe] = {
        "pixels": pixels,
        "HOG": hog,
        "EfficientNet-lite0": Lite0(),
        "built-in": open_encoder().pictures,
    }
    groups = np.array([one.group for one in held])
    print(
        f"\n| picture to picture, held out | brand P@10 | colour P@10 | {' | '.join(CHANGES)} |\n|---|---|---|{'---|' * len(CHANGES)}"
    )
    for name, describe in described.items():
        rows = in_batches(describe, held)
        scores = rows @ rows.T
        scores[groups[:, None] == groups[None]] = -np.inf  # its own group is no find
        near = np.argsort(-scores, axis=1)[:, :10]
        cells = []
        for what in ("brand", "colour"):
            said = np.array([getattr(one, what).lower() for one in held])
            known = said != ""
            cells.append(f"{(said[near[known]] == said[known][:, None]).mean():.3f}")
        for change in CHANGES.values():
            changed = describe([change(one.picture) for one in held])
            cells.append(f"{((changed @ rows.T).argmax(1) == np.arange(len(held))).mean():.3f}")
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nThe columns after P@10 are the share of changed pictures whose nearest is their original.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with labelled/ and other/")
    arguments = parser.parse_args()
    labelled = load(arguments.data, "labelled")
    held = [one for one in labelled if held_out(one.group)]
    thirteen = [one for one in labelled if one.brand in BRANDS]
    other = [one for one in load(arguments.data, "other") if held_out(one.group)]
    brands(
        [one for one in thirteen if not held_out(one.group)], [one for one in thirteen if held_out(one.group)], other
    )
    words(held)
    neighbours(held)


if __name__ == "__main__":
    main()
