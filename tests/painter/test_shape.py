"""Sneakers bent from one shape to another."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import measure, outline
from dreamkicks.painter.shape import LANDMARKS, landmarks, warp
from tests.drawing import sneaker


def of(picture: Image.Image) -> tuple[Tensor, Tensor]:
    """A framed picture as (1, 3, 128, 128) in -1..1, and its landmarks."""
    small = np.asarray(frame(picture).resize((128, 128), Image.Resampling.LANCZOS))
    seen = measure(small)
    assert seen is not None
    return torch.from_numpy(small.copy()).permute(2, 0, 1)[None] / 127.5 - 1, torch.from_numpy(landmarks(seen))[None]


def mask(picture: Tensor) -> np.ndarray:
    return outline(((picture[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())


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


@given(st.integers(0, 2**32 - 1), st.floats(0, 500))
def test_any_landmarks_give_a_picture(seed: int, wild: float) -> None:
    picture, shape = of(sneaker("green"))
    noise = torch.Generator().manual_seed(seed)
    one, two = (shape + wild * torch.randn(1, LANDMARKS, generator=noise) for _ in range(2))
    bent = warp(picture, one, two, 96)
    assert bent.shape == (1, 3, 96, 128)
    assert bent.isfinite().all() and bent.min() >= -1 and bent.max() <= 1
