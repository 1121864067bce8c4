"""Fit the brand head, the sneaker head and the worn head on the built-in encoder's vectors.

    python -m scripts.train_brands DATA [--out weights/brands]

Pictures on feet, of the sole only or of no shoe, as labelled by eye, are kept out of the brand head. The worn head learns the first from
the same labels.

The heads are fitted outside the held-out split and their strength is chosen by cross-validation there. The encoder has seen those
photographs too and is surer of them than it should be, so the held-out ones set the scale of the probabilities (Guo et al. 2017,
arXiv:1706.04599; Platt 1999), which moves no guess. evaluate_encoder sets it again, without the fold that it judges.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_recall_curve

from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.files import write_atomic, write_checksums
from scripts.lib.photographs import BRANDS
from scripts.lib.split import FOLDS
from scripts.lib.vectors import VIEWS, Embedded, embed_photographs

LEADING = 32
"""Components of the vectors that say something about brands; the others say what single photographs look like."""
STRENGTHS = (0.003, 0.01, 0.03, 0.1)
WORN = {"leading": 0.999, "strength": 0.01}
"""Of the worn head, the share of the variance that is in its components: what a foot looks like is in the least of them. Over the
folds 81 % of what is taken for worn is worn; with earlier encoders 70 and 64 %, and with one of them 33 % by the 32 leading ones."""
KEPT_OUT = ("worn", "sole", "other")
"""Views that say little of the brand, or nothing."""


def fit_head(
    vectors: np.ndarray, answer: np.ndarray, strength: float, leading: float = LEADING
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (dim, k) and bias (k,) of a logistic head on the leading components, each of unit variance.

    k is the number of answers, or one for yes and no. `leading` counts components, or is the share of the variance in them.
    """
    components = PCA(leading, whiten=True).fit(vectors)
    head = LogisticRegression(C=strength, max_iter=2000).fit(components.transform(vectors), answer)
    weights = (components.components_.T / np.sqrt(components.explained_variance_)) @ head.coef_.T
    return weights, head.intercept_ - components.mean_ @ weights


def choose_strength(vectors: np.ndarray, brand: np.ndarray, fold: np.ndarray) -> float:
    """The one with the best F1 macro over the folds."""
    scores = {}
    for strength in STRENGTHS:
        guess = np.empty_like(brand)
        for part in range(FOLDS):
            weights, bias = fit_head(vectors[fold != part], brand[fold != part], strength)
            guess[fold == part] = (vectors[fold == part] @ weights + bias).argmax(1)
        scores[strength] = f1_score(brand, guess, average="macro")
        print(f"C {strength:6.3f}: F1 macro {scores[strength]:.4f} over {FOLDS} folds of the training split")
    return max(scores, key=scores.__getitem__)


