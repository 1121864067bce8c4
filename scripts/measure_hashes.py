"""Measure how surely the catalogue tells the same picture from another one; `likeness.py` quotes the figures.

    python -m scripts.measure_hashes DATA

Every side view against itself re-encoded, halved and cropped, and against all others; every fifth against itself in other
colours.
"""

from __future__ import annotations

import argparse
import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dreamkicks.catalogue.likeness import same_picture, signature
from dreamkicks.painter.colour import to_lab
from dreamkicks.painter.measure import measure
from scripts.lib.archives import pictures_of
from scripts.lib.pairs import recolour

_OTHER = 30.0  # how far a new colour is from the old one at least, in CIELAB


def same(picture: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """The picture as other shops would have it."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    width, height = picture.size
    x, y = round(width / 100), round(height / 100)
    yield "JPEG at quality 60", Image.open(buffer).convert("RGB")
    small = picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=60)
    yield "half the size", small
    yield "half the size, and JPEG at quality 60", Image.open(buffer).convert("RGB")
    yield "cropped by 1 % on all sides", picture.crop((x, y, width - x, height - y))
    yield "cropped by 1 % on the left", picture.crop((x, 0, width, height))
    yield "cropped by 1 % at the bottom", picture.crop((0, 0, width, height - y))


def recoloured(picture: Image.Image, draw: random.Random) -> Iterator[tuple[str, Image.Image]]:
    """The shoe with one part in another colour, at random."""
    pixels = np.asarray(picture)
    if (seen := measure(pixels)) is None:
        return
    for part in ("upper", "sole", "accent"):
        if (own := getattr(seen.blueprint, part)) is None:
            continue
        colour = own
        while np.linalg.norm(np.subtract(colour, own)) < _OTHER:
            colour = to_lab(np.array([draw.randrange(256) for _ in range(3)], np.uint8))
        yield f"another colour of the {part}", Image.fromarray(recolour(pixels, seen, part, tuple(map(float, colour))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    draw = random.Random(0)
    tried, matched = Counter[str](), Counter[str]()
    groups, signatures = [], []
    for row, read in pictures_of(data, "side"):
        group, picture = row["group"], read()
        own = signature(picture)
        groups.append(group)
        signatures.append(own)
        others = recoloured(picture, draw) if len(groups) % 5 == 0 else ()
        for name, other in (*same(picture), *others):
            tried[name] += 1
            matched[name] += bool(same_picture(own, [signature(other)])[0])
    shoes = np.array(groups)
    for place, own in enumerate(tqdm(signatures, desc="pairs")):
        different = shoes[place + 1 :] != shoes[place]
        tried["two shoes"] += int(different.sum())
        matched["two shoes"] += int((same_picture(own, signatures[place + 1 :]) & different).sum())
    print("| pictures | pairs | called the same | share |\n|---|--:|--:|--:|")
    for name, count in tried.items():
        print(f"| {name} | {count:,} | {matched[name]:,} | {matched[name] / count:.3g} |")


if __name__ == "__main__":
    main()
