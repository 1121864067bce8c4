"""Fit the brand head and the sneaker head on the built-in encoder's vectors.

    python -m scripts.train_brands DATA [--out weights/brands]

The heads see photographs outside the held-out split only; a fifth of those, by group, sets the scale of the probabilities.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, minimize_scalar
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

    labelled = np.flatnonzero((found.brand >= 0) & ~found.held & (found.kind == "labelled"))
    known, brand = np.unique(found.brand[labelled], return_inverse=True)
    scaling = found.fold[labelled] == 0
    best, settings = np.inf, (1.0, 1.0)
    for strength in (1.0, 3.0, 10.0, 30.0, 100.0):
        head = LogisticRegression(C=strength, max_iter=2000, class_weight=None)
        head.fit(found.vectors[labelled[~scaling]], brand[~scaling])
        logits = head.decision_function(found.vectors[labelled[scaling]])
        target = brand[scaling]
        fit = minimize_scalar(lambda t, z=logits, y=target: log_loss(z / t, y), bounds=(0.2, 5), method="bounded")
        print(f"C {strength:6.1f}: loss {fit.fun:.4f} at temperature {fit.x:.2f}, accuracy {(logits.argmax(1) == target).mean():.3f}")
        if fit.fun < best:
            best, settings = fit.fun, (strength, fit.x)
    strength, temperature = settings
    head = LogisticRegression(C=strength, max_iter=2000).fit(found.vectors[labelled], brand)

    rows = np.flatnonzero(~found.held)
    shoe = found.kind[rows] != "other"
    gate = LogisticRegression(C=30.0, max_iter=2000, class_weight="balanced")
    gate.fit(found.vectors[rows][found.fold[rows] != 0], shoe[found.fold[rows] != 0])
    check = found.fold[rows] == 0
    raw = gate.decision_function(found.vectors[rows][check])

    def platt(parameters: np.ndarray) -> float:
        z = parameters[0] * raw + parameters[1]
        return float(np.mean(np.logaddexp(0, -np.where(shoe[check], z, -z))))

    slope, shift = minimize(platt, np.array([1.0, 0.0]), method="Nelder-Mead").x
    scaled = 1 / (1 + np.exp(-(slope * raw + shift)))
    # Other things are one in fifteen here and far more in the world: cut where both kinds are found equally well.
    cuts = np.linspace(0.02, 0.98, 97)
    gap = [abs((scaled[shoe[check]] >= cut).mean() - (scaled[~shoe[check]] < cut).mean()) for cut in cuts]
    threshold = float(cuts[int(np.argmin(gap))])

    buffer = io.BytesIO()
    np.savez(
        buffer,
        brand_weights=(head.coef_.T / temperature).astype(np.float32),
        brand_bias=(head.intercept_ / temperature).astype(np.float32),
        sneaker_weights=(gate.coef_[0] * slope).astype(np.float32),
        sneaker_bias=np.float32(gate.intercept_[0] * slope + shift),
    )
    described = {"brands": [found.brands[i] for i in known], "encoder": encoder.identity, "sneaker_threshold": threshold}
    write_atomic(arguments.out / "brands.npz", buffer.getvalue())
    write_atomic(arguments.out / "brands.json", (json.dumps(described, indent=2) + "\n").encode())
    write_checksums(arguments.out)
    print(f"C {strength}, temperature {temperature:.2f}, sneaker threshold {threshold:.2f}")


if __name__ == "__main__":
    main()
