"""Fit the brand head and the sneaker head on the built-in encoder's vectors.

    python -m scripts.train_brands DATA [--out weights/brands]

The heads are fitted outside the held-out split. Half of that split, by group, sets the scale of the probabilities (Guo et al. 2017,
arXiv:1706.04599; Platt 1999), which moves no guess; the other half measures it in evaluate_encoder.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.files import write_atomic, write_checksums
from scripts.lib.vectors import embed_photographs


def log_loss(logits: np.ndarray, target: np.ndarray) -> float:
    """Mean negative log-likelihood of the targets (n,) under logits (n, k)."""
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(target)), target]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with labelled/, side/ and other/")
    parser.add_argument("--out", type=Path, default=Path("weights/brands"))
    parser.add_argument("--work", type=Path, default=Path(".train/brands"))
    arguments = parser.parse_args()
    encoder = open_encoder()
    found = embed_photographs(arguments.data, encoder, arguments.work)

    thirteen = (found.brand >= 0) & (found.kind == "labelled")
    labelled, unseen = np.flatnonzero(thirteen & ~found.held), np.flatnonzero(thirteen & found.scales)
    known, brand = np.unique(found.brand[labelled], return_inverse=True)
    check = found.fold[labelled] == 0
    losses = {}
    for strength in (0.3, 1.0, 3.0, 10.0, 30.0):
        head = LogisticRegression(C=strength, max_iter=2000).fit(found.vectors[labelled[~check]], brand[~check])
        losses[strength] = log_loss(head.decision_function(found.vectors[labelled[check]]), brand[check])
        print(f"C {strength:6.1f}: loss {losses[strength]:.4f} on a fifth of the training groups")
    strength = min(losses, key=losses.__getitem__)
    head = LogisticRegression(C=strength, max_iter=2000).fit(found.vectors[labelled], brand)
    unseen = unseen[np.isin(found.brand[unseen], known)]
    logits, answer = head.decision_function(found.vectors[unseen]), np.searchsorted(known, found.brand[unseen])
    fit = minimize_scalar(lambda t: log_loss(logits / t, answer), bounds=(0.2, 5), method="bounded")
    temperature = float(fit.x)

    shoe = found.kind != "other"
    gate = LogisticRegression(C=30.0, max_iter=2000, class_weight="balanced")
    gate.fit(found.vectors[~found.held], shoe[~found.held])
    raw, shoe = gate.decision_function(found.vectors[found.scales]), shoe[found.scales]
    # Other things are one in five here and far more in the world: both kinds count the same.
    weight = np.where(shoe, 0.5 / shoe.sum(), 0.5 / (~shoe).sum())

    def platt(parameters: np.ndarray) -> float:
        z = parameters[0] * raw + parameters[1]
        return float((weight * np.logaddexp(0, -np.where(shoe, z, -z))).sum() + 1e-3 * parameters[0] ** 2)

    slope, shift = minimize(platt, np.array([1.0, 0.0]), method="Nelder-Mead").x
    scaled = expit(slope * raw + shift)
    cuts = np.linspace(0.02, 0.98, 97)
    gap = [abs((scaled[shoe] >= cut).mean() - (scaled[~shoe] < cut).mean()) for cut in cuts]
    level = cuts[np.isclose(gap, min(gap))]
    threshold = float(level[len(level) // 2])  # the middle of the cuts where both kinds are found equally well

    buffer = io.BytesIO()
    np.savez(
        buffer,
        brand_weights=(head.coef_.T / temperature).astype(np.float32),
        brand_bias=(head.intercept_ / temperature).astype(np.float32),
        sneaker_weights=(gate.coef_[0] * slope).astype(np.float32),
        sneaker_bias=np.float32(gate.intercept_[0] * slope + shift),
    )
    described = {
        "brands": [found.brands[i] for i in known],
        "encoder": encoder.identity,
        "sneaker_threshold": threshold,
    }
    write_atomic(arguments.out / "brands.npz", buffer.getvalue())
    write_atomic(arguments.out / "brands.json", (json.dumps(described, indent=2) + "\n").encode())
    write_checksums(arguments.out)
    print(f"C {strength}, temperature {temperature:.2f}, sneaker threshold {threshold:.2f}")


if __name__ == "__main__":
    main()
