"""What models are measured by, and what is fitted to such measures."""

from __future__ import annotations

import numpy as np
import pytest


def test_distances_between_pictures() -> None:
    from scripts.lib.distances import frechet, kernel, nearest, within_reach

    draw = np.random.default_rng(0)
    one, two = draw.normal(size=(2, 2000, 4))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, two) == pytest.approx(0, abs=0.02)
    assert frechet(one, two * 2 + 3) == pytest.approx(4 * 9 + 4, rel=0.05)  # of Gaussians: means and deviations
    assert kernel(one, two) == pytest.approx(0, abs=0.05)
    assert kernel(one, two + 1) > 1
    assert nearest(np.array([[2.0, 0], [0, -1]]), np.array([[1.0, 0], [0, 1]])).tolist() == [0, 1]
    close = np.arange(8.0)[:, None]
    # Of pictures 1 apart, the third neighbour is 2 away in the midst, and 3 at the ends.
    assert within_reach(np.array([[-3.0], [3.5], [10.5]]), close) == pytest.approx(2 / 3)


def test_a_calibration_error_is_what_the_bins_are_off() -> None:
    from scripts.evaluate_encoder import calibration_error

    sure, right = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert calibration_error(sure, right, 10) == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)


def test_a_temperature_takes_back_what_made_probabilities_too_sure() -> None:
    from scripts.train_brands import fit_temperature

    draw = np.random.default_rng(0)
    logits = draw.normal(size=(4000, 5))
    answers = (logits + draw.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from the softmax of the logits
    assert fit_temperature(logits, answers) == pytest.approx(1, abs=0.1)
    assert fit_temperature(logits * 6, answers) == pytest.approx(6, abs=0.6)


def test_the_gate_finds_both_kinds_equally_well() -> None:
    from scripts.train_brands import fit_gate

    draw = np.random.default_rng(0)
    shoe = np.arange(4000) % 10 > 0
    raw = np.where(shoe, 5.0, 1.0) + draw.normal(size=len(shoe))  # of another scale, and the middle is not at zero
    slope, shift, threshold = fit_gate(raw, shoe)
    taken = 1 / (1 + np.exp(-(slope * raw + shift))) >= threshold
    assert taken[shoe].mean() > 0.96
    assert (~taken[~shoe]).mean() == pytest.approx(taken[shoe].mean(), abs=0.01)
