"""Time the built-in painter, warm, next to diffusers' stock InstructPix2Pix pipeline on the same weights in the same run.

    python -m scripts.benchmark_painter [--runs 20] [--weights FOLDER]

Prints a Markdown table of medians. The stock pipeline gets ready what it can't make itself: the tokens of the blueprint, the draft
of a dream, and the vector that its UNet is called without. It ends with the same picture, which is checked.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionInstructPix2PixPipeline
from torch import Tensor, nn

from dreamkicks import locations
from dreamkicks.benchmark import timed
from dreamkicks.painter import vocabulary
from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.builtin import BuiltinPainter, to_tensor
from dreamkicks.painter.pipeline import CROP, SneakerPipeline
from dreamkicks.painter.presets import find_preset


class StockAutoencoder(nn.Module):
    """Our autoencoder, called as the stock pipelines call theirs. `shown` are latents to see in place of the picture, if any."""

    def __init__(self, pipeline: SneakerPipeline) -> None:
        super().__init__()
        self.inner = pipeline.vae
        self.config = SimpleNamespace(
            latent_channels=pipeline.vae.config.latent_channels, scaling_factor=1.0, block_out_channels=(0,) * 5
        )
        self.dtype, self.device = pipeline.vae.dtype, pipeline.vae.device
        self.shown: Tensor | None = None

    def encode(self, picture: Tensor) -> SimpleNamespace:
        return SimpleNamespace(latents=self.inner.encode(picture) if self.shown is None else self.shown)

    def decode(self, latents: Tensor, return_dict: bool = False) -> tuple[Tensor]:
        return (self.inner.decode(latents),)


class Stock:
    """diffusers' own pipeline around the weights of ours."""

    def __init__(self, pipeline: SneakerPipeline, steps: int) -> None:
        self.pipeline, self.steps = pipeline, steps
        self.autoencoder = StockAutoencoder(pipeline)
        # The UNet wants the blueprint once more as one vector, which no stock pipeline hands on.
        self.pooled: Tensor | None = None
        pipeline.unet.register_forward_pre_hook(
            lambda _, args, kwargs: (args, {"class_labels": self.pooled, **kwargs}), with_kwargs=True
        )
        self.stock = StableDiffusionInstructPix2PixPipeline(
            self.autoencoder,
            None,
            None,
            pipeline.unet,
            DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", solver_order=1),
            None,
            None,
            requires_safety_checker=False,
        )
        self.stock.set_progress_bar_config(disable=True)

    @torch.inference_mode()
    def __call__(self, blueprint: Blueprint, seed: int, picture: Tensor | None = None) -> Tensor:
        """The painted band of one picture, (1, 3, 192, 256) in -1..1."""
        draw = torch.Generator().manual_seed(seed)
        tokens, pooled = self.pipeline.encode(blueprint)
        self.pooled = pooled[-1:]
        self.autoencoder.shown = self.pipeline.draft(blueprint, draw)[0] if picture is None else None
        band = torch.zeros(1, 3, CROP[1] - CROP[0], 256) if picture is None else picture[:, :, CROP[0] : CROP[1]]
        done = self.stock(
            image=band / 2 + 0.5,
            prompt_embeds=tokens[-1:],
            num_inference_steps=self.steps,
            guidance_scale=1.0,
            image_guidance_scale=1.0,
            latents=self.pipeline.noise((1, self.autoencoder.config.latent_channels, 12, 16), draw),
            output_type="pt",
        ).images
        return done * 2 - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--weights", type=Path, default=locations.weights() / "painter")
    arguments = parser.parse_args()
    painter = BuiltinPainter(find_preset("builtin"), arguments.weights, "cpu")
    # A second copy of the networks: the stock pipeline's hook stays out of the painter's way.
    stock = Stock(SneakerPipeline.load(arguments.weights).to("cpu", torch.float32), painter.preset.steps)
    words, changes = "a navy mid-top with orange accents and a white sole", ("make it red", "boot")
    start = painter.imagine(words, 0).picture
    pixels = to_tensor(np.asarray(start))
    dream, part, silhouette = (vocabulary.read(said).blueprint for said in (words, *changes))

    again = torch.ones(1, 3, 256, 256)
    again[:, :, CROP[0] : CROP[1]] = stock(dream, 0)
    ours = stock.pipeline(dream, torch.Generator().manual_seed(0))
    # Beside the shoe ours has paper, the stock pipeline smudges.
    apart = 127.5 * float((again - ours)[ours < 1].abs().mean())
    if apart > 2:  # not nothing: the stock schedule's noise begins at 0.999, ours at 1
        raise SystemExit(f"the two pipelines paint different pictures, {apart:.1f} of 255 apart on average")

    rows = {
        "a picture": (lambda seed: painter.imagine(words, seed), lambda seed: stock(dream, seed)),
        "an edit of one part": (
            lambda seed: painter.edit(start, changes[0], seed),
            lambda seed: stock(part, seed, pixels),
        ),
        "another silhouette": (
            lambda seed: painter.edit(start, changes[1], seed),
            lambda seed: stock(silhouette, seed, pixels),
        ),
    }
    print(
        f"| median seconds of {arguments.runs}, warm | built-in painter | stock pipeline, same weights |\n|---|---|---|"
    )
    for name, runs in rows.items():
        print(
            f"| {name} | " + " | ".join(f"{statistics.median(timed(run, arguments.runs)):.3f}" for run in runs) + " |"
        )


if __name__ == "__main__":
    main()
