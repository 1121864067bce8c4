"""Sneakers bent from one shape to another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import Measured, measure, outline
from dreamkicks.painter.shape import (
    COLUMNS,
    LANDMARKS,
    UPPER,
    between_edges,
    landmarks,
    tall,
    warp,
    with_sole,
    with_upper,
)
from tests.drawing import sneaker


def of(picture: Image.Image) -> tuple[Tensor, Tensor]:
    """A framed picture as (1, 3, 128, 128) in -1..1, and its landmarks."""
    small = np.asarray(frame(picture).resize((128, 128), Image.Resampling.LANCZOS))
    seen = measure(small)
    assert seen is not None
    return torch.from_numpy(small.copy()).permute(2, 0, 1)[None] / 127.5 - 1, torch.from_numpy(landmarks(seen))[None]


def pixels(picture: Tensor) -> np.ndarray:
    return ((picture[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()


def mask(picture: Tensor) -> np.ndarray:
    return outline(pixels(picture))


def shown(picture: Tensor) -> Measured:
    seen = measure(pixels(picture))
    assert seen is not None
    return seen


def low_and_high() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    low = sneaker("red", sole="black")
    return of(low), of(low.resize((256, 400)).crop((0, 92, 256, 348)))


def test_its_own_shape_changes_nothing() -> None:
    picture, shape = of(sneaker("red", sole="black"))
    assert (warp(picture, shape, shape, 128) - picture).abs().mean() < 0.02


def test_another_shape_is_taken_on_and_undone() -> None:
    (low, low_shape), (high, high_shape) = low_and_high()
    bent = warp(low, low_shape, high_shape, 128)
    one, two = mask(bent), mask(high)
    assert (one & two).sum() / (one | two).sum() > 0.95
    assert (bent - high).abs().mean() < 0.25 * (low - high).abs().mean()
    back = warp(bent, high_shape, low_shape, 128)
    assert (back - low).abs().mean() < 0.25 * (low - high).abs().mean()


def test_other_rows_are_the_same_picture_cut_or_on_more_paper() -> None:
    picture, shape = of(sneaker("blue"))
    whole = warp(picture, shape, shape, 128)
    assert torch.equal(warp(picture, shape, shape, 96), whole[:, :, :96])
    assert (warp(picture, shape, shape, 160)[:, :, 132:] == 1).all()


@pytest.mark.parametrize("height", [0.06, 0.17, 0.22])
def test_soles_get_another_height_and_carry_the_upper(height: float) -> None:
    picture, shape = of(sneaker("#2c8a4b", sole="#8a5a2b"))
    before, after = shown(picture), shown(warp(picture, shape, with_sole(shape, torch.tensor([height])), 128))
    assert after.blueprint.sole_height == pytest.approx(height, abs=0.025)
    assert after.box[3] == pytest.approx(before.box[3], abs=1)
    assert after.sole_line - after.box[1] == pytest.approx(before.sole_line - before.box[1], abs=2)


def test_no_sole_gets_more_than_twice_as_high() -> None:
    picture, shape = of(sneaker("#2c8a4b", sole="#8a5a2b"))
    twice, more = (with_sole(shape, torch.tensor([height])) for height in (9.0, 99.0))
    assert torch.equal(twice, more)
    before, after = shown(picture), shown(warp(picture, shape, twice, 128))
    assert after.box[3] - after.sole_line == pytest.approx(2 * (before.box[3] - before.sole_line), abs=2)


@pytest.mark.parametrize("height", [0.38, 0.6, 0.68])
def test_another_upper_edge_is_taken_on_at_the_height_asked_for(height: float) -> None:
    (picture, shape), (_, other) = low_and_high()
    before, target = shown(picture), with_upper(shape, other, torch.tensor([height]))
    assert tall(target).item() == pytest.approx(height, abs=0.01)
    after = shown(warp(picture, shape, target, 128))
    assert after.blueprint.height == pytest.approx(height, abs=0.03)
    assert (after.sole_line, after.box[2:]) == (before.sole_line, before.box[2:])


def test_raised_no_column_sinks_and_lowered_none_rises_nor_goes_down_into_the_sole() -> None:
    (_, shape), (_, other) = low_and_high()
    slope = other.clone()
    slope[:, UPPER] = torch.linspace(float(other[0, UPPER].min()), float(other[0, 2]), COLUMNS)
    up, down = (with_upper(shape, slope, torch.tensor([height]))[:, UPPER] for height in (0.7, 0.3))
    was, line = shape[:, UPPER], shape[:, 2:3]
    moved = (up < was - 1) & (torch.arange(COLUMNS) < 0.6 * COLUMNS)
    ratio = ((line - up) / (slope[:, 2:3] - slope[:, UPPER]))[moved]  # of its own edge nothing is left there
    assert moved.sum() > 8 and ratio.max() - ratio.min() < 0.01
    assert (up <= was).all() and (up < was - 5).any()
    assert (down >= was).all() and (down > was + 5).any()
    assert ((line - down) / (line - was)).min() > 0.33
    toe = slice(-COLUMNS // 6, None)
    assert torch.allclose(up[:, toe], was[:, toe]) and torch.allclose(down[:, toe], was[:, toe])


def test_a_picture_changes_where_its_upper_edge_does() -> None:
    shape = torch.tensor([[10.0, 110.0, 80.0, *[40.0] * COLUMNS, *[100.0] * COLUMNS]])
    other = shape.clone()
    other[:, 3 : 3 + COLUMNS // 2] = 20.0
    for one, two in ((shape, other), (other, shape)):
        share = between_edges(one, two, 128, 128, 8.0)[0, 0]
        assert (share[:40, 10:55] == 1).all() and (share[48:] == 0).all()
        assert share[43:45, 10:55].mean().item() == pytest.approx(0.5)
        assert (share[:, :10] == 0).all() and (share[:, 64:] == 0).all()


@given(st.integers(0, 2**32 - 1), st.floats(0, 500))
def test_any_landmarks_give_a_picture(seed: int, wild: float) -> None:
    picture, shape = of(sneaker("green"))
    noise = torch.Generator().manual_seed(seed)
    one, two = (shape + wild * torch.randn(1, LANDMARKS, generator=noise) for _ in range(2))
    bent = warp(picture, one, with_upper(two, one, torch.tensor([0.6])), 96)
    assert bent.shape == (1, 3, 96, 128)
    assert bent.isfinite().all() and bent.min() >= -1 and bent.max() <= 1
