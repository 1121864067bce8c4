"""The last stage of the painter's training: to paint in one step what can't be told from photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.painter.networks import BlueprintEncoder, DraftPrior, LappedAutoencoder
from scripts.lib.clock import Checkpoint, finish
from scripts.lib.critic import Adversary, adversarial, details, lattice, look_closer, sameness
from scripts.lib.examples import Pool, descend, to_band
from scripts.lib.latents import dreams_and_photographs, kept, paint, times
from scripts.lib.sideviews import SideViews


def train_one_step(
    pool: Pool,
    large: SideViews,
    vae: LappedAutoencoder,
    prior: DraftPrior,
    unet: UNet2DConditionModel,
    reader: BlueprintEncoder,
    config: dict,
    work: Path,
    device: torch.device,
) -> tuple[LappedAutoencoder, UNet2DConditionModel, BlueprintEncoder]:
    """Adversarial diffusion distillation (Sauer et al. 2023, arXiv:2311.17042), with photographs in place of a teacher.

    In every batch, some are dreams of the prior's, which the critic judges, and which must not stray from their drafts; some are
    photographs to paint again from their drafts, which have to come out like themselves as well; and some to paint again from spoilt
    copies, which the critic sees only where the outline was another: it rewards detail, and other edits shall add none. Two things
    no critic minds have losses of their own: details that come again in every cell of the latents, and those that come again in every
    dream. Denoiser and blueprint encoder learn together; the decoder, which photographs taught, learns along once
    they have begun: from the start, it painted patterns of its own over whatever the latents told.
    """
    folder = work / "one_step"
    if folder.exists():
        return LappedAutoencoder.from_pretrained(folder / "vae"), *kept(folder)
    prior.to(device)
    for part in (vae, unet, reader):
        part.to(device, memory_format=torch.channels_last).train()
    train = np.flatnonzero(~large.held)
    some = to_band(large.pictures, np.random.choice(train, 64)).to(device)
    adversary = Adversary(F.avg_pool2d(some, 2), config["critic_rate"])
    painting = [*unet.parameters(), *reader.parameters()]
    decoding = [p for p in vae.parameters() if p.requires_grad]
    parameters = [*painting, *decoding]
    ours = adversarial([{"params": painting}, {"params": decoding}], config["learning_rate"])
    ema = EMAModel(parameters, decay=config["ema"], use_ema_warmup=True, power=0.8)
    checkpoint = Checkpoint(
        work / "one_step.pt", unet=unet, reader=reader, vae=vae, adversary=adversary, ours=ours, ema=ema
    )
    ema.to(device)
    usual = details(to_band(large.pictures, train[:: max(1, len(train) // 1000)]).to(device)).mean(0, keepdim=True)
    count, dreams = config["batch"], config["dreams"]
    again = count - dreams
    notes: list[list[float]] = []
    for step, done in checkpoint.steps(config["minutes"], "one step"):
        for parameter in decoding:
            parameter.requires_grad_(done > config["decoder_after"])
        for group, rate in zip(ours.param_groups, (config["learning_rate"], config["decoder_rate"]), strict=True):
            group["lr"] = rate * min(1, (step + 1) / 100) * min(1, 3 * (1 - done) + 0.02)
        pick, edit, *shown = dreams_and_photographs(pool, prior, vae, count, dreams, config["edit_share"])
        target, source, values, told = (t.to(device) for t in shown)
        guess = paint(unet, reader, target, source, values, told, times(edit).to(device))
        with torch.autocast(device.type, torch.bfloat16):
            pictures = vae.decode(guess).float()
        real = to_band(large.pictures, pool.index[pick].numpy()).to(device)

        free = (~edit | pool.reshaped[pick]).to(device)
        persuaded, unlike = adversary.face(*look_closer([pictures, real]), free)
        # Of the photographs to paint again, those that were recoloured have no pixels to compare with.
        same = pool.photograph[pick].to(device) & (torch.arange(count, device=device) < again)
        latent = F.mse_loss(guess[:again], target[:again])
        pixel = F.l1_loss(F.avg_pool2d(pictures[same], 2), F.avg_pool2d(real[same], 2))
        unlike = unlike[same].mean()
        drafted = F.avg_pool2d(vae.synthesise(source[again:]), 8)
        strayed = F.l1_loss(F.avg_pool2d(pictures[again:], 16), drafted)
        fine = details(pictures)
        repeated = F.relu(lattice(fine)).square().mean()
        alike = sameness(fine[again:], usual)
        likeness = config["latent"] * latent + config["pixel"] * (pixel + strayed) + config["unlike"] * unlike
        variety = config["lattice"] * repeated + config["sameness"] * alike
        descend(likeness + variety + config["persuade"] * min(1, step / 100) * persuaded, ours)
        ema.step(parameters)
        losses = {"latent": latent, "pixel": pixel, "strayed": strayed, "unlike": unlike}
        losses |= {"repeated x 1000": 1000 * repeated, "alike": alike, "persuaded": persuaded}
        notes.append([loss.item() for loss in losses.values()])
        if step % 50 == 49:
            means = zip(losses, np.mean(notes[-50:], axis=0), strict=True)
            figures = ", ".join(f"{name} {mean:.3f}" for name, mean in means)
            tqdm.write(f"one step {step + 1}: {done * config['minutes']:.1f} min, {figures}")
    ema.copy_to(parameters)
    finish(folder, vae=vae, unet=unet, reader=reader)
    return vae, unet, reader
