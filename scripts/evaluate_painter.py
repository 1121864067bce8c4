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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from dreamkicks import locations
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.painter.blueprint import Blueprint, Lab, silhouette_name
from dreamkicks.painter.builtin import BuiltinPainter, to_picture, to_tensor
from dreamkicks.painter.colour import to_lab
from dreamkicks.painter.grammar import random_prompt
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.painter import BUILTIN
from dreamkicks.painter.pipeline import SIDE, SneakerPipeline
from dreamkicks.painter.presets import find_preset
from dreamkicks.painter.vocabulary import read
from scripts.lib.archives import keep_rows, load_rows
from scripts.lib.baselines import Lite0
from scripts.lib.critic import details, lattice
from scripts.lib.distances import frechet, kernel, nearest, within_reach
from scripts.lib.pairs import turn_hue
from scripts.lib.sheet import sheet
from scripts.lib.sideviews import load_side_views

UPPERS = ("red", "orange", "yellow", "green", "teal", "blue", "navy", "purple", "pink", "brown", "grey", "black")
SOLES = ("white", "black", "gum", "red", "blue", "green", "grey", "orange")
SILHOUETTES = ("low-top", "mid-top", "high-top")
WAYS = (
    ("red", "make it red", "paint the upper red", "I want red sneakers please", "turn this into a red shoe"),
    (
        "navy",
        "make them navy blue",
        "could you change the body to navy?",
        "recolour it navy",
        "I'd like it in navy, please",
    ),
    ("green", "turn it green", "a green one", "set the upper to green", "make the whole shoe body green"),
    ("gum sole", "make the sole gum", "put it on a gum outsole", "soles in gum please", "change the bottom to gum"),
    ("black sole", "a black midsole", "turn the soles black", "black-soled", "paint the sole in black"),
    ("orange sole", "give it an orange sole", "I want orange soles", "sole: orange", "set the outsole to orange"),
    ("high-top", "make it a high top", "turn this into hi-tops", "I want a high cut one", "high-top please"),
    ("low-top", "make it low", "a low cut shoe", "turn these into low tops", "give me a lowtop"),
    ("chunkier sole", "make the sole thicker", "a bigger sole please", "the sole should be chunkier", "thicker soles"),
    ("patterned", "make it busy", "put a pattern on it", "a graphic print", "I'd like it camouflage"),
)
"""Five ways to say each of ten instructions."""


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
    """An instruction, and whether it was done: told from what was measured before and after."""

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


def shrunk(picture: Image.Image, size: int) -> Image.Image:
    """The picture with no more detail than `size` px hold."""
    return picture.resize((size, size), Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.LANCZOS)


