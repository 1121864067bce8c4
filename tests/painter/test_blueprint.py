"""What a blueprint asks for, next to what a picture shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dreamkicks.painter.blueprint import Blueprint

SHOWN = Blueprint(upper=(40, 60, 40), sole=(90, 0, 2), height=0.45, sole_height=0.11, pattern=0.5)


def test_what_is_there_or_was_not_asked_for_counts_nothing() -> None:
    assert SHOWN.unlike(SHOWN) == 0
    assert Blueprint().unlike(SHOWN) == 0
    assert Blueprint(brand="Nike").unlike(SHOWN) == 0


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ({"upper": (45, 55, 40)}, {"upper": (30, 10, -50)}),
        ({"sole": (80, 0, 2)}, {"sole": (20, 0, 2)}),
        ({"height": 0.47}, {"height": 0.62}),
        ({"sole_height": 0.12}, {"sole_height": 0.2}),
        ({"pattern": 0.6}, {"pattern": 0.1}),
    ],
)
def test_nearer_is_less(near: dict, far: dict) -> None:
    assert 0 < replace(SHOWN, **near).unlike(SHOWN) < replace(SHOWN, **far).unlike(SHOWN)


def test_lightness_counts_less_than_hue() -> None:
    assert replace(SHOWN, upper=(60, 60, 40)).unlike(SHOWN) < replace(SHOWN, upper=(40, 40, 40)).unlike(SHOWN)


def test_what_is_missing_counts() -> None:
    assert Blueprint(sole=(50, 0, 0)).unlike(replace(SHOWN, sole=None)) == 3
