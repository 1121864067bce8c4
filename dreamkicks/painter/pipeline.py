"""The built-in painter as a diffusers pipeline: encode, draft or look, denoise, decode."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ModelMixin, UNet2DConditionModel
from diffusers.utils import logging
from torch import Tensor

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.networks import BlockAutoencoder, BlueprintEncoder, DraftPrior, encode_slots

SIDE = 256
CROP = (48, 240)
"""The rows of a 256 px picture that the network paints; the shoe never leaves them, the rest is paper."""


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
        if picture is None:
            source = self.draft(blueprint, generator)
            if on_step is not None:
                on_step(source)
        else:
            source = self.look(picture)
        noise = self.noise(source.shape, generator)
        latents = (1 - strength) * source + strength * noise
        times = torch.linspace(strength, 0, steps + 1, device=self.device)
        latents = self.denoise(latents, source, tokens, pooled, times, guidance, on_step)
        return self.decode(latents)

    def encode(self, blueprint: Blueprint) -> tuple[Tensor, Tensor]:
        """Tokens and pooled vectors of nothing and of the blueprint, (2, slots, width) and (2, width)."""
        values, present = encode_slots([Blueprint(), blueprint])
        return self.reader(values.to(self.device, self.reader.dtype), present.to(self.device))

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Drawn where the generator lives, so that a seed means the same picture on every device."""
        return torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32).to(self.device)

    def draft(self, blueprint: Blueprint, generator: torch.Generator) -> Tensor:
        """Latents (1, channels, 12, 16) of a coarse sneaker that the blueprint could mean."""
        values, present = encode_slots([blueprint])
        noise = self.noise((1, self.prior.config.components), generator).to(self.prior.dtype)
        codes = self.prior.sample(noise, values.to(self.device, self.prior.dtype), present.to(self.device))
        return self.prior.decode(codes).float()

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

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to a square picture: the painted band between paper."""
        band = self.vae.decode(latents.to(self.vae.dtype)).float().clamp(-1, 1)
        picture = torch.ones(len(band), 3, SIDE, SIDE, device=band.device)
        picture[:, :, CROP[0] : CROP[1]] = band
        return picture