def bare(picture: Image.Image) -> Image.Image:
    """In grey, with the detail of 64 px: a known shoe would be softly painted, in the colours that the words say."""
    return shrunk(picture.convert("L").convert("RGB"), SIDE // 4)


def remembered(picture: np.ndarray, angle: float) -> Image.Image:
    """What a dream would be like that is a training photograph: softly painted, and in other colours."""
    turned, _ = turn_hue(picture, Blueprint(), angle)
    return shrunk(Image.fromarray(turned), SIDE // 2)


@torch.inference_mode()
def decoded(pipeline: SneakerPipeline, picture: Image.Image) -> Image.Image:
    """What the decoder makes of the picture's own latents: no dream is better than that."""
    return to_picture(pipeline.decode(pipeline.look(to_tensor(np.asarray(picture)))))


def realism(
    painter: BuiltinPainter, pipeline: SneakerPipeline, data: Path, work: Path, count: int
) -> tuple[list[Image.Image], list[Image.Image]]:
    """Prints all that is told from many pictures at once; returns the dreams and the held-out photographs."""
    views, judge = load_side_views(data, work, SIDE), Lite0()

    def features(pictures: Iterable[Image.Image]) -> np.ndarray:
        """Of so many pictures at a time: thousands don't fit into memory."""
        left = iter(pictures)
        parts = iter(lambda: list(itertools.islice(left, 1000)), [])
        return np.concatenate([judge.features(part, SIDE) for part in parts])

    def photographs(rows: np.ndarray) -> Iterator[Image.Image]:
        return (Image.fromarray(views.pictures[row]) for row in rows)

    draw = np.random.default_rng(0)
    rows, train = draw.permutation(np.flatnonzero(views.held))[:count], draw.permutation(np.flatnonzero(~views.held))
    held = list(photographs(rows))
    dreams = [
        painter.imagine(random_prompt(random.Random(seed)), seed).picture for seed in tqdm(range(count), desc="dream")
    ]
    real, dreamt, some = (features(pictures) for pictures in (held, dreams, photographs(train[: len(held)])))
    print(
        f"\n| realism, {len(held)} held-out photographs against | Fréchet distance | kernel distance x 1000 |\n|---|---|---|"
    )
    through = features(decoded(pipeline, one) for one in photographs(train[: len(held)]))
    against = {"training photographs": some, "the same, decoded from their latents": through, "random dreams": dreamt}
    for size in (SIDE // 2, SIDE // 4):
        against[f"these held-out photographs with the detail of {size} px"] = features(
            shrunk(one, size) for one in held
        )
    for name, other in against.items():
        print(f"| {name} | {frechet(real, other):.1f} | {1000 * kernel(real, other):.2f} |")
    kept = work / f"judged-bare-{len(train)}.npy"
    if not kept.exists():
        keep_rows(kept, features(map(bare, photographs(train))))
    copied = [remembered(views.pictures[row], draw.uniform(0.5, 5.8)) for row in train[: len(held)]]
    shown = {
        "held-out photographs": held,
        "random dreams": dreams,
        "training photographs, softened and in other hues": copied,
    }
    novelty({name: features(map(bare, pictures)) for name, pictures in shown.items()}, load_rows(kept, len(train)))
    same = features(painter.imagine("a red low-top with a white sole", seed).picture for seed in range(32))
    variety({"dreams of one prompt": same, "random dreams": dreamt, "held-out photographs": real})
    print("\n| within reach of each other | recall of held-out photographs | precision |\n|---|---|---|")
    for name, others in {"random dreams": dreamt, "training photographs": some}.items():
        print(f"| {name} | {within_reach(real, others):.3f} | {within_reach(others, real):.3f} |")
    lattices({"held-out photographs": held, "random dreams": dreams})
    return dreams, held


def novelty(rows: dict[str, np.ndarray], known: np.ndarray) -> None:
    print(
        f"\n| new, not remembered: cosine distance to the nearest of {len(known)} training photographs, in grey, 64 px ",
        end="",
    )
    print("| median | 5th percentile |\n|---|---|---|")
    for name, features in rows.items():
        far = nearest(features, known)
        print(f"| {name} | {np.median(far):.4f} | {np.percentile(far, 5):.4f} |")


def variety(rows: dict[str, np.ndarray]) -> None:
    print("\n| variety: cosine distance of each of 32 to the nearest of them | median |\n|---|---|")
    for name, features in rows.items():
        features = features[:32]
        far = [nearest(features[[i]], np.delete(features, i, 0))[0] for i in range(len(features))]
        print(f"| {name} | {np.median(far):.4f} |")


def lattices(rows: dict[str, Sequence[Image.Image]]) -> None:
    print("\n| lattice: strips of details more alike at 16 px than at 12 and 20 px, by 0.1 or more |\n|---|---|")
    for name, pictures in rows.items():
        found = [lattice(details(to_tensor(np.asarray(picture)))) > 0.1 for picture in pictures]
        print(f"| {name} | {torch.cat(found).float().mean():.1%} |")


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
    """Mean colour difference where an edit had no business, 4 px off the border between sole and upper."""
    inside = shown.mask.copy()
    if kind == "sole colour":
        inside[shown.sole_line - 4 :] = False
    else:
        inside[: shown.sole_line + 4] = False
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
        if found and edit.kind not in ("silhouette", "sole height"):
            kept[edit.kind].append(overlap(shown, found))
        if found and edit.kind != "sole height":  # all above a sole moves with it
            strayed[edit.kind].append(elsewhere(edit.kind, before, after, shown))
    print(f"\n| edits of {name} | done | of | outline kept (IoU) | elsewhere (mean ΔE) |\n|---|---|---|---|---|")
    for kind, answers in done.items():
        outline = f"{np.mean(kept[kind]):.3f}" if kept[kind] else "-"
        rest = f"{np.mean(strayed[kind]):.1f}" if strayed[kind] else "-"
        print(f"| {kind} | {np.mean(answers):.1%} | {len(answers)} | {outline} | {rest} |")


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
    for place, ways in enumerate(tqdm(WAYS, desc="paraphrase")):
        # A dream that is so already stays as it is, however it is asked for.
        edited = ((one, {painter.edit(one, way, place).picture.tobytes() for way in ways}) for one in dreams[place:])
        outcomes = next((pictures for one, pictures in edited if pictures != {one.tobytes()}), set())
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
    weights = arguments.weights or locations.weights() / "painter"
    painter, pipeline = BuiltinPainter(find_preset(BUILTIN), weights), SneakerPipeline.load(weights).to(torch.float32)
    dreams, photographs = realism(painter, pipeline, arguments.data, arguments.work, arguments.count)
    if arguments.sheet:
        sheet([dreams[row : row + 8] for row in range(0, min(64, len(dreams)), 8)]).save(arguments.sheet)
    faithfulness(painter, math.ceil(arguments.count / 50))
    for name, pictures in (("dreams", dreams), ("photographs", photographs)):
        editing(painter, name, pictures, arguments.edits)
        chains(painter, name, pictures[:12])
    curve(painter, dreams, min(24, arguments.edits))
    paraphrases(painter, dreams)


if __name__ == "__main__":
    main()
