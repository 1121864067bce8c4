"""The training of the decoder for what the latents of photographs leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.painter.networks import CELL, LappedAutoencoder
from scripts.lib.clock import Checkpoint, finish
from scripts.lib.critic import Adversary, adversarial, details, repetition
from scripts.lib.examples import descend, to_band
from scripts.lib.sideviews import SideViews

PART = (8, 10)
"""Cells of the latents, down and along, that are decoded in training; those at the rim, which lack a neighbour, are not looked at."""


def train_decoder(
    vae: LappedAutoencoder, large: SideViews, config: dict, work: Path, device: torch.device
) -> LappedAutoencoder:
    """The decoder against a critic, as in latent diffusion (Rombach et al. 2022, arXiv:2112.10752), on parts of photographs.

    L1 alone leaves it soft. It is shown no dreams: on even latents a critic makes it paint a lattice. On photographs too it draws faint
    lines where cells meet, which no critic minds; so what it gets wrong shall not come again a cell on.
    """
    if (folder := work / "decoder").exists():
        return LappedAutoencoder.from_pretrained(folder / "vae")
    vae.to(device, memory_format=torch.channels_last).train()
    train = np.flatnonzero(~large.held)

    def some(count: int) -> tuple[Tensor, Tensor]:
        """Parts of photographs: latents (n, channels, 8, 10) and what of them is looked at, (n, 3, 96, 128)."""
        real = to_band(large.pictures, np.random.choice(train, count)).to(device)
        latents = vae.encode(real)
        top, left = (
            int(torch.randint(0, whole - part + 1, ())) for whole, part in zip(latents.shape[2:], PART, strict=True)
        )
        rows, columns = slice(top, top + PART[0]), slice(left, left + PART[1])
        seen = [slice((one.start + 1) * CELL, (one.stop - 1) * CELL) for one in (rows, columns)]
        return latents[:, :, rows, columns], real[:, :, seen[0], seen[1]]

    adversary = Adversary(some(64)[1], config["critic_rate"])
    parameters = [p for p in vae.parameters() if p.requires_grad]
    ours = adversarial(parameters, config["learning_rate"])
    ema = EMAModel(parameters, decay=config["ema"], use_ema_warmup=True, power=0.8)
    checkpoint = Checkpoint(work / "decoder.pt", vae=vae, adversary=adversary, ours=ours, ema=ema)
    ema.to(device)
    everything = torch.ones(config["batch"], dtype=torch.bool, device=device)
    notes: list[list[float]] = []
    for step, done in checkpoint.steps(config["minutes"], "decoder"):
        ours.param_groups[0]["lr"] = config["learning_rate"] * min(1, (step + 1) / 100) * min(1, 3 * (1 - done) + 0.02)
        latents, real = some(config["batch"])
        latents = latents + config["latent_noise"] * torch.randn_like(latents)
        with torch.autocast(device.type, torch.bfloat16):
            pictures = vae.decode(latents).float()[:, :, CELL:-CELL, CELL:-CELL]
        persuaded, unlike = adversary.face(pictures, real, everything)
        pixel, unlike = F.l1_loss(F.avg_pool2d(pictures, 2), F.avg_pool2d(real, 2)), unlike.mean()
        wrong = details(pictures - real)
        repeated = sum(F.relu(repetition(one)).mean() for one in (wrong, wrong.transpose(2, 3))) / 2
        likeness = config["pixel"] * pixel + config["unlike"] * unlike + config["repetition"] * repeated
        descend(likeness + config["persuade"] * min(1, step / 100) * persuaded, ours)
        ema.step(parameters)
        notes.append([loss.item() for loss in (pixel, unlike, repeated, persuaded)])
        if step % 50 == 49:
            figures = "pixel {:.3f}, unlike {:.3f}, repeated {:.3f}, persuaded {:.3f}".format(*np.mean(notes[-50:], 0))
            tqdm.write(f"decoder step {step + 1}: {done * config['minutes']:.1f} min, {figures}")
    ema.copy_to(parameters)
    finish(folder, vae=vae)
    return vae
