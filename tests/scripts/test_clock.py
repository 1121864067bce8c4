"""Training that is stopped and goes on."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest


def test_training_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from scripts.lib import clock

    monkeypatch.setattr(clock, "KEPT_EVERY", 0.0)

    def sitting(model: torch.nn.Linear, count: int) -> list[tuple[int, float, float]]:
        """Steps, shares of the time and random numbers until a stop."""
        steps = clock.Checkpoint(tmp_path / "stage.pt", model=model).steps(60, "stage")
        taken = []
        for step, done in itertools.islice(steps, count):
            torch.nn.init.constant_(model.weight, step)
            taken.append((step, done, torch.rand(()).item()))
        return taken

    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    clock.seed_all(7)
    before = sitting(first, 5)
    clock.seed_all(7)
    after = sitting(second, 0)
    assert after == [] and second.weight[0, 0] == 3  # as kept after the fourth step: the fifth was cut off
    after = sitting(second, 3)
    assert [step for step, _, _ in (*before, *after)] == [0, 1, 2, 3, 4, 4, 5, 6]
    assert after[0][1] >= before[3][1]
    assert not {number for _, _, number in before} & {number for _, _, number in after}
