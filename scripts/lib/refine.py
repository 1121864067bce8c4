"""The decoder taught texture: photographs and dreams through it should look alike close up.

A denoiser that was trained for hours, not days, gives latents that are right in shape and colour and too smooth in detail. The
decoder makes up for it: an adversary (Goodfellow et al. 2014, arXiv:1406.2661; hinge loss and spectral norm as in Miyato et al. 2018,
arXiv:1802.05957) compares small windows of photographs with windows of what it decodes. The latents stay what they are, so the
denoiser needs no training anew.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from tqdm import tqdm

from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.grammar import random_prompt
from dreamkicks.painter.networks import BlockAutoencoder, encode_slots
from dreamkicks.painter.pipeline import CROP, SIDE, SneakerPipeline
from dreamkicks.painter.presets import find_preset
from dreamkicks.painter.vocabulary import read
from scripts.lib.clock import Checkpoint, clock

BLOCK = 8


class Judge(nn.Sequential):
    """Pictures (n, 3, h, w) to a mark for each window of some 40 px: how photographed its detail looks.

    It sees what departs from the mean of each block, so neither colour nor outline give a dream away: those are the denoiser's.
    """

    def __init__(self, width: int = 32) -> None:
        def layer(before: int, after: int, stride: int) -> list[nn.Module]:
            return [spectral_norm(nn.Conv2d(before, after, 3, stride, 1)), nn.LeakyReLU(0.2)]

        super().__init__(
            nn.PixelUnshuffle(2),
            *layer(12, width, 1),
            *layer(width, width * 2, 2),
            *layer(width * 2, width * 2, 1),
            *layer(width * 2, width * 3, 2),
            spectral_norm(nn.Conv2d(width * 3, 1, 3, 1, 1)),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        coarse = F.interpolate(F.avg_pool2d(pictures, BLOCK), scale_factor=BLOCK, mode="bilinear")
        return super().forward(pictures - coarse)


@torch.no_grad()
def dream_latents(pipeline: SneakerPipeline, count: int, work: Path) -> Tensor:
    """Latents (count, channels, 12, 16) of random dreams, as the painter that ships would decode them."""
    file = work / "dreams.pt"
    if file.exists():
        found: Tensor = torch.load(file, weights_only=True)
        return found
    preset, rows = find_preset("builtin"), []
    generator = torch.Generator().manual_seed(0)
    for start in tqdm(range(0, count, 32), desc="dream"):
        asked = [read(random_prompt(random.Random(f"refine {seed}"))).blueprint for seed in range(start, start + 32)]
        values, present = encode_slots([Blueprint()] * len(asked) + asked)
        tokens, pooled = pipeline.reader(values.to(pipeline.device), present.to(pipeline.device))
        shape = (len(asked), pipeline.vae.config.latent_channels, (CROP[1] - CROP[0]) // BLOCK, SIDE // BLOCK)
        noise = torch.randn(shape, generator=generator).to(pipeline.device)
        times = torch.linspace(1, 0, preset.steps + 1, device=pipeline.device)
        with torch.autocast(pipeline.device.type, torch.bfloat16):
            latents = pipeline.denoise(noise, torch.zeros_like(noise), tokens, pooled, times, preset.guidance, None)
        rows.append(latents.float().cpu())
    latents = torch.cat(rows)[:count]
    torch.save(latents, file)
    return latents


def refine_decoder(pipeline: SneakerPipeline, photographs: np.ndarray, config: dict[str, Any], work: Path) -> None:
    """Train the decoder of a finished pipeline further, in place.

    Args:
        photographs: (n, 96, 128, 3) uint8, the band that is painted.
        config: minutes, batch, learning_rate, dreams, adversary (the weight of its loss).
    """
    vae, device = pipeline.vae, pipeline.device
    dreams = dream_latents(pipeline, config["dreams"], work)
    vae.to(memory_format=torch.channels_last)
    judge = Judge().to(device, memory_format=torch.channels_last)
    learned = [p for p in vae.parameters() if p.requires_grad]
    painter = torch.optim.AdamW(learned, lr=config["learning_rate"], betas=(0.5, 0.99), weight_decay=0)
    critic = torch.optim.AdamW(judge.parameters(), lr=2 * config["learning_rate"], betas=(0.5, 0.99), weight_decay=0)
    ema = EMAModel(learned, decay=0.995, use_ema_warmup=True, power=0.8)
    checkpoint, spent, first = Checkpoint(work / "refine.pt"), 0.0, 0
    parts: dict[str, Any] = {"vae": vae, "judge": judge, "painter": painter, "critic": critic, "ema": ema}
    if saved := checkpoint.load():
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        spent, first = saved["spent"], saved["step"]
    kept: list[tuple[float, ...]] = []
    for step, done in clock(config["minutes"], "decoder", spent, first):
        for optimiser, share in ((painter, 1), (critic, 2)):
            optimiser.param_groups[0]["lr"] = share * config["learning_rate"] * min(1, step / 50) * max(0.05, 1 - done)
        pick = np.sort(np.random.choice(len(photographs), config["batch"], replace=False))
        real = torch.from_numpy(photographs[pick]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = vae.encode(real)
        latents = latents + 0.05 * torch.randn_like(latents)
        dreamt = dreams[torch.randint(len(dreams), (config["batch"],))].to(device)
        with torch.autocast(device.type, torch.bfloat16):
            fake = vae.decode(torch.cat([latents, dreamt]))
            marks = judge(torch.cat([real, fake.detach().float()])).float()
            hinge = F.relu(1 - marks[: len(real)]).mean() + F.relu(1 + marks[len(real) :]).mean()
        critic.zero_grad(set_to_none=True)
        hinge.backward()
        critic.step()

        fake = fake.float()
        copied, imagined = fake.chunk(2)
        with torch.autocast(device.type, torch.bfloat16):
            mark = -judge(fake).float().mean()
        loss = likeness(copied, real) + anchor(vae, imagined, dreamt) + config["adversary"] * mark
        painter.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        painter.step()
        ema.step(learned)
        kept.append((likeness(copied.detach(), real).item(), hinge.item(), mark.item()))
        if step % 50 == 49:
            like, told, fooled = np.mean(kept[-50:], axis=0)
            tqdm.write(f"decoder step {step + 1}: likeness {like:.4f}, hinge {told:.3f}, mark {fooled:.3f}")
        state = {name: part.state_dict() for name, part in parts.items()}
        checkpoint.keep({**state, "spent": done * config["minutes"], "step": step + 1})
    ema.copy_to(learned)


def likeness(fake: Tensor, real: Tensor) -> Tensor:
    """Mean difference of the pixels and of their steps to the right and down."""
    steps = [(fake.diff(dim=axis) - real.diff(dim=axis)).abs().mean() for axis in (2, 3)]
    return (fake - real).abs().mean() + steps[0] + steps[1]


def anchor(vae: BlockAutoencoder, fake: Tensor, latents: Tensor) -> Tensor:
    """How far the windows of 4 px have left the colours that the latents say."""
    with torch.no_grad():
        said = vae.synthesis(latents).clamp(-1, 1)
    return (F.avg_pool2d(fake, 4) - F.avg_pool2d(said, 4)).abs().mean()
