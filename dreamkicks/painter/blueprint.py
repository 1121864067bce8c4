"""The blueprint: what the built-in painter understands of a sneaker.

The vocabulary turns words into a blueprint, the painter's network is conditioned on it, and training and evaluation
measure the very same quantities from pixels. Words are for people; between the parts only these numbers travel, so
"crimson" and "scarlet" are two colours and not two unrelated tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Lab = tuple[float, float, float]
"""A colour in CIELAB under D65: L in 0..100, a and b in about -128..127."""


@dataclass(frozen=True)
class Blueprint:
    """A partly specified sneaker; None leaves the painter free.

    Colours name parts: `upper` (main colour above the sole), `sole`, `accent` (second colour of the upper: stripes,
    panels, logo), `toe` and `heel` (front and back of the upper).
    """

    upper: Lab | None = None
    sole: Lab | None = None
    accent: Lab | None = None
    toe: Lab | None = None
    heel: Lab | None = None
    height: float | None = None
    """Height over width of the outline."""
    sole_height: float | None = None
    """Height of the sole over width of the shoe."""
    pattern: float | None = None
    """How busy the upper is, 0..1: its rank among the training pictures."""
    brand: str | None = None
    """A brand whose look the network has seen: one of BRANDS."""

    def unlike(self, shown: Blueprint) -> float:
        """How far what is shown is from what this asks for, 0 when it is all there. What is asked for and not there counts 3.

        1 is a difference that one sees: 20 of CIE76, with less weight on lightness, which shading moves; or 0.05 of a height.
        """
        far = 0.0
        for part in (*COLOURED_PARTS, *MEASURES):
            wanted, found = getattr(self, part), getattr(shown, part)
            if wanted is None:
                continue
            if found is None:
                far += 3
            elif part in COLOURED_PARTS:
                lightness, a, b = (one - other for one, other in zip(wanted, found, strict=True))
                far += math.hypot(0.6 * lightness, a, b) / 20
            else:
                far += abs(wanted - found) / _NOTICED[part]
        return far


COLOURED_PARTS = ("upper", "sole", "accent", "toe", "heel")
MEASURES = ("height", "sole_height", "pattern")
BRANDS = ("Adidas", "Jordan", "Nike")
_NOTICED = {"height": 0.05, "sole_height": 0.03, "pattern": 0.3}
"""Differences of the measures that one sees, as 20 of CIE76 is of a colour."""


def silhouette_name(height: float) -> str:
    """low-top, mid-top or high-top for a height over width."""
    return "low-top" if height < 0.52 else "high-top" if height > 0.58 else "mid-top"
