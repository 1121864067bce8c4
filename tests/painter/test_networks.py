"""What is done to the decoder's pictures."""

import torch

from dreamkicks.painter.networks import without_seams


def test_faint_lines_between_cells_go_and_all_else_stays() -> None:
    even = torch.linspace(-0.5, 0.5, 64).expand(1, 3, 48, 64).clone()
    lined = even.clone()
    lined[..., 31] -= 0.05
    lined[..., 15, :] += 0.04
    assert torch.allclose(without_seams(lined), even, atol=1e-6)

    drawn = even.clone()
    drawn[..., 31] -= 0.5  # a seam of the shoe's own
    drawn[..., 40] -= 0.05  # and a faint one within a cell
    assert torch.allclose(without_seams(drawn), drawn, atol=1e-6)
