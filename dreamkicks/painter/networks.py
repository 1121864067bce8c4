"""The small networks beside the UNet: pictures to latents and back, blueprints to tokens and to drafts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from dreamkicks.painter.blueprint import BRANDS, COLOURED_PARTS, MEASURES, Blueprint
from dreamkicks.painter.shape import LANDMARKS

SLOTS = (*COLOURED_PARTS, *MEASURES, "brand")
# Where the measures lie and how far they spread among the training pictures: (centre, half-width).
_RANGES = {"height": (0.5, 0.15), "sole_height": (0.12, 0.07), "pattern": (0.5, 0.5)}

_STEPS, _GUIDANCE = 24, 1.5
"""Euler steps of the prior either way, so that noise found for a shoe gives it again; and its classifier-free guidance."""

CELL = 16
"""Pixels of a picture, along and down, to one place of its latents."""

_FAINT = 0.08
"""What the decoder's lines differ by at most, of -1..1 (lines over yellow, looked at)."""

LANDMARK_WEIGHT = 0.5
"""With it the training pictures' landmarks vary as much, in all, as their looks."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class LappedAutoencoder(ModelMixin, ConfigMixin):
    """Pictures to latents by a fixed linear map of cells that overlap by half, and back by its inverse plus a residual network.

    The encoder is a principal component analysis of a lapped orthogonal transform (Malvar & Staelin 1989, doi:10.1109/29.17536),
    written as a 16 x 16 convolution of stride 8 at half size: it needs no training, and its leading components are smooth, which
    makes latents that a small denoiser learns quickly. Where the denoiser errs, what the cells show fades into each other; cells
    side by side came out as tiles. Component `c` is scaled by the square root of its deviation relative to the first: the denoiser
    then spends its effort on shape before detail, yet does not lose the detail. Paper is zero.
    """

    @register_to_config
    def __init__(self, latent_channels: int = 12, widths: Sequence[int] = (128, 64, 32), blocks: int = 3) -> None:
        super().__init__()
        wide, narrow, slim = widths
        self.analysis = nn.Conv2d(3, latent_channels, 16, stride=8, padding=4, bias=False)
        self.synthesis = nn.ConvTranspose2d(latent_channels, 3, 16, stride=8, padding=4, bias=False)
        self.enter = nn.Conv2d(latent_channels, wide, 3, padding=1)
        self.coarse = nn.Sequential(*[ResidualBlock(wide) for _ in range(blocks)])
        self.widen = nn.Sequential(nn.Conv2d(wide, narrow * 4, 1), nn.PixelShuffle(2))
        self.fine = nn.Sequential(*[ResidualBlock(narrow) for _ in range(blocks)])
        self.spread = nn.Sequential(nn.Conv2d(narrow, slim * 4, 1), nn.PixelShuffle(2))
        self.crisp = nn.Sequential(*[ResidualBlock(slim) for _ in range(blocks - 1)])
        self.leave = nn.Sequential(nn.SiLU(), nn.Conv2d(slim, 4 * 16, 3, padding=1), nn.PixelShuffle(4))
        for fixed in (self.analysis, self.synthesis):
            fixed.requires_grad_(False)

    @torch.no_grad()
    def set_components(self, components: Tensor, scale: Tensor) -> None:
        """Fix the linear map: orthonormal `components` (latent_channels, 3, 16, 16), `scale` (latent_channels,)."""
        self.analysis.weight.copy_(components / scale[:, None, None, None])
        self.synthesis.weight.copy_(components * scale[:, None, None, None])

    def analyse(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) of half the size in -1..1 to latents (n, latent_channels, h / 8, w / 8)."""
        return self.analysis(pictures - 1)

    def synthesise(self, latents: Tensor) -> Tensor:
        """Latents to the smooth pictures of half the size that they alone tell of, in about -1..1."""
        return self.synthesis(latents) + 1

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) in -1..1 to latents (n, latent_channels, h / 16, w / 16)."""
        return self.analyse(F.interpolate(pictures, scale_factor=0.5, mode="bicubic", antialias=True))

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in about -1..1 (not clamped)."""
        detail = self.leave(self.crisp(self.spread(self.fine(self.widen(self.coarse(self.enter(latents)))))))
        smooth = F.interpolate(self.synthesise(latents), scale_factor=2, mode="bilinear")
        picture = smooth + detail[:, :3]
        # The smooth picture rings beside an outline; to say "paper" there is learned sooner than to take the ringing away.
        paper = torch.sigmoid(detail[:, 3:] - 2)
        return without_checkers(picture + paper * (1 - picture))

    def forward(self, latents: Tensor) -> Tensor:
        return self.decode(latents)


