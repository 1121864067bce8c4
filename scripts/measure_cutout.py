"""Measure how the built-in painter takes pictures that are no side views on white; `framing.py` and `measure.py` quote the figures.

    python -m scripts.measure_cutout DATA [--count 500]

Held-out side views are set on floors cut from the corners of phone pictures, with a shadow, and cut out again: how much of cut
and shoe they share. Then which way round a shoe is thought to face, and which pictures get a remark.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from tqdm import tqdm

from dreamkicks.painter.cutout import cut_out
from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import edges, faces_left, is_side_view, outline
from scripts.lib.archives import pictures_of
from scripts.lib.split import held_out

SIZES = ((320, 240), (256, 256), (320, 180), (240, 320))


def floor(picture: Image.Image) -> Image.Image:
    """The calmest corner of a picture, mirrored to a tile: elsewhere other shoes stand."""
    side = round(0.28 * min(picture.size))
    places = [(x, y) for x in (0, picture.width - side) for y in (0, picture.height - side)]
    corners = [picture.crop((x, y, x + side, y + side)) for x, y in places]
    corner = min(corners, key=lambda one: float(np.asarray(one.resize((16, 16))).std((0, 1)).sum()))
    tile = Image.new("RGB", (2 * side, 2 * side))
    for x in (0, 1):
        for y in (0, 1):
            turned = ImageOps.mirror(corner) if x else corner
            tile.paste(ImageOps.flip(turned) if y else turned, (x * side, y * side))
    return tile


def composite(shoe: Image.Image, tile: Image.Image, draw: random.Random) -> tuple[Image.Image, np.ndarray]:
    """A side view on a floor, somewhere and of some size, half of them mirrored; and its true mask (h, w) bool."""
    width, height = draw.choice(SIZES)
    mask = Image.fromarray(outline(np.asarray(shoe)).astype(np.uint8) * 255)
    box = mask.getbbox()
    assert box is not None
    shoe, mask = shoe.crop(box), mask.crop(box)
    scale = min(draw.uniform(0.55, 0.9) * width / shoe.width, 0.85 * height / shoe.height)
    size = round(shoe.width * scale), round(shoe.height * scale)
    place = tuple(round((room - own) * draw.uniform(0.2, 0.8)) for room, own in zip((width, height), size, strict=True))
    ground = tile.resize((round(tile.width * (grow := draw.uniform(1, 2.2))), round(tile.height * grow)))
    sheet = Image.new("RGB", (width, height))
    left, top = -draw.randrange(ground.width), -draw.randrange(ground.height)
    for x in range(left, width, ground.width):
        for y in range(top, height, ground.height):
            sheet.paste(ground, (x, y))
    whole = Image.new("L", (width, height))
    whole.paste(mask.resize(size), place)
    dark = Image.new("L", (width, height))
    dark.paste(whole.crop((0, place[1] + size[1] * 3 // 4, width, height)), (0, place[1] + size[1] * 3 // 4 + 4))
    dark = dark.filter(ImageFilter.GaussianBlur(width / 50)).point(lambda value: int(value * 0.35))
    sheet.paste("black", mask=dark)
    sheet.paste(shoe.resize(size), place, mask.resize(size))
    if draw.random() < 0.5:
        sheet, whole = ImageOps.mirror(sheet), ImageOps.mirror(whole)
    return sheet, np.asarray(whole) > 127


def shared(cut: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of a cut and the true mask, which is larger."""
    grown = np.asarray(Image.fromarray(cut).resize(true.shape[::-1], Image.Resampling.BILINEAR))
    return float((grown & true).sum() / max(1, (grown | true).sum()))


def share(found: Sequence[bool] | np.ndarray) -> str:
    return f"{np.mean(found):.1%} of {len(found):,}" if len(found) else "none"


def remarked(framed: Image.Image) -> bool:
    return not is_side_view(np.asarray(framed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=500, help="how many side views are set on floors")
    arguments = parser.parse_args()
    data, draw = arguments.data, random.Random(0)
    known, shoes = [], []
    for row, read in pictures_of(data, "side"):
        if held_out(row["group"]):
            shoes.append(read())
        else:
            known.append(edges(outline(np.asarray(read()))))
    phone = [read() for _, read in pictures_of(data, "phone")]
    tiles = [floor(picture) for picture in phone]

    overlap, doubted, right = [], [], []
    for shoe in tqdm(draw.sample(shoes, min(arguments.count, len(shoes))), desc="cut out"):
        scene, true = composite(shoe, draw.choice(tiles), draw)
        overlap.append(shared(cut_out(scene), true))
        doubted.append(remarked(frame(scene)))
    plain = [frame(shoe) for shoe in tqdm(shoes, desc="side views")]
    for framed in plain:
        pixels = np.asarray(framed)
        right += [not faces_left(pixels), faces_left(pixels[:, ::-1])]
    others = [remarked(frame(read())) for _, read in pictures_of(data, "other")]
    floors = [remarked(frame(picture)) for picture in tqdm(phone, desc="phone pictures")]

    good, doubt = np.array(overlap) > 0.8, np.array(doubted)
    print("| held-out side views on floors | |\n|---|--:|")
    print(f"| intersection over union, mean | {np.mean(overlap):.3f} |\n| median | {np.median(overlap):.3f} |")
    print(f"| above 0.8 | {share(good)} |\n| above 0.9 | {share(np.array(overlap) > 0.9)} |")
    print(
        f"\n| faces the way it was thought to | |\n|---|--:|\n| held-out side views, as they are and mirrored | {share(right)} |"
    )
    print("\n| pictures | remarked |\n|---|--:|")
    print(f"| held-out side views on white | {share([remarked(framed) for framed in plain])} |")
    print(
        f"| on floors, cut out well (above 0.8) | {share(doubt[good])} |\n| on floors, cut out badly | {share(doubt[~good])} |"
    )
    print(
        f"| things that are no sneakers | {share(others)} |\n| phone pictures, nearly all of pairs from above | {share(floors)} |"
    )
    print("\nEdges of the outlines of the other side views, for `measure.py`: means, then standard deviations\n")
    for row in (np.mean(known, axis=0), np.std(known, axis=0)):
        print(", ".join(f"{value:.3f}" for value in row))


if __name__ == "__main__":
    main()
