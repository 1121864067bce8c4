"""Measure the built-in painter against photographs it was not trained on.

    python -m scripts.evaluate_painter DATA [--weights FOLDER] [--count 500] [--edits 200] [--sheet FILE.png]

Prints Markdown tables: realism, novelty, variety, lattice, faithfulness, edits of dreams and of photographs (done, outline kept,
what was not named kept), paraphrases and several edits in a row; the sheet shows the first 64 dreams. What a picture shows is
measured from its pixels.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dreamkicks import locations
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.painter.blueprint import Lab, silhouette_name
from dreamkicks.painter.builtin import BuiltinPainter, to_tensor
from dreamkicks.painter.colour import to_lab
from dreamkicks.painter.grammar import random_prompt
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.painter import BUILTIN
from dreamkicks.painter.pipeline import SIDE
from dreamkicks.painter.presets import find_preset
from dreamkicks.painter.vocabulary import read
from scripts.lib.baselines import Lite0
from scripts.lib.critic import details, repetition
from scripts.lib.distances import frechet, kernel, nearest, recall
from scripts.lib.sheet import sheet
from scripts.lib.sideviews import load_side_views

UPPERS = ("red", "orange", "yellow", "green", "teal", "blue", "navy", "purple", "pink", "brown", "grey", "black")
SOLES = ("white", "black", "gum", "red", "blue", "green", "grey", "orange")
SILHOUETTES = ("low-top", "mid-top", "high-top")
WAYS = ("{}", "make it {}", "I want it {} please", "turn this into {}", "{}, please")
INSTRUCTIONS = (
    "red",
    "navy",
    "green",
    "gum sole",
    "black sole",
    "white sole",
    "high-top",
    "low-top",
    "chunkier sole",
    "patterned",
)


def lab_of(colour: str) -> Lab:
    """What the vocabulary takes a colour's name for."""
    found = read(colour).blueprint.upper
    assert found is not None, colour
    return found


def named(lab: Lab | None, palette: Sequence[str]) -> str:
    """The palette's colour that is nearest; lightness counts less, since shading moves it."""
    if lab is None:
        return ""
    weight = np.array([0.6, 1, 1])
    return min(palette, key=lambda name: float(np.linalg.norm((np.subtract(lab, lab_of(name))) * weight)))


def seen(picture: Image.Image) -> Measured | None:
    return measure(np.asarray(picture))


@dataclass(frozen=True)
class Edit:
    """An instruction, whether it was done (told from what was measured before and after), and what it may change."""

    kind: str
    instruction: str
    done: Callable[[Measured, Measured], bool]


def edits(draw: random.Random, count: int) -> list[Edit]:
    """As many as asked for, the kinds in turn."""

    def colour() -> Edit:
        name = draw.choice(UPPERS)
        return Edit("upper colour", f"make it {name}", lambda _, after: named(after.blueprint.upper, UPPERS) == name)

    def sole() -> Edit:
        name = draw.choice(SOLES)
        return Edit("sole colour", f"{name} sole", lambda _, after: named(after.blueprint.sole, SOLES) == name)

    def silhouette() -> Edit:
        name = draw.choice(("low-top", "high-top"))
        return Edit("silhouette", name, lambda _, after: silhouette_name(after.blueprint.height or 0) == name)

    def pattern() -> Edit:
        up = draw.random() < 0.5

        def done(before: Measured, after: Measured) -> bool:
            was, now = before.blueprint.pattern or 0, after.blueprint.pattern or 0
            return now >= min(was + 0.15, 0.8) if up else now <= max(was - 0.15, 0.3)

        return Edit("pattern", "patterned" if up else "plain", done)

    def height() -> Edit:
        def done(before: Measured, after: Measured) -> bool:
            return (after.blueprint.sole_height or 0) >= min((before.blueprint.sole_height or 0.1) * 1.15, 0.18)

        return Edit("sole height", "chunkier sole", done)

    makers = itertools.cycle((colour, sole, silhouette, colour, sole, pattern, colour, height))
    return [next(makers)() for _ in range(count)]


def features(judge: Lite0, pictures: Sequence[Image.Image]) -> np.ndarray:
    return judge.features(pictures, SIDE)


def shrunk(picture: Image.Image, size: int) -> Image.Image:
    """The picture with no more detail than `size` px hold."""
    return picture.resize((size, size), Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.LANCZOS)