def without_checkers(pictures: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) less what turns its sign from pixel to pixel both ways, which hardly anything in a photograph does.

    Learned upsampling is prone to it (Odena et al. 2016, doi:10.23915/distill.00003). What turns one way only is left, though the
    decoder paints some: without it, pictures are too soft (kernel distance x 1000 of 200 dreams 46 in place of 23).
    """
    around = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    along = (2 * around[..., 1:-1] - around[..., :-2] - around[..., 2:]) / 4
    return pictures - (2 * along[..., 1:-1, :] - along[..., :-2, :] - along[..., 2:, :]) / 4


def without_seams(pictures: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) in -1..1 without the faint lines that the decoder draws at the far edges of its cells, where a shoe is even.

    A deblocking filter (List et al. 2003, doi:10.1109/TCSVT.2003.815175): the last two pixels of a cell come to lie between the pixels
    around, unless they differ by more than such a line does.
    """
    for _ in range(2):  # across, then along
        pictures = pictures.transpose(2, 3)
        cells = pictures[..., :-CELL].reshape(*pictures.shape[:3], -1, CELL)
        before, seam, after = cells[..., -3:-2], cells[..., -2:], pictures[..., CELL::CELL, None]
        between = torch.lerp(before, after, torch.tensor([1 / 3, 2 / 3], device=pictures.device))
        off = torch.cat([before - after, seam - between], dim=-1).abs().amax((1, -1), keepdim=True)
        mended = torch.cat([cells[..., :-2], torch.where(off < _FAINT, between, seam)], dim=-1)
        pictures = torch.cat([mended.flatten(-2), pictures[..., -CELL:]], dim=-1)
    return pictures


