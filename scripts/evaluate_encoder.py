"""Measure the built-in encoder and brand heads on the held-out split, next to what they should beat.

    python -m scripts.evaluate_encoder DATA [--dreams 100]

Prints Markdown tables: brands (F1, calibration, "not a sneaker"), words and pictures (recall, MRR), picture to picture and dream
to picture (precision at 10), and how often a changed picture still finds its original.
"""

from __future__ import annotations

import argparse
import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image, ImageFilter, ImageOps
from scipy.special import expit, logit, softmax
from sklearn.metrics import f1_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.svm import SVC
from tqdm import tqdm

from dreamkicks import locations
from dreamkicks.brands.classifier import open_brands
from dreamkicks.encoder.encoder import Encoder, open_encoder
from dreamkicks.painter.blueprint import silhouette_name
from dreamkicks.painter.measure import PAPER, measure, outline
from dreamkicks.painter.painter import open_painter
from dreamkicks.painter.vocabulary import colour_name
from scripts.lib.archives import pictures_of
from scripts.lib.baselines import Describe, Lite0, chance, hog, pixels
from scripts.lib.photographs import BRANDS
from scripts.lib.split import FOLDS, fold, held_out
from scripts.lib.vectors import views_by_eye
from scripts.train_brands import KEPT_OUT, fit_gate, fit_temperature


@dataclass(frozen=True)
class Photograph:
    picture: Image.Image
    brand: str
    title: str
    colour: str
    view: str
    group: str


def load(data: Path, kind: str, wanted: Callable[[str], bool]) -> list[Photograph]:
    """The photographs of a kind whose group is wanted."""
    found, seen = [], views_by_eye()
    for row, read in pictures_of(data, kind):
        group = row.get("group", row["file"])
        if wanted(group):
            row = row | {"view": seen.get(row["file"]) or row.get("view", "")}
            found.append(
                Photograph(read(), *(row.get(name, "") for name in ("brand", "title", "colour", "view")), group)
            )
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
    fresh._model = open_clip.create_model(folder, load_weights=False, device=encoder._device).eval()
    return fresh