def realism(painter: BuiltinPainter, data: Path, work: Path, count: int) -> tuple[list[Image.Image], list[Image.Image]]:
    """Prints realism, novelty, variety and lattice; returns the dreams and the held-out photographs."""
    views, judge = load_side_views(data, work, SIDE), Lite0()
    draw = np.random.default_rng(0)
    held = draw.permutation(np.flatnonzero(views.held))[:count]
    train = draw.permutation(np.flatnonzero(~views.held))
    chosen = {"held": held, "train": train[: 8 * count]}
    photographs = {name: [Image.fromarray(views.pictures[i]) for i in rows] for name, rows in chosen.items()}
    dreams = [
        painter.imagine(random_prompt(random.Random(seed)), seed).picture for seed in tqdm(range(count), desc="dream")
    ]
    real, dreamt = features(judge, photographs["held"]), features(judge, dreams)
    known = features(judge, photographs["train"])
    print(
        f"\n| realism, {len(held)} held-out photographs against | Fréchet distance | kernel distance x 1000 |\n|---|---|---|"
    )
    against = {"training photographs": known[: len(held)], "random dreams": dreamt}
    for size in (SIDE // 2, SIDE // 4):
        small = [shrunk(picture, size) for picture in photographs["held"]]
        against[f"the same photographs with the detail of {size} px"] = features(judge, small)
    for name, other in against.items():
        print(f"| {name} | {frechet(real, other):.1f} | {1000 * kernel(real, other):.2f} |")
    print(
        "\n| new, not remembered: cosine distance to the nearest training picture | median | 5th percentile |\n|---|---|---|"
    )
    for name, other in (("held-out photographs", real), ("random dreams", dreamt)):
        far = nearest(other, known)
        print(f"| {name} | {np.median(far):.4f} | {np.percentile(far, 5):.4f} |")
    same = features(judge, [painter.imagine("a red low-top with a white sole", seed).picture for seed in range(32)])
    spread = [
        float(np.median([nearest(rows[i : i + 1], np.delete(rows, i, 0))[0] for i in range(len(rows))]))
        for rows in (same, real[:32])
    ]
    print(
        f"\nvariety: distance to the nearest of 32 dreams of one prompt {spread[0]:.4f}, of 32 photographs {spread[1]:.4f}; "
        f"recall of the held-out photographs {recall(real, dreamt):.3f} (training photographs: {recall(real, known[: len(held)]):.3f})"
    )
    print("\n| lattice: likeness of details to those 16 px on | along | down |\n|---|---|---|")
    for name, pictures in (("held-out photographs", photographs["held"]), ("random dreams", dreams)):
        along, down = np.mean(
            [repetition(details(to_tensor(np.asarray(picture))))[0].numpy() for picture in pictures], axis=0
        )
        print(f"| {name} | {along:.2f} | {down:.2f} |")
    return dreams, photographs["held"]


def faithfulness(painter: BuiltinPainter, seeds: int) -> None:
    right: dict[str, list[bool]] = defaultdict(list)
    for seed in tqdm(range(seeds), desc="faithfulness"):
        for name in UPPERS:
            found = seen(painter.imagine(f"a {name} sneaker", seed).picture)
            right["upper, 12 colours"].append(found is not None and named(found.blueprint.upper, UPPERS) == name)
        for name in SOLES:
            found = seen(painter.imagine(f"a sneaker with a {name} sole", seed).picture)
            right["sole, 8 colours"].append(found is not None and named(found.blueprint.sole, SOLES) == name)
        for name in SILHOUETTES:
            found = seen(painter.imagine(f"a {name}", seed).picture)
            right["silhouette, 3"].append(found is not None and silhouette_name(found.blueprint.height or 0) == name)
    print("\n| faithfulness | there | of |\n|---|---|---|")
    for name, answers in right.items():
        print(f"| {name} | {np.mean(answers):.1%} | {len(answers)} |")


def overlap(before: Measured, after: Measured) -> float:
    return float((before.mask & after.mask).sum() / max(1, (before.mask | after.mask).sum()))


def elsewhere(kind: str, before: Image.Image, after: Image.Image, shown: Measured) -> float:
    """Mean colour difference where a colour edit had no business, 4 px off the border between sole and upper."""
    inside = shown.mask.copy()
    if kind == "upper colour":
        inside[: shown.sole_line + 4] = False
    else:
        inside[shown.sole_line - 4 :] = False
    far = np.linalg.norm(to_lab(np.asarray(before)) - to_lab(np.asarray(after)), axis=-1)
    return float(far[inside].mean()) if inside.any() else 0.0


def editing(painter: BuiltinPainter, name: str, pictures: Sequence[Image.Image], count: int) -> None:
    done, kept, strayed = defaultdict(list), defaultdict(list), defaultdict(list)
    measured = itertools.cycle([(picture, shown) for picture in pictures if (shown := seen(picture))])
    for place, edit in enumerate(tqdm(edits(random.Random(1), count), desc="edit")):
        # What is so already can't be done.
        open_to = (one for one in itertools.islice(measured, len(pictures)) if not edit.done(one[1], one[1]))
        before, shown = next(open_to, (None, None))
        if before is None:
            continue
        after = painter.edit(before, edit.instruction, place).picture
        found = seen(after)
        done[edit.kind].append(found is not None and edit.done(shown, found))
        if found and "colour" in edit.kind:
            kept[edit.kind].append(overlap(shown, found))
            strayed[edit.kind].append(elsewhere(edit.kind, before, after, shown))
    print(f"\n| edits of {name} | done | of | outline kept (IoU) | elsewhere (mean ΔE) |\n|---|---|---|---|---|")
    for kind, answers in done.items():
        more = f"{np.mean(kept[kind]):.3f} | {np.mean(strayed[kind]):.1f}" if kept[kind] else "- | -"
        print(f"| {kind} | {np.mean(answers):.1%} | {len(answers)} | {more} |")


def curve(painter: BuiltinPainter, dreams: Sequence[Image.Image], count: int) -> None:
    """Direction similarity against image similarity, as InstructPix2Pix draws it (Brooks et al. 2023, arXiv:2211.09800)."""
    encoder = open_encoder()
    usual = painter.preset
    print("\n| guidance | picture similarity | direction similarity |\n|---|---|---|")
    for guidance in (1.0, 1.5, 2.0, 3.0, 4.5):
        painter.preset = replace(usual, guidance=guidance)
        near, along = [], []
        for place, (before, name) in enumerate(zip(dreams[:count], itertools.cycle(UPPERS), strict=False)):
            after = painter.edit(before, f"make it {name}", place).picture
            shown = seen(before)
            was = named(shown.blueprint.upper, UPPERS) if shown else "white"
            one, two = encoder.pictures([before, after])
            said = encoder.words([f"{was} sneaker", f"{name} sneaker"])
            near.append(float(one @ two))
            way, told = two - one, said[1] - said[0]
            if np.linalg.norm(told) > 1e-6:
                along.append(float(way @ told / (np.linalg.norm(way) * np.linalg.norm(told) + 1e-9)))
        print(f"| {guidance} | {np.mean(near):.3f} | {np.mean(along):.3f} |")
    painter.preset = usual


def paraphrases(painter: BuiltinPainter, dreams: Sequence[Image.Image]) -> None:
    same = []
    for place, (before, instruction) in enumerate(zip(dreams, INSTRUCTIONS, strict=False)):
        outcomes = {painter.edit(before, way.format(instruction), place).picture.tobytes() for way in WAYS}
        same.append(len(outcomes) == 1)
    print(f"\nparaphrases: {np.mean(same):.0%} of {len(same)} instructions said five ways give one picture")


def chains(painter: BuiltinPainter, name: str, pictures: Sequence[Image.Image]) -> None:
    words = ("make it red", "gum sole", "make it blue", "white sole", "yellow toe", "make it green")
    sharp, paper = defaultdict(list), []
    for picture in pictures:
        for step, instruction in enumerate(words):
            sharp[step].append(sharpness(picture))
            picture = painter.edit(picture, instruction, step).picture
        sharp[len(words)].append(sharpness(picture))
        paper.append(np.asarray(picture)[:, :4].mean())
    change = ", ".join(f"{np.median(sharp[step + 1]) / np.median(sharp[0]):.2f}" for step in range(len(words)))
    print(
        f"\nedits in a row of {len(pictures)} {name}: sharpness after each {change} of what it was (medians), "
        f"paper {np.mean(paper):.1f} of 255"
    )


def sharpness(picture: Image.Image) -> float:
    """Standard deviation of the Laplacian of the lightness."""
    grey = np.asarray(picture.convert("L"), np.float32)
    inner = grey[1:-1, 1:-1]
    return float((grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner).std())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with side/")
    parser.add_argument("--weights", type=Path, help="a painter just trained, in place of the one that ships")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--sheet", type=Path, help="where to write the contact sheet")
    parser.add_argument("--work", type=Path, default=Path(".train/painter"))
    arguments = parser.parse_args()
    painter = BuiltinPainter(find_preset(BUILTIN), arguments.weights or locations.weights() / "painter")
    dreams, photographs = realism(painter, arguments.data, arguments.work, arguments.count)
    if arguments.sheet:
        sheet([dreams[row : row + 8] for row in range(0, min(64, len(dreams) // 8 * 8), 8)]).save(arguments.sheet)
    faithfulness(painter, math.ceil(arguments.count / 50))
    for name, pictures in (("dreams", dreams), ("photographs", photographs)):
        editing(painter, name, pictures, arguments.edits)
        chains(painter, name, pictures[:12])
    curve(painter, dreams, min(24, arguments.edits))
    paraphrases(painter, dreams)


if __name__ == "__main__":
    main()
