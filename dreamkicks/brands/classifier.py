"""Which brand a sneaker looks like, with probabilities that mean what they say; whether it is a sneaker at all, and worn."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dreamkicks import locations
from dreamkicks.errors import WeightsError
from dreamkicks.files import verify_checksums

View = Literal["shoe", "worn", "other"]
"""What a picture shows: a sneaker by itself, a sneaker on a foot, or something else."""


@dataclass(frozen=True)
class BrandGuess:
    brand: str
    probability: float


@dataclass(frozen=True)
class Verdict:
    """`brands` from the likeliest on, summing to one; empty for a picture that is no sneaker."""

    sneaker_probability: float
    brands: tuple[BrandGuess, ...]

    @property
    def is_sneaker(self) -> bool:
        return bool(self.brands)


class Brands:
    """Three logistic heads on the built-in encoder's vectors. What they give as probabilities was scaled on photographs that
    training did not see (Guo et al. 2017, arXiv:1706.04599).
    """

    def __init__(self, folder: Path) -> None:
        """Raises WeightsError when the files are missing or damaged."""
        verify_checksums(folder)
        described = json.loads((folder / "brands.json").read_text(encoding="utf-8"))
        self.names: list[str] = described["brands"]
        self.encoder: str = described["encoder"]
        self._threshold: float = described["sneaker_threshold"]
        with np.load(folder / "brands.npz", allow_pickle=False) as arrays:
            self._heads = {name: arrays[name] for name in arrays.files}
        if self._heads["brand_weights"].shape[1] != len(self.names):
            raise WeightsError(
                f"{folder} is inconsistent: its names and weights differ in number. Install dreamkicks again."
            )

    def classify(self, vectors: np.ndarray) -> list[Verdict]:
        """(n, dim) unit vectors of the built-in encoder to a verdict each."""
        verdicts = []
        for chance, row in zip(self._sneaker(vectors), self.probabilities(vectors), strict=True):
            order = np.argsort(-row).tolist() if chance >= self._threshold else []
            verdicts.append(Verdict(float(chance), tuple(BrandGuess(self.names[i], float(row[i])) for i in order)))
        return verdicts

    def views(self, vectors: np.ndarray) -> list[View]:
        """(n, dim) unit vectors of the built-in encoder to what each picture shows. A sole from below is a shoe here."""
        sneaker = self._sneaker(vectors) >= self._threshold
        worn = vectors @ self._heads["worn_weights"] + self._heads["worn_bias"] >= 0
        return ["other" if not one else "worn" if on else "shoe" for one, on in zip(sneaker, worn, strict=True)]

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """(n, dim) unit vectors to (n, brands), in the order of `names`, for pictures that are sneakers."""
        logits = vectors @ self._heads["brand_weights"] + self._heads["brand_bias"]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True))

    def _sneaker(self, vectors: np.ndarray) -> np.ndarray:
        """(n, dim) unit vectors to the (n,) probabilities that they are of sneakers."""
        return 0.5 + 0.5 * np.tanh((vectors @ self._heads["sneaker_weights"] + self._heads["sneaker_bias"]) / 2)


@functools.cache
def open_brands() -> Brands:
    """The heads that ship; opened once in a process."""
    return Brands(locations.weights() / "brands")
