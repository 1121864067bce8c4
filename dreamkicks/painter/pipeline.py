"""The built-in painter as a diffusers pipeline: encode, draft or look, denoise, decode."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ModelMixin, UNet2DConditionModel
from diffusers.utils import logging
from torch import Tensor
from torch.nn import functional as F

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.networks import BlockAutoencoder, BlueprintEncoder, DraftPrior, ask_height, encode_slots
from dreamkicks.painter.shape import UPPER, landmarks, silhouette, warp, with_height, with_sole

SIDE = 256
CROP = (48, 240)
"""The rows of a 256 px picture that the network paints; the shoe never leaves them, the rest is paper."""

STAND = 64
"""The lowest rows of that band at half size, on which the mean shape stands with 3 rows to spare."""

_LOOSE = 3.0
"""By how many px of the picture a dream may reach beyond the outline of its draft: laces and loops, not smudges on the paper."""

_DARING = 0.75
"""Temperature of the choice of a design. At 1, a dream now and then is like what seldom is photographed: a pair, a reflection."""

_WINDOW = 9
"""Width in px of the windows in which two pictures are compared: of half the picture by the guided filter."""

_FLAT = 0.002
"""Variance of colours in -1..1 below which a window of the picture before counts as plain."""

_FINE = 5
"""Width in px of the windows whose mean is taken away for the details of a picture."""

_PLAIN = 4e-4
"""Variance of details in -1..1 that is noise."""

_CRISPER = 1.5
"""How far details are raised in one edit; 2 leaves six in a row no sharper (1.08 for 1.05)."""

_TRIES = 8
"""Drafts for a dream, of which the one nearest to what was asked for is painted."""


class SneakerPipeline(DiffusionPipeline):
    """Paints a blueprint, from nothing or over a picture. The stock pipelines can't: they expect text tokens and 4 latent channels."""

    model_cpu_offload_seq = "prior->reader->unet->vae"

    def __init__(
        self,
        vae: BlockAutoencoder,
        prior: DraftPrior,
        reader: BlueprintEncoder,
        unet: UNet2DConditionModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, prior=prior, reader=reader, unet=unet, scheduler=scheduler)

    @classmethod
    def load(cls, folder: Path) -> SneakerPipeline:
        """The pipeline in `folder`, safetensors only, without asking the hub for anything."""
        logging.disable_progress_bar()  # one for the shards of 40 MB is noise
        parts: dict[str, type[ModelMixin]] = {
            "vae": BlockAutoencoder,
            "prior": DraftPrior,
            "reader": BlueprintEncoder,
            "unet": UNet2DConditionModel,
        }
        models = {
            name: part.from_pretrained(
                folder / name, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
            )
            for name, part in parts.items()
        }
        return cls(**models, scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"))

    @torch.inference_mode()
    def __call__(
        self,
        blueprint: Blueprint,
        generator: torch.Generator,
        picture: Tensor | None = None,
        steps: int = 1,
        guidance: float = 1.0,
        strength: float = 1.0,
        on_step: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Paint one picture.

        Args:
            blueprint: what is asked for; open slots are the painter's choice, or the picture's when editing.
            generator: the source of noise; a CPU generator gives the same picture everywhere.
            picture: (1, 3, 256, 256) in -1..1 to edit; None to imagine.
            steps: Euler steps of the flow, 1 or more; the prior's own, for the draft, come on top.
            guidance: classifier-free guidance on the blueprint (Ho & Salimans 2022, arXiv:2207.12598); 1 is none, and
                half the work.
            strength: 0..1, how much noise an edit starts from; 1 lets the outline change.
            on_step: told the draft when imagining, and after each step a guess of the final latents.

        Returns: (1, 3, 256, 256) in -1..1.
        """
        tokens, pooled = self.encode(blueprint)
        outline = None
        if picture is None:
            source, outline = self.draft(blueprint, generator)
            if on_step is not None:
                on_step(source)
        else:
            source = self.look(picture)
        noise = self.noise(source.shape, generator)
        latents = (1 - strength) * source + strength * noise
        times = torch.linspace(strength, 0, steps + 1, device=self.device)
        latents = self.denoise(latents, source, tokens, pooled, times, guidance, on_step)
        painted = self.decode(latents, outline)
        if picture is None:
            return painted
        # Seams and letters are finer than latents are: the light and dark that the autoencoder loses is given back.
        painted = painted + (picture.to(self.device) - self.decode(source)).mean(1, keepdim=True)
        return painted.clamp(-1, 1)

    def encode(self, blueprint: Blueprint) -> tuple[Tensor, Tensor]:
        """Tokens and pooled vectors of nothing and of the blueprint, (2, slots, width) and (2, width)."""
        values, present = encode_slots([Blueprint(), blueprint])
        return self.reader(values.to(self.device, self.reader.dtype), present.to(self.device))

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Drawn where the generator lives, so that a seed means the same picture on every device."""
        return torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32).to(self.device)

    def draft(self, blueprint: Blueprint, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents (1, channels, 12, 16) and landmarks (1, LANDMARKS) of a coarse sneaker that the blueprint could mean."""
        values, present = encode_slots([blueprint] * _TRIES)
        values, present = values.to(self.device, self.prior.dtype), present.to(self.device)
        odds = (self.prior.odds(values, present).float() / _DARING).softmax(1).to(generator.device)
        design = torch.multinomial(odds, 1, generator=generator)[:, 0].to(self.device)
        noise = self.noise((_TRIES, self.prior.config.components), generator).to(self.prior.dtype)
        codes = self.prior.sample(noise, values, present, design)
        sources = sketch(self.prior, self.vae, codes).float()
        best = nearest(self.vae.synthesis(sources.to(self.vae.dtype)), blueprint)
        return sources[best : best + 1], self.prior.decode(codes[best : best + 1])[0].float()

    @torch.inference_mode()
    def bend(self, picture: Tensor, seen: Measured, asked: Blueprint, strength: float = 1.0) -> Tensor:
        """A picture (1, 3, 256, 256) in -1..1 with its sole, or else its collar, brought to the height that is asked for.

        A `strength` below 1 goes that share of the way.
        """
        shape = torch.from_numpy(landmarks(seen))[None].to(self.device)
        if asked.sole_height is not None:
            target = with_sole(shape, torch.tensor([asked.sole_height], device=self.device))
        else:
            assert asked.height is not None
            half = shape / 2
            half[:, 2:] -= CROP[0] // 2
            small = F.interpolate(picture.to(self.device), scale_factor=0.5, mode="bicubic", antialias=True)
            look = on_mean_shape(self.vae, self.prior.mean_shape, small[:, :, CROP[0] // 2 : CROP[1] // 2], half)
            values, present = (slots.to(self.device) for slots in encode_slots([seen.blueprint]))
            codes = self.prior.encode(half, look)
            wanted = torch.tensor([asked.height], device=self.device)
            target = at_height(self.prior, codes, shape, values, present, wanted)
        return warp(picture.to(self.device), shape, torch.lerp(shape, target, strength), SIDE)

    def look(self, picture: Tensor) -> Tensor:
        """Latents (1, channels, 12, 16) of a picture."""
        return self.vae.encode(picture[:, :, CROP[0] : CROP[1]].to(self.device, self.vae.dtype)).float()

    def denoise(
        self,
        latents: Tensor,
        source: Tensor,
        tokens: Tensor,
        pooled: Tensor,
        times: Tensor,
        guidance: float,
        on_step: Callable[[Tensor], None] | None,
    ) -> Tensor:
        """Follow the flow from noise (time 1) to a picture (time 0) by Euler steps."""
        if guidance == 1:  # what nothing would have given does not count then
            tokens, pooled = tokens[-1:], pooled[-1:]
        for now, after in pairwise(times):
            noisy = torch.cat([latents, source], dim=1).expand(len(tokens), -1, -1, -1).to(self.unet.dtype)
            velocity = self.unet(noisy, (now * 1000).expand(len(noisy)), tokens, class_labels=pooled).sample.float()
            asked, free = velocity[-1:], velocity[:1]
            velocity = free + guidance * (asked - free)
            if on_step is not None:
                on_step(latents - now * velocity)
            latents = latents + (after - now) * velocity
        return latents

    def decode(self, latents: Tensor, outline: Tensor | None = None) -> Tensor:
        """Latents to a square picture: the painted band between paper, which is paper outside an outline's landmarks (1, LANDMARKS)."""
        band = self.vae.decode(latents.to(self.vae.dtype)).float().clamp(-1, 1)
        if outline is not None:  # landmarks are in px of half the size
            rows, columns = band.shape[2:]
            band = 1 + (band - 1) * silhouette(outline * 2, rows, columns, _LOOSE)
        picture = torch.ones(len(band), 3, SIDE, SIDE, device=band.device)
        picture[:, :, CROP[0] : CROP[1]] = band
        return picture


def guided(painted: Tensor, guide: Tensor, weight: Tensor) -> Tensor:
    """A painted picture (1, 3, h, w) with no other details than those of the one it was painted over.

    The network is trained to paint details where a draft has none, and can't tell a draft from a plain picture to edit. So in every
    window the change is the linear map of the guide's colours that comes nearest to what was painted (guided filter, He et al. 2010,
    doi:10.1007/978-3-642-15549-9_1), found at half the size (arXiv:1505.00996). What is finer stays as it was. Pixels count by their
    `weight` (1, 1, h, w) in 0..1.
    """
    colours, wanted, counts = (F.avg_pool2d(one, 2) for one in (guide, painted - guide, weight))

    support = _even(counts, _WINDOW) + 1e-4

    def mean(x: Tensor) -> Tensor:
        return _even(counts * x, _WINDOW) / support

    def covariance(one: Tensor, two: Tensor) -> Tensor:
        """(1, h, w, 3, 3) of every window."""
        products = mean((one[:, :, None] * two[:, None]).flatten(1, 2)).view(len(one), 3, 3, *one.shape[2:])
        return (products - mean(one)[:, :, None] * mean(two)[:, None]).permute(0, 3, 4, 1, 2)

    spread = covariance(colours, colours) + _FLAT * torch.eye(3)
    slope = torch.linalg.solve(spread, covariance(colours, wanted)).permute(0, 3, 4, 1, 2)
    shift = mean(wanted) - (slope * mean(colours)[:, :, None]).sum(1)
    maps = _even(support * torch.cat([slope.flatten(1, 2), shift], dim=1), _WINDOW) / _even(support, _WINDOW)
    maps = F.interpolate(maps, scale_factor=2, mode="bilinear")
    change = (maps[:, :9].view(len(guide), 3, 3, *guide.shape[2:]) * guide[:, :, None]).sum(1) + maps[:, 9:]
    return _as_crisp(guide + change, guide)


def _as_crisp(picture: Tensor, guide: Tensor) -> Tensor:
    """A picture (1, 3, h, w) whose light and dark vary as much in small as those of its guide, where they varied less.

    Panels that come near each other in colour take the contrast of their seams along; six edits in a row left 0.7 of it.
    """
    fine, usual = (light - _even(light, _FINE) for light in (one.mean(1, keepdim=True) for one in (picture, guide)))
    spread, wanted = (_even(one.square(), _WINDOW) + _PLAIN for one in (fine, usual))
    gain = (wanted / spread).sqrt().clamp(1, _CRISPER)
    return picture + (gain - 1) * fine


def _even(maps: Tensor, width: int) -> Tensor:
    """A moving average over windows of so many px."""
    return F.avg_pool2d(maps, width, 1, width // 2, count_include_pad=False)


def sketch(prior: DraftPrior, vae: BlockAutoencoder, codes: Tensor) -> Tensor:
    """The drafts that the prior's codes (n, components) mean, as latents (n, channels, 12, 16)."""
    shape, look = prior.decode(codes)
    rows = (CROP[1] - CROP[0]) // 2
    picture = F.pad(vae.synthesis(look), (0, 0, rows - STAND, 0), value=1.0)
    return vae.analysis(warp(picture, prior.mean_shape.expand(len(shape), -1), shape, rows))


def on_mean_shape(vae: BlockAutoencoder, mean_shape: Tensor, pictures: Tensor, shape: Tensor) -> Tensor:
    """Latents (n, channels, 8, 16) of pictures (n, 3, 96, 128) with landmarks (n, LANDMARKS), bent to `mean_shape` (LANDMARKS,)."""
    bent = warp(pictures, shape, mean_shape.expand(len(shape), -1), pictures.shape[2])
    return vae.analysis(bent[:, :, -STAND:])


def at_height(
    prior: DraftPrior, codes: Tensor, shape: Tensor, values: Tensor, present: Tensor, height: Tensor
) -> Tensor:
    """The landmarks that shoes would have if they were of other heights.

    As null-text inversion does for pictures (Mokady et al. 2022, arXiv:2211.09794): the noise is found that the prior makes these
    shoes of, and from the same noise and what they show but for the height it makes others. How the upper's edge moves between
    what comes of the two is taken over. A stretch by a factor would lift a heel tab higher than the collar.

    Args:
        codes: (n, components) of the shoes.
        shape: their landmarks (n, LANDMARKS).
        values, present: what they show, (n, slots, 3) and (n, slots).
        height: the heights (n,) that are wanted, over the shoe's width.
    """
    noise = prior.noise_of(codes, values, present)
    design = torch.full((len(codes),), prior.config.designs, device=codes.device)
    asked = (values, present), ask_height(values, present, height)
    was, now = (prior.decode(prior.sample(noise, *slots, design))[0] for slots in asked)
    return with_height(shape, was[:, UPPER] - now[:, UPPER], height)


def nearest(pictures: Tensor, asked: Blueprint) -> int:
    """Which of some drafts (n, 3, h, w) in -1..1 shows most nearly what was asked for, as measured; the first of equals."""
    sheets = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    seen = [measure(sheet) for sheet in sheets]
    return int(np.argmin([asked.unlike(found.blueprint) if found else np.inf for found in seen]))