def fit_temperature(logits: np.ndarray, answer: np.ndarray) -> float:
    """What to divide logits (n, k) by, so that their probabilities fit the answers (n,) best."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(answer)), answer]).mean())

    return float(minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x)


def fit_gate(raw: np.ndarray, shoe: np.ndarray) -> tuple[float, float, float]:
    """Slope and shift of the sneaker head's logits (n,), and the probability from which a picture is a sneaker."""
    # Other things are one in five here and far more in the world: both kinds count the same.
    weight = np.where(shoe, 0.5 / shoe.sum(), 0.5 / (~shoe).sum())

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] * raw + parameters[1]
        return float((weight * np.logaddexp(0, -np.where(shoe, z, -z))).sum() + 1e-3 * parameters[0] ** 2)

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    scaled = expit(slope * raw + shift)
    cuts = np.linspace(0.02, 0.98, 97)
    gap = [abs((scaled[shoe] >= cut).mean() - (scaled[~shoe] < cut).mean()) for cut in cuts]
    level = cuts[np.isclose(gap, min(gap))]
    # The middle of the cuts where both kinds are found equally well.
    return float(slope), float(shift), float(level[len(level) // 2])


def fit_worn(found: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """Weights (dim, 1) and bias (1,) of the worn head: above zero the shoe is on a foot. Prints how well it tells.

    The cut is where F1 is best over the folds of the training split.
    """
    worn, seen = found.view == "worn", found.view != "sole"
    known = seen & ~found.held
    logits = np.zeros(len(worn))
    for part in range(FOLDS):
        weights, bias = fit_head(
            found.vectors[known & (found.fold != part)], worn[known & (found.fold != part)], **WORN
        )
        logits[found.fold == part] = (found.vectors[found.fold == part] @ weights + bias)[:, 0]
    precision, recall, cuts = precision_recall_curve(worn[known], logits[known])
    cut = cuts[(2 * precision * recall / np.maximum(precision + recall, 1e-9))[:-1].argmax()]
    weights, bias = fit_head(found.vectors[known], worn[known], **WORN)
    unseen = seen & found.held
    logits[unseen] = (found.vectors[unseen] @ weights + bias)[:, 0]

    splits = {f"over {FOLDS} folds of the training split": known, "held out": unseen}
    print(f"\n| taken for worn | {' | '.join(splits)} |\n|---|{'---|' * len(splits)}")
    for view in np.unique(found.view[seen]):
        cells = [(logits[split & (found.view == view)] >= cut) for split in splits.values()]
        print(f"| {view} | {' | '.join(f'{cell.sum()} of {len(cell)}' for cell in cells)} |")
    for name, split in splits.items():
        guess = logits[split] >= cut
        right = (guess & worn[split]).sum()
        print(
            f"\nworn, {name}: precision {right / max(1, guess.sum()):.3f}, recall {right / max(1, worn[split].sum()):.3f}"
        )
    return weights, bias - cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with labelled/, other/ and phone/")
    parser.add_argument("--out", type=Path, default=Path("weights/brands"))
    parser.add_argument("--work", type=Path, default=Path(".train/brands"))
    parser.add_argument("--labels", type=Path, default=VIEWS, help="table of views that were labelled by eye")
    arguments = parser.parse_args()
    encoder = open_encoder()
    found = embed_photographs(arguments.data, encoder, arguments.work, labels=arguments.labels)

    thirteen = (found.brand >= 0) & ~np.isin(found.view, KEPT_OUT)
    labelled, unseen = np.flatnonzero(thirteen & ~found.held), np.flatnonzero(thirteen & found.held)
    known, brand = np.unique(found.brand[labelled], return_inverse=True)
    strength = choose_strength(found.vectors[labelled], brand, found.fold[labelled])
    weights, bias = fit_head(found.vectors[labelled], brand, strength)
    unseen = unseen[np.isin(found.brand[unseen], known)]
    answer = np.searchsorted(known, found.brand[unseen])
    temperature = fit_temperature(found.vectors[unseen] @ weights + bias, answer)

    # A phone's pictures are of sneakers and of other shoes, and nobody said which.
    shoe, told = found.view != "other", found.kind != "phone"
    gate = LogisticRegression(C=10.0, max_iter=2000, class_weight="balanced")
    gate.fit(found.vectors[told & ~found.held], shoe[told & ~found.held])
    unseen = told & found.held
    slope, shift, threshold = fit_gate(gate.decision_function(found.vectors[unseen]), shoe[unseen])

    worn_weights, worn_bias = fit_worn(found)

    buffer = io.BytesIO()
    np.savez(
        buffer,
        brand_weights=(weights / temperature).astype(np.float32),
        brand_bias=(bias / temperature).astype(np.float32),
        sneaker_weights=(gate.coef_[0] * slope).astype(np.float32),
        sneaker_bias=np.float32(gate.intercept_[0] * slope + shift),
        worn_weights=worn_weights[:, 0].astype(np.float32),
        worn_bias=np.float32(worn_bias[0]),
    )
    described = {
        "brands": [BRANDS[i] for i in known],
        "encoder": encoder.identity,
        "sneaker_threshold": threshold,
    }
    write_atomic(arguments.out / "brands.npz", buffer.getvalue())
    write_atomic(arguments.out / "brands.json", (json.dumps(described, indent=2) + "\n").encode())
    write_checksums(arguments.out)
    print(f"C {strength}, temperature {temperature:.2f}, sneaker threshold {threshold:.2f}")


if __name__ == "__main__":
    main()