def calibration_error(likeliest: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Expected calibration error (Guo et al. 2017) of the likeliest answer's probability, over bins of equal width."""
    place = np.minimum((likeliest * bins).astype(int), bins - 1)
    gaps = [abs(right[place == b].sum() - likeliest[place == b].sum()) for b in set(place.tolist())]
    return float(sum(gaps) / len(right))


def support_vectors(train: np.ndarray, answers: np.ndarray, folds: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Answers of a support vector machine with a Gaussian kernel of scikit-learn's default width, as strict as is best over the folds."""
    gamma = 1 / (train.shape[1] * train.var())
    # libsvm's own kernel takes many minutes over thousands of numbers.
    ways = GridSearchCV(SVC(kernel="precomputed"), {"C": (1, 10, 100)}, scoring="f1_macro", cv=PredefinedSplit(folds))
    ways.fit(rbf_kernel(train, gamma=gamma), answers)
    return ways.predict(rbf_kernel(asked, train, gamma=gamma))


def brands(train: list[Photograph], held: list[Photograph], described: dict[str, Describe]) -> None:
    """All learn from the same photographs and choose how strictly over the same folds."""
    train = [one for one in train if one.view not in KEPT_OUT]
    names = [BRANDS.index(one.brand) for one in held]
    answers, folds = (
        np.array(each) for each in zip(*((BRANDS.index(one.brand), fold(one.group)) for one in train), strict=True)
    )
    shares = open_brands().probabilities(in_batches(open_encoder().pictures, held))
    rows = {
        f"{name} + SVM": support_vectors(in_batches(describe, train), answers, folds, in_batches(describe, held))
        for name, describe in described.items()
    }
    print("\n| brands, 13, held out | F1 macro | F1 weighted |\n|---|---|---|")
    for name, guess in [*rows.items(), ("built-in", shares.argmax(1))]:
        macro, weighted = (f1_score(names, guess, average=way) for way in ("macro", "weighted"))
        print(f"| {name} | {macro:.3f} | {weighted:.3f} |")
    calibration(shares, np.array(names), held)


def calibration(shares: np.ndarray, names: np.ndarray, held: list[Photograph]) -> None:
    """The temperature is set anew for each fold, by the other folds: the one that ships has seen them all."""
    logits = np.log(np.maximum(shares, 1e-30))
    folds = np.array([fold(one.group) for one in held])
    likeliest = np.zeros(len(held))
    for part in range(FOLDS):
        temperature = fit_temperature(logits[folds != part], names[folds != part])
        likeliest[folds == part] = softmax(logits[folds == part] / temperature, axis=1).max(1)
    right = shares.argmax(1) == names
    errors = " and ".join(f"{calibration_error(likeliest, right, bins):.3f} over {bins} bins" for bins in (10, 15))
    draw = np.random.default_rng(0)
    again = [draw.integers(0, len(held), len(held)) for _ in range(1000)]
    low, high = np.percentile([calibration_error(likeliest[i], right[i], 10) for i in again], [2.5, 97.5])
    # Bins of few photographs are off by chance, so that no error is zero.
    least = np.mean([calibration_error(likeliest, draw.random(len(held)) < likeliest, 10) for _ in range(1000)])
    print(
        f"\n{len(held)} photographs; expected calibration error {errors}; 95 % of {len(again)} bootstrap samples have "
        f"{low:.3f} to {high:.3f} over 10 bins; were the probabilities true, it would be {least:.3f} by chance"
    )


def gate(held: list[Photograph], other: list[Photograph]) -> None:
    """Slope, shift and threshold are set anew for each fold too; judged are the brands that make little but sneakers."""
    seen = [*held, *other]
    verdicts = open_brands().classify(in_batches(open_encoder().pictures, seen))
    raw = logit(np.clip([verdict.sneaker_probability for verdict in verdicts], 1e-7, 1 - 1e-7))
    shoe = np.arange(len(seen)) < len(held)
    folds = np.array([fold(one.group) for one in seen])
    refused = np.zeros(len(seen), bool)
    for part in range(FOLDS):
        slope, shift, threshold = fit_gate(raw[folds != part], shoe[folds != part])
        refused[folds == part] = expit(slope * raw[folds == part] + shift) < threshold
    sure = np.array([one.brand in BRANDS for one in seen])
    found, wrong = refused[~shoe], refused[sure & shoe]
    print(
        f"\nnot a sneaker: recall {found.mean():.3f}, precision {found.sum() / (found.sum() + wrong.sum()):.3f} "
        f"({len(found)} other things among {len(wrong)} sneakers; {found.mean() / (found.mean() + wrong.mean()):.3f} "
        "were there as many of both)"
    )


def words(held: list[Photograph]) -> None:
    titles = sorted({one.title.lower() for one in held if one.title})
    shown = [one for one in held if one.title]
    right = np.array([[one.title.lower() == title for one in shown] for title in titles])
    columns = [
        f"{way} {what}" for way in ("words → pictures", "pictures → words") for what in ("R@1", "R@5", "R@10", "MRR")
    ]
    print(f"\n| words and pictures, held out | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, encoder in (("an untrained CLIP", random_clip()), ("built-in", open_encoder())):
        scores = encoder.words(titles) @ in_batches(encoder.pictures, shown).T
        cells = []
        for matrix, truth in ((scores, right), (scores.T, right.T)):
            order = np.argsort(-matrix, axis=1)
            rank = np.take_along_axis(truth, order, 1).argmax(1)
            cells += [f"{(rank < k).mean():.3f}" for k in (1, 5, 10)] + [f"{(1 / (rank + 1)).mean():.3f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{len(titles)} titles, {len(shown)} photographs")


def is_on_paper(picture: Image.Image) -> bool:
    """Whether nine tenths of a picture's edge are white."""
    pixels = np.asarray(picture).min(-1)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return bool((edge >= PAPER).mean() > 0.9)


def on(picture: Image.Image, sheet: Image.Image) -> Image.Image:
    """The picture with the sheet in place of its white paper, above and below the shoe."""
    paper = Image.fromarray(~outline(np.asarray(picture)))
    return Image.composite(sheet.resize(picture.size), picture, paper)


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=20)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def crop(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((w // 12, h // 12, w - w // 12, h - h // 12))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirror": ImageOps.mirror,
    "crop": crop,
    "grey paper": lambda p: on(p, Image.new("RGB", (1, 1), (214, 214, 214))),
    "blur": lambda p: p.filter(ImageFilter.GaussianBlur(max(p.size) / 100)),
    "JPEG 20": jpeg,
}


def robustness(held: list[Photograph], phone: list[Photograph], described: dict[str, Describe]) -> None:
    held = [one for one in held if is_on_paper(one.picture)]
    # The upper edge of a phone photograph is floor.
    floors = itertools.cycle([one.picture.crop((0, 0, one.picture.width, one.picture.height // 8)) for one in phone])
    changes = {**CHANGES, "phone's floor": lambda p: on(p, next(floors))}
    originals = {name: in_batches(describe, held) for name, describe in described.items()}
    cells = defaultdict(list)
    for title, change in changes.items():
        changed = [change(one.picture) for one in tqdm(held, desc=title)]
        for name, describe in described.items():
            nearest = (describe(changed) @ originals[name].T).argmax(1)
            cells[name].append(f"{(nearest == np.arange(len(held))).mean():.3f}")
    print(f"\n| changed picture → its original, held out | {' | '.join(changes)} |\n|---|{'---|' * len(changes)}")
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")
    print(f"\nThe share whose nearest of {len(held)} photographs on white paper is their original.")


def look(picture: Image.Image) -> tuple[str, str] | None:
    """The names of the colour and the silhouette that are measured from a side view's pixels."""
    found = measure(np.asarray(picture.resize((128, 128), Image.Resampling.LANCZOS)))
    if found is None or found.blueprint.upper is None or found.blueprint.height is None:
        return None
    return colour_name(found.blueprint.upper), silhouette_name(found.blueprint.height)


def apart(scores: np.ndarray, photographs: Sequence[Photograph]) -> np.ndarray:
    """The scores (n, n) without those inside a group: another photograph of the same shoe is no find."""
    groups = np.array([one.group for one in photographs])
    return np.where(groups[:, None] == groups[None], -np.inf, scores)


def precision(scores: np.ndarray, asked: Sequence[str], there: Sequence[str]) -> str:
    """Share of the ten best in each row of the scores (asked, there) that answer with what was asked; "" asks nothing."""
    near = np.argsort(-scores, axis=1)[:, :10]
    wanted, given = (np.array([one.lower() for one in names]) for names in (asked, there))
    return f"{(given[near] == wanted[:, None])[wanted != ''].mean():.3f}"


def neighbours(held: list[Photograph], side: list[Photograph], described: dict[str, Describe], count: int) -> None:
    """`count` dreams are painted as a side view looks, and judged by what they themselves show."""
    painter = open_painter()
    measured = [(one, shown) for one in side if (shown := look(one.picture))]
    side, looks = [one for one, _ in measured], [shown for _, shown in measured]
    pick = np.random.default_rng(0).permutation(len(looks))[:count].tolist()
    painted = [painter.imagine(" ".join(looks[i]), i).picture for i in tqdm(pick, desc="dream")]
    dreamt = [(picture, shown) for picture in painted if (shown := look(picture))]
    dreams, asked = [picture for picture, _ in dreamt], [shown for _, shown in dreamt]
    columns = ["brand", "colour", "side views: colour", "silhouette", "dreams: colour", "silhouette"]
    print(f"\n| precision at 10, held out | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, describe in described.items():
        rows, views = in_batches(describe, held), in_batches(describe, side)
        among, beside, found = apart(rows @ rows.T, held), apart(views @ views.T, side), describe(dreams) @ views.T
        cells = [precision(among, said, said) for said in ([p.brand for p in held], [p.colour for p in held])]
        cells += [precision(beside, own, own) for own in zip(*looks, strict=True)]
        cells += [
            precision(found, *pair) for pair in zip(zip(*asked, strict=True), zip(*looks, strict=True), strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    print(
        f"\n{len(held)} photographs with brand and, for {sum(one.colour != '' for one in held)}, colour as shops say them; "
        f"{len(side)} side views and {len(dreams)} dreams with colour and silhouette measured from their pixels."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with labelled/, side/, other/ and phone/")
    parser.add_argument("--dreams", type=int, default=100, help="how many dreams look for products")
    arguments = parser.parse_args()
    labelled = load(arguments.data, "labelled", lambda _: True)
    train, held = ([one for one in labelled if held_out(one.group) == out] for out in (False, True))
    older: dict[str, Describe] = {
        "pixels": pixels,
        "HOG": hog,
        "EfficientNet-lite0": Lite0(),
        "an untrained CLIP": random_clip().pictures,
    }
    every = {"chance": chance, **older, "built-in": open_encoder().pictures}
    brands([one for one in train if one.brand in BRANDS], [one for one in held if one.brand in BRANDS], older)
    gate(held, load(arguments.data, "other", held_out))
    words(held)
    neighbours(held, load(arguments.data, "side", held_out), every, arguments.dreams)
    robustness(held, load(arguments.data, "phone", lambda _: True), every)


if __name__ == "__main__":
    main()
