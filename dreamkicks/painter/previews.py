"""Small pictures of a painting under way, from its latents and without the decoder."""

from __future__ import annotations

import functools
import itertools
import math
import random
from typing import Any

import torch
from PIL import Image
from torch import Tensor

LARGEST = 128
_LEVELS = (-1.0, -0.33, 0.33, 1.0)
_CELLS = 16  # latent cells along one side of the chart: 8 x 8 colours of 2 x 2 cells


class Previews:
    """Turns a pipeline's latents into small pictures by one linear map.

    Latents of Stable Diffusion's kind are colours in disguise: a cell's colour is nearly a linear function of its
    channels. The map is fitted to the pipeline's own VAE, so it holds for whatever VAE a folder brings.
    """

    def __init__(self, vae: Any, device: str) -> None:
        """Encode a chart of colours and fit the map; some 0.3 s for Stable Diffusion's VAE on a CPU.

        `device` is where the VAE works, though it may wait for its turn elsewhere.
        """
        self._vae = vae
        colours = list(itertools.product(_LEVELS, repeat=3))
        random.Random(0).shuffle(colours)
        cells = torch.tensor(colours).reshape(8, 8, 3).permute(2, 0, 1).repeat_interleave(2, 1).repeat_interleave(2, 2)
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        chart = cells.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        with torch.inference_mode():
            latents = vae.encode(chart[None].to(device, vae.dtype)).latent_dist.mode()[0].float().cpu()
        known = torch.cat([latents.flatten(1), torch.ones(1, _CELLS**2)]).T
        self._map = torch.linalg.lstsq(known, cells.flatten(1).T).solution

    def show(self, latents: Tensor) -> Image.Image | None:
        """A picture of LARGEST px at most; None for latents of a kind that can't be read."""
        own = self._of_vae(latents.detach().float().cpu())
        if own is None or not bool(torch.isfinite(self._map).all()):
            return None
        weights, offset = self._map[:-1], self._map[-1]
        pixels = torch.einsum("chw,cd->hwd", own[0], weights) + offset
        picture = Image.fromarray(((pixels + 1) * 127.5).nan_to_num().clamp(0, 255).to(torch.uint8).numpy())
        picture.thumbnail((LARGEST, LARGEST))
        return picture

    def _of_vae(self, latents: Tensor) -> Tensor | None:
        """(1, channels, h, w) as the VAE makes them."""
        config = self._vae.config
        if latents.ndim == 4 and latents.shape[1] == config.latent_channels:
            return latents / config.scaling_factor
        side = math.isqrt(latents.shape[1])
        if latents.ndim == 3 and hasattr(self._vae, "bn") and side * side == latents.shape[1]:
            # FLUX.2 has patches of 2 x 2 cells in a row, normalised by the statistics that the VAE carries.
            patches = latents.transpose(1, 2).reshape(1, -1, side, side)
            mean, variance = (
                s.float().cpu().view(1, -1, 1, 1) for s in (self._vae.bn.running_mean, self._vae.bn.running_var)
            )
            return torch.nn.functional.pixel_shuffle(patches * (variance + config.batch_norm_eps).sqrt() + mean, 2)
        return None


class Guess:
    """Listens to a scheduler: after each step, what it takes the finished latents to be.

    The latents themselves are still full of noise then, so a picture of them shows little.
    """

    def __init__(self, scheduler: Any) -> None:
        self.latents: Tensor | None = None
        step = scheduler.step
        is_flow = "FlowMatch" in type(scheduler).__name__

        @functools.wraps(step)  # pipelines look at its signature
        def listen(model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
            result = step(model_output, timestep, sample, *args, **kwargs)
            if is_flow:
                self.latents = sample - timestep / scheduler.config.num_train_timesteps * model_output
            else:
                self.latents = result[1] if len(result) > 1 else result[0]
            return result

        scheduler.step = listen
