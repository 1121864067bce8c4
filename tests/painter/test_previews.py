"""Previews: latents shown as small pictures, through a VAE that is linear, so that the truth is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamkicks.painter.previews import LARGEST, Guess, Previews


class LinearVae:
    """Encodes 4 x 4 pixels into one cell: 8 mixtures of its mean colour."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, with_statistics: bool = False) -> None:
        draw = torch.Generator().manual_seed(3)
        self.mixture = torch.randn(8, 3, generator=draw)
        self.offset = torch.randn(8, 1, 1, generator=draw)
        self.config = SimpleNamespace(
            block_out_channels=(1, 1, 1), latent_channels=8, scaling_factor=0.18, batch_norm_eps=1e-4
        )
        if with_statistics:
            mean, variance = torch.randn(32, generator=draw), torch.rand(32, generator=draw) + 0.1
            self.bn = SimpleNamespace(running_mean=mean, running_var=variance)

    def encode(self, pixels: Tensor) -> Any:
        cells = torch.nn.functional.avg_pool2d(pixels, 4)
        latents = torch.einsum("oc,bchw->bohw", self.mixture, cells) + self.offset
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: latents))


def picture(width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns * 255 // width, rows * 255 // height, (rows + columns) % 256], axis=-1).astype(np.uint8)


def latents_of(vae: LinearVae, cells: np.ndarray) -> Tensor:
    pixels = torch.from_numpy(cells.repeat(4, 0).repeat(4, 1)).permute(2, 0, 1)[None].float() / 127.5 - 1
    latents: Tensor = vae.encode(pixels).latent_dist.mode()
    return latents


def test_latents_are_shown_in_their_colours() -> None:
    vae, cells = LinearVae(), picture(24, 16)
    shown = Previews(vae, "cpu").show(latents_of(vae, cells) * vae.config.scaling_factor)
    assert shown is not None
    assert shown.size == (24, 16)
    assert np.abs(np.asarray(shown).astype(int) - cells).max() <= 2


def test_packed_latents_of_flux2_are_unpacked() -> None:
    from diffusers import Flux2KleinPipeline

    vae, cells = LinearVae(with_statistics=True), picture(32, 32)
    patches = Flux2KleinPipeline._patchify_latents(latents_of(vae, cells))
    deviation = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    packed = Flux2KleinPipeline._pack_latents(
        (patches - vae.bn.running_mean.view(1, -1, 1, 1)) / deviation.view(1, -1, 1, 1)
    )
    shown = Previews(vae, "cpu").show(packed)
    assert shown is not None
    assert shown.size == (32, 32)
    assert np.abs(np.asarray(shown).astype(int) - cells).max() <= 2


def test_large_latents_make_a_small_preview() -> None:
    vae = LinearVae()
    shown = Previews(vae, "cpu").show(torch.zeros(1, 8, 300, 200))
    assert shown is not None
    assert max(shown.size) == LARGEST


def test_latents_of_another_kind_are_not_shown() -> None:
    previews = Previews(LinearVae(), "cpu")
    assert previews.show(torch.zeros(1, 5, 8, 8)) is None
    assert previews.show(torch.zeros(1, 64, 32)) is None


def test_a_vae_that_overflows_shows_nothing() -> None:
    vae = LinearVae()
    vae.offset = vae.offset * float("inf")
    assert Previews(vae, "cpu").show(torch.zeros(1, 8, 8, 8)) is None


def test_a_guess_is_the_finished_latents_where_the_model_is_right() -> None:
    """A model that knows the noise: the first guess already is the truth, while the latents are still noise."""
    from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

    truth, noise = torch.linspace(-1, 1, 64).reshape(1, 4, 4, 4), torch.randn(1, 4, 4, 4)
    for scheduler in (EulerDiscreteScheduler(), EulerAncestralDiscreteScheduler(), FlowMatchEulerDiscreteScheduler()):
        guess = Guess(scheduler)
        scheduler.set_timesteps(4)
        time, sigma = scheduler.timesteps[0], scheduler.sigmas[0]
        flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)
        noisy = (1 - sigma) * truth + sigma * noise if flow else truth + sigma * noise
        scheduler.scale_model_input(noisy, time) if not flow else None
        scheduler.step(noise - truth if flow else noise, time, noisy, return_dict=False)
        assert guess.latents is not None
        assert torch.allclose(guess.latents, truth, atol=1e-3), type(scheduler).__name__


def test_a_scheduler_without_a_guess_shows_its_latents() -> None:
    from diffusers import PNDMScheduler

    scheduler = PNDMScheduler(skip_prk_steps=True)
    guess = Guess(scheduler)
    scheduler.set_timesteps(4)
    sample = torch.randn(1, 4, 4, 4)
    after = scheduler.step(torch.randn(1, 4, 4, 4), scheduler.timesteps[0], sample, return_dict=False)[0]
    assert guess.latents is after


def test_a_flat_colour_is_flat(tmp_path: Any) -> None:
    vae = LinearVae()
    cells = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    shown = Previews(vae, "cpu").show(latents_of(vae, cells) * vae.config.scaling_factor)
    assert isinstance(shown, Image.Image)
    assert np.abs(np.asarray(shown).astype(int) - (200, 30, 90)).max() <= 2
