"""The built-in painter as a diffusers pipeline: encode, draft or look, denoise, decode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ModelMixin, UNet2DConditionModel
from diffusers.utils import logging
from torch import Tensor
from torch.nn import functional as F

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.networks import BlueprintEncoder, DraftPrior, LappedAutoencoder, encode_slots, without_seams
from dreamkicks.painter.shape import between_edges, landmarks, silhouette, tall, warp, with_sole, with_upper

SIDE = 256
CROP = (48, 240)
"""The rows of a 256 px picture that the network paints; the shoe never leaves them, the rest is paper."""
HALF = slice(CROP[0] // 2, CROP[1] // 2)
"""Those rows at half the size, at which latents and drafts are made."""

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

_RELATIVES = 16
"""Designs that another silhouette may have: the likeliest for what is shown and the height."""

_MISSED, _ODDS = 10.0, 0.03
"""What a height missed by 1, and the logarithm of a design's odds, count beside looks, whose mean squares are some 0.2 apart."""

_SEAM = 20.0
"""How far below the lower of both upper edges another silhouette passes into the picture, in px; at 10 the old collar still showed."""


class SneakerPipeline(DiffusionPipeline):
    """Paints a blueprint, from nothing or over a picture, in float32.

    The stock pipelines can't: they expect text tokens and 4 latent channels.
    """

    def __init__(
        self,
        vae: LappedAutoencoder,
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
            "vae": LappedAutoencoder,
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
            generator: the source of noise; a CPU generator gives the same noise everywhere, and next to the same pictures.
            picture: (1, 3, 256, 256) in -1..1 to edit; None to imagine.
            steps: Euler steps of the flow, 1 or more; the prior's own, for the draft, come on top.
            guidance: classifier-free guidance on the blueprint (Ho & Salimans 2022, arXiv:2207.12598); 1 is none, and
                half the work.
            strength: 0..1, how much noise an edit starts from.
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
        latents = self.denoise(latents, source, tokens, pooled, steps, guidance, strength, on_step)
        painted = self.decode(latents, outline)
        if picture is None:
            return painted
        # Seams and letters are finer than latents are: the light and dark that the autoencoder loses is given back.
        painted = painted + (picture.to(self.device) - self.decode(source)).mean(1, keepdim=True)
        return painted.clamp(-1, 1)

    def encode(self, blueprint: Blueprint) -> tuple[Tensor, Tensor]:
        """Tokens and pooled vectors of nothing and of the blueprint, (2, slots, width) and (2, width)."""
        values, present = self._slots([Blueprint(), blueprint])
        return self.reader(values, present)

    def _slots(self, blueprints: list[Blueprint]) -> tuple[Tensor, Tensor]:
        values, present = encode_slots(blueprints)
        return values.to(self.device), present.to(self.device)

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Drawn where the generator lives, so that a seed means the same noise on every device."""
        return torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32).to(self.device)

    def draft(self, blueprint: Blueprint, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents (1, channels, 12, 16) and landmarks (1, LANDMARKS) of a coarse sneaker that the blueprint could mean."""
        values, present = self._slots([blueprint] * _TRIES)
        odds = (self.prior.odds(values, present) / _DARING).softmax(1).to(generator.device)
        design = torch.multinomial(odds, 1, generator=generator)[:, 0].to(self.device)
        noise = self.noise((_TRIES, self.prior.config.components), generator)
        shape, look = self.prior.decode(self.prior.sample(noise, values, present, design))
        sources = sketch(self.prior, self.vae, shape, look)
        best = nearest(self.vae.synthesise(sources), blueprint)
        return sources[best : best + 1], shape[best : best + 1]

    def bend(self, picture: Tensor, seen: Measured, sole_height: float, strength: float) -> Tensor:
        """A picture (1, 3, 256, 256) in -1..1 with its sole stretched towards another height over the shoe's width.

        A `strength` below 1 goes that share of the way.
        """
        shape = torch.from_numpy(landmarks(seen))[None].to(self.device)
        target = with_sole(shape, torch.tensor([sole_height], device=self.device))
        return warp(picture.to(self.device), shape, torch.lerp(shape, target, strength), SIDE)

    @torch.inference_mode()
    def swap(
        self, picture: Tensor, seen: Measured, height: float, strength: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Paint another silhouette, in one step: over the picture bent to the upper edge that a relative of the shoe has.

        Args:
            picture: (1, 3, 256, 256) in -1..1.
            seen: what was measured of it.
            height: wanted, over the shoe's width.
            strength: 0..1, which share of the way the edge goes.
            generator: the source of the painter's noise.

        Returns: what was painted, (1, 3, 256, 256) in -1..1, and where it takes the picture's place, (1, 1, 256, 256) in 0..1.
        """
        picture, shape = picture.to(self.device), torch.from_numpy(landmarks(seen))[None].to(self.device)
        asked = replace(seen.blueprint, height=height)
        small = F.interpolate(picture, scale_factor=0.5, mode="bicubic", antialias=True)[:, :, HALF]
        look = on_mean_shape(self.vae, self.prior.mean_shape, small, in_band(shape))
        other, _ = self.relative(in_band(shape), look, seen.blueprint, asked)
        target = torch.lerp(shape, with_upper(shape, other, torch.tensor([height], device=self.device)), strength)
        source = self.look(warp(picture, shape, target, SIDE))
        told = self.encode(Blueprint(height=float(tall(target))))
        latents = self.denoise(self.noise(source.shape, generator), source, *told)
        return self.decode(latents, in_band(target)), between_edges(shape, target, SIDE, SIDE, _SEAM)

    def relative(self, shape: Tensor, look: Tensor, shown: Blueprint, asked: Blueprint) -> tuple[Tensor, Tensor]:
        """What the prior makes of a shoe's noise when it is asked for something else: landmarks and look, as they are given.

        The noise is found as null-text inversion finds it for pictures (Mokady et al. 2022, arXiv:2211.09794). Of designs that often
        show what is asked for, the one is taken that is most like the shoe.

        Args:
            shape: its landmarks (1, LANDMARKS) in px of the band at half size.
            look: its latents (1, channels, 8, 16) on the mean shape.
            shown: what it shows.
            asked: that, with another height or another sole.
        """
        assert asked.height is not None
        noise = self.prior.noise_of(self.prior.encode(shape, look), *self._slots([shown]))
        values, present = self._slots([asked])
        odds = self.prior.odds(values, present)[0].log_softmax(0)
        likely, design = odds.topk(min(_RELATIVES, len(odds)))
        many = len(design)
        codes = self.prior.sample(noise.expand(many, -1), values.expand(many, -1, -1), present.expand(many, -1), design)
        shapes, looks = self.prior.decode(codes)
        missed = (tall(shapes) - asked.height).abs()
        unlike = (looks - look).square().mean((1, 2, 3)) + _MISSED * missed - _ODDS * likely
        best = int(unlike.argmin())
        return shapes[best : best + 1], looks[best : best + 1]

    def look(self, picture: Tensor) -> Tensor:
        """Latents (1, channels, 12, 16) of a picture."""
        return self.vae.encode(picture[:, :, CROP[0] : CROP[1]].to(self.device))

    def denoise(
        self,
        latents: Tensor,
        source: Tensor,
        tokens: Tensor,
        pooled: Tensor,
        steps: int = 1,
        guidance: float = 1.0,
        strength: float = 1.0,
        on_step: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Follow the flow from a `strength` of noise to a picture, by the scheduler's steps."""
        self.scheduler.set_timesteps(sigmas=np.linspace(strength, 0, steps, endpoint=False), device=self.device)
        self.scheduler.set_begin_index()  # a strength of 0 has all its steps at one time, which is no place in the schedule
        if guidance == 1:  # what nothing would have given does not count then
            tokens, pooled = tokens[-1:], pooled[-1:]
        for time in self.scheduler.timesteps:
            noisy = torch.cat([latents, source], dim=1).expand(len(tokens), -1, -1, -1)
            velocity = self.unet(noisy, time.expand(len(noisy)), tokens, class_labels=pooled).sample
            asked, free = velocity[-1:], velocity[:1]
            velocity = free + guidance * (asked - free)
            if on_step is not None:
                on_step(latents - time / self.scheduler.config.num_train_timesteps * velocity)
            latents = self.scheduler.step(velocity, time, latents).prev_sample
        return latents

    def decode(self, latents: Tensor, outline: Tensor | None = None) -> Tensor:
        """Latents to a square picture: the painted band between paper, which is paper outside an outline's landmarks (1, LANDMARKS)."""
        band = without_seams(self.vae.decode(latents).clamp(-1, 1))
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

    spread = covariance(colours, colours) + _FLAT * torch.eye(3, device=guide.device)
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


def sketch(prior: DraftPrior, vae: LappedAutoencoder, shape: Tensor, look: Tensor) -> Tensor:
    """Drafts of landmarks (n, LANDMARKS) and looks (n, channels, 8, 16) on the mean shape, as latents (n, channels, 12, 16)."""
    rows = HALF.stop - HALF.start
    picture = F.pad(vae.synthesise(look), (0, 0, rows - STAND, 0), value=1.0)
    return vae.analyse(warp(picture, prior.mean_shape.expand(len(shape), -1), shape, rows))


def in_band(shape: Tensor) -> Tensor:
    """Landmarks (n, LANDMARKS) in px of a picture, in px of the painted band at half the size."""
    shape = shape / 2
    shape[:, 2:] -= HALF.start
    return shape


def on_mean_shape(vae: LappedAutoencoder, mean_shape: Tensor, pictures: Tensor, shape: Tensor) -> Tensor:
    """Latents (n, channels, 8, 16) of pictures (n, 3, 96, 128) with landmarks (n, LANDMARKS), bent to `mean_shape` (LANDMARKS,)."""
    bent = warp(pictures, shape, mean_shape.expand(len(shape), -1), pictures.shape[2])
    return vae.analyse(bent[:, :, -STAND:])


def nearest(pictures: Tensor, asked: Blueprint) -> int:
    """Which of some drafts (n, 3, h, w) in -1..1 shows most nearly what was asked for, as measured; the first of equals."""
    sheets = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    seen = [measure(sheet) for sheet in sheets]
    return int(np.argmin([asked.unlike(found.blueprint) if found else np.inf for found in seen]))