class BlueprintEncoder(ModelMixin, ConfigMixin):
    """Blueprints to the tokens which the UNet attends to, one a slot: this model's tokenizer and text encoder in one."""

    @register_to_config
    def __init__(self, width: int = 192, octaves: int = 3) -> None:
        super().__init__()
        features = 3 * (1 + 2 * octaves)
        self.read = nn.ModuleList(
            [nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width)) for _ in SLOTS]
        )
        self.absent = nn.Parameter(torch.randn(len(SLOTS), width) * 0.02)
        self.place = nn.Parameter(torch.randn(len(SLOTS), width) * 0.02)
        self.pool = nn.Sequential(nn.Linear(width * len(SLOTS), width * 2), nn.SiLU(), nn.Linear(width * 2, width))

    def forward(self, values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Slot values (n, slots, 3) and presence (n, slots) to tokens (n, slots, width) and a pooled vector (n, width)."""
        waves = [values]
        for octave in range(self.config.octaves):
            angle = values * (torch.pi / 2 * 2**octave)
            waves += [angle.sin(), angle.cos()]
        features = torch.cat(waves, dim=-1)
        tokens = torch.stack([read(features[:, slot]) for slot, read in enumerate(self.read)], dim=1)
        tokens = torch.where(present[..., None], tokens, self.absent) + self.place
        return tokens, self.pool(tokens.flatten(1))


class DraftPrior(ModelMixin, ConfigMixin):
    """Blueprints to drafts: a sneaker's coarse looks as a few hundred numbers, which the UNet then paints out.

    The numbers are the leading principal components of landmarks and looks on the mean shape together (`shape.py`), which tell
    which panel lies where. A small network that makes only those learns the distribution of whole shoes quickly, and what is
    left for the UNet is local. Dividing the work between a prior and a painter that is shown its outcome follows unCLIP
    (Ramesh et al. 2022, arXiv:2204.06125) and RCG (Li et al. 2023, arXiv:2312.03701); here the flow is a rectified one.

    How the numbers hang together can't be learned from some thousand shoes: drafts were blends of several. So a design is
    chosen first, one of `designs` groups of training shoes built alike whatever their colours, and the flow is told which
    (cluster guidance, Hu et al. 2022, arXiv:2210.06462).
    """

    @register_to_config
    def __init__(
        self,
        latents: Sequence[int] = (12, 8, 16),
        components: int = 256,
        width: int = 480,
        blocks: int = 5,
        designs: int = 128,
    ) -> None:
        super().__init__()
        size = LANDMARKS + math.prod(latents)
        self.mean = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.basis = nn.Parameter(torch.zeros(components, size), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(components), requires_grad=False)
        self.enter = nn.Linear(components, width)
        self.asked = nn.Sequential(nn.Linear(4 * len(SLOTS) + 32, width), nn.SiLU(), nn.Linear(width, width))
        self.design = nn.Embedding(designs + 1, width)  # the last is no design
        self.likely = nn.Sequential(nn.Linear(4 * len(SLOTS), 128), nn.SiLU(), nn.Linear(128, designs))
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(blocks)])
        self.told = nn.ModuleList([nn.Linear(width, width) for _ in range(blocks)])
        self.first = nn.ModuleList([nn.Linear(width, width) for _ in range(blocks)])
        self.second = nn.ModuleList([nn.Linear(width, width) for _ in range(blocks)])
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, components))

    def forward(self, codes: Tensor, when: Tensor, values: Tensor, present: Tensor, design: Tensor) -> Tensor:
        """Velocity of noisy codes (n, components) at times (n,) in 0..1.

        Given are slot values (n, slots, 3), presence (n, slots) and designs (n,), of which the number `designs` is none.
        """
        angle = when[:, None] * torch.pi / 2 * torch.arange(1, 17, device=when.device, dtype=when.dtype)
        asked = self.asked(torch.cat([_flat(values, present), angle.sin(), angle.cos()], dim=1))
        asked = F.silu(asked + self.design(design))
        x = self.enter(codes)
        for norm, told, first, second in zip(self.norms, self.told, self.first, self.second, strict=True):
            x = x + second(F.silu(first(norm(x)) + told(asked)))
        return self.leave(x)

    def odds(self, values: Tensor, present: Tensor) -> Tensor:
        """Logits (n, designs) of the designs, given slot values (n, slots, 3) and presence (n, slots)."""
        return self.likely(_flat(values, present))

    def encode(self, shape: Tensor, look: Tensor) -> Tensor:
        """Landmarks (n, LANDMARKS) and latents (n, channels, h, w) on the mean shape to codes (n, components) of about unit size."""
        known = torch.cat([shape * LANDMARK_WEIGHT, look.flatten(1)], dim=1)
        return (known - self.mean) @ self.basis.T / self.scale

    def decode(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n, components) to landmarks (n, LANDMARKS) and latents (n, channels, h, w) on the mean shape."""
        known = self.mean + (codes * self.scale) @ self.basis
        return known[:, :LANDMARKS] / LANDMARK_WEIGHT, known[:, LANDMARKS:].view(len(codes), *self.config.latents)

    @property
    def mean_shape(self) -> Tensor:
        """Landmarks (LANDMARKS,) of the mean shape."""
        return self.mean[:LANDMARKS] / LANDMARK_WEIGHT

    def sample(
        self,
        noisy: Tensor,
        values: Tensor,
        present: Tensor,
        design: Tensor,
        start: Tensor | float = 1.0,
        steps: int = _STEPS,
    ) -> Tensor:
        """Codes for one blueprint and design each, by Euler steps of the flow from noisy ones (n, components) at times `start`, () or (n,).

        At time 1 they are noise.
        """
        codes = noisy
        start = torch.as_tensor(start, device=codes.device, dtype=codes.dtype).expand(len(codes))
        # What is asked and nothing, in one pass: to read the weights takes most of its time.
        twice, told = values.repeat(2, 1, 1), torch.cat([present, torch.zeros_like(present)])
        both = torch.cat([design, torch.full_like(design, self.config.designs)])
        for now, after in pairwise(torch.linspace(1, 0, steps + 1).tolist()):
            asked, free = self(codes.repeat(2, 1), now * start.repeat(2), twice, told, both).chunk(2)
            codes = codes + (after - now) * start[:, None] * (free + _GUIDANCE * (asked - free))
        return codes

    def noise_of(self, codes: Tensor, values: Tensor, present: Tensor) -> Tensor:
        """The noise (n, components) that becomes these codes: the flow of no design in particular, followed backwards."""
        design = torch.full((len(codes),), self.config.designs, device=codes.device)
        for now, after in pairwise(torch.linspace(0, 1, _STEPS + 1).tolist()):
            when = torch.full((len(codes),), now, device=codes.device, dtype=codes.dtype)
            codes = codes + (after - now) * self(codes, when, values, present, design)
        return codes


def _flat(values: Tensor, present: Tensor) -> Tensor:
    """Slot values (n, slots, 3) and presence (n, slots) as rows (n, 4 * slots)."""
    return torch.cat([values * present[..., None], present[..., None].to(values.dtype)], dim=-1).flatten(1)


def encode_slots(blueprints: Sequence[Blueprint]) -> tuple[Tensor, Tensor]:
    """Blueprints as BlueprintEncoder's input: values (n, slots, 3) in about -1..1 and presence (n, slots)."""
    values = torch.zeros(len(blueprints), len(SLOTS), 3)
    present = torch.zeros(len(blueprints), len(SLOTS), dtype=torch.bool)
    for row, blueprint in enumerate(blueprints):
        for column, slot in enumerate(SLOTS):
            value = getattr(blueprint, slot)
            if value is None:
                continue
            present[row, column] = True
            if slot in COLOURED_PARTS:
                lightness, a, b = value
                values[row, column] = torch.tensor([lightness / 50 - 1, a / 64, b / 64])
            elif slot == "brand":
                values[row, column, BRANDS.index(value)] = 1
            else:
                centre, spread = _RANGES[slot]
                values[row, column, 0] = (value - centre) / spread
    return values, present
