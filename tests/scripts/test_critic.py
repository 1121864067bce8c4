"""What tells photographs from dreams while the painter learns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.drawing import sneaker


def test_a_lattice_repeats_itself_and_noise_does_not() -> None:
    import torch

    from dreamkicks.painter.networks import CELL
    from scripts.lib.critic import details, lattice

    draw = torch.Generator().manual_seed(0)
    cell = torch.rand(1, 3, CELL, CELL, generator=draw) - 0.5
    sheets = {
        "lattice": cell.repeat(1, 1, 4, 4),
        "noise": torch.rand(1, 3, 4 * CELL, 4 * CELL, generator=draw) - 0.5,
        "lines along": torch.rand(1, 1, 4 * CELL, 1, generator=draw).expand(1, 3, -1, 4 * CELL) - 0.5,
        "plain": torch.zeros(1, 3, 4 * CELL, 4 * CELL),
    }
    found = {name: lattice(details(sheet))[0] for name, sheet in sheets.items()}
    assert found["lattice"].min() > 0.7
    for name in ("noise", "lines along", "plain"):
        assert found[name].abs().mean() < 0.1, name


def test_an_adversary_learns_to_tell_pictures_from_photographs() -> None:
    import torch

    from scripts.lib.critic import Adversary

    torch.manual_seed(0)
    photographs = torch.stack(
        [torch.from_numpy(np.array(sneaker("red", seed=n, size=96))).permute(2, 0, 1) / 127.5 - 1 for n in range(4)]
    )
    pictures = torch.nn.functional.avg_pool2d(photographs, 9, 1, 4)
    adversary = Adversary(photographs, 1e-3)
    judged = torch.tensor([True, True, False, True])
    # What a painter has to lose grows while only the critic learns.
    persuaded = [adversary.face(pictures, photographs, judged)[0].item() for _ in range(12)]
    assert persuaded[-1] > persuaded[0] + 0.3
    unlike = adversary.face(torch.cat([photographs[:2], pictures[2:]]), photographs, judged)[1]
    assert unlike[:2].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert (unlike[2:] > 0.1).all()
