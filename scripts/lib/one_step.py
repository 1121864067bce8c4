"""The last stage of the painter's training: to paint in one step what can't be told from photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.painter.networks import BlockAutoencoder, BlueprintEncoder, DraftPrior
from dreamkicks.painter.pipeline import sketch
from scripts.lib.clock import Checkpoint, clock, finish
from scripts.lib.critic import Critic, Eyes, details, doubt, look_closer, persuasion, repetition, sameness, unlikeness
from scripts.lib.examples import Pool, batch_of, descend, to_band
from scripts.lib.sideviews import SideViews


def train_one_step(
    pool: Pool,
    large: SideViews,
    vae: BlockAutoencoder,
    prior: DraftPrior,
    unet: UNet2DConditionModel,
    reader: BlueprintEncoder,
    config: dict,
    work: Path,
    device: torch.device,
) -> tuple[BlockAutoencoder, UNet2DConditionModel, BlueprintEncoder]:
    """Adversarial diffusion distillation (Sauer et al. 2023, arXiv:2311.17042), with photographs in place of a teacher.

    In every batch, some are dreams of the prior's, which the critic judges, and which must not stray from their drafts; some are
    photographs to paint again from their drafts, which have to come out like themselves as well; and some to paint again from spoilt
    copies, which the critic does not see: it rewards detail, and edits shall add none. Two things no critic minds are held to what
    photographs have of them: details that come again in every cell of the latents, and those that come again in every dream.
    Denoiser, blueprint encoder and decoder learn together.
    """
    folder = work / "one_step"
    if folder.exists():
        return (
            BlockAutoencoder.from_pretrained(folder / "vae"),
            UNet2DConditionModel.from_pretrained(folder / "unet"),
            BlueprintEncoder.from_pretrained(folder / "reader"),
        )
    eyes, critic = Eyes().to(device, memory_format=torch.channels_last), Critic().to(device)
    prior.to(device)
    for part in (vae, unet, reader):
        part.to(device, memory_format=torch.channels_last).train()
    painting = [*unet.parameters(), *reader.parameters()]
    decoding = [p for p in vae.parameters() if p.requires_grad]
    # No first momentum, as usual beside an adversary.
    ours = torch.optim.AdamW([{"params": painting}, {"params": decoding}], betas=(0.0, 0.99), weight_decay=0.0)
    theirs = torch.optim.AdamW(
        [p for p in critic.parameters() if p.requires_grad], config["critic_rate"], betas=(0.0, 0.99), weight_decay=0.0
    )
    ema = EMAModel([*painting, *decoding], decay=config["ema"], use_ema_warmup=True, power=0.8)
    parts = {"unet": unet, "reader": reader, "vae": vae, "critic": critic, "ours": ours, "theirs": theirs, "ema": ema}
    train = np.flatnonzero(~large.held)
    usual = details(to_band(large.pictures, train[:: max(1, len(train) // 1000)]).to(device)).mean(0, keepdim=True)
    checkpoint, spent, first = Checkpoint(work / "one_step.pt"), 0.0, 0
    if saved := checkpoint.load():
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        ema.to(device)
        spent, first = saved["spent"], saved["step"]
    else:
        with torch.no_grad():
            critic.set_scales(eyes(F.avg_pool2d(to_band(large.pictures, np.random.choice(train, 64)).to(device), 2)))

    count, dreams = config["batch"], config["dreams"]
    again = count - dreams
    notes: list[list[float]] = []
    for step, done in clock(config["minutes"], "one step", spent, first):
        for group, rate in zip(ours.param_groups, (config["learning_rate"], config["decoder_rate"]), strict=True):
            group["lr"] = rate * min(1, (step + 1) / 100) * min(1, 3 * (1 - done) + 0.02)
        pick = torch.randint(len(pool.slot), (count,))
        edit = (torch.rand(count) < config["edit_share"]) & (torch.arange(count) < again)
        target, source, values, told = batch_of(pool, prior, vae, pick, edit)
        target, source, values, told = (t.to(device) for t in (target, source, values, told))
        with torch.no_grad():
            noise = torch.randn(dreams, prior.config.components, device=device)
            design = torch.multinomial(prior.odds(values[again:], told[again:]).softmax(1), 1)[:, 0]
            source[again:] = sketch(prior, vae, prior.sample(noise, values[again:], told[again:], design))
        guess = paint(unet, reader, target, source, values, told, times(edit).to(device))
        with torch.autocast(device.type, torch.bfloat16):
            pictures = vae.decode(guess).float()
        real = to_band(large.pictures, pool.index[pick].numpy()).to(device)

        mine, photographs = look_closer([pictures, real])
        seen = eyes(mine.contiguous(memory_format=torch.channels_last))
        with torch.no_grad():
            known = eyes(photographs.contiguous(memory_format=torch.channels_last))
        free = ~edit.to(device)
        with torch.autocast(device.type, torch.bfloat16):
            judged = critic(photographs, known), critic(mine[free].detach(), [one[free].detach() for one in seen])
        descend(doubt(*judged), theirs)

        # Of the photographs to paint again, those that were recoloured have no pixels to compare with.
        same = pool.photograph[pick].to(device) & (torch.arange(count, device=device) < again)
        latent = F.mse_loss(guess[:again], target[:again])
        pixel = F.l1_loss(F.avg_pool2d(pictures[same], 2), F.avg_pool2d(real[same], 2))
        unlike = unlikeness([one[same] for one in seen], [one[same] for one in known]).mean()
        drafted = F.avg_pool2d(vae.synthesis(source[again:]), 8)
        strayed = F.l1_loss(F.avg_pool2d(pictures[again:], 16), drafted)
        fine = details(pictures)
        repeated = F.relu(repetition(fine) - repetition(details(real)).mean(0)).mean()
        alike = sameness(fine[again:], usual)
        likeness = config["latent"] * latent + config["pixel"] * (pixel + strayed) + config["unlike"] * unlike
        variety = config["repetition"] * repeated + config["sameness"] * alike
        with torch.autocast(device.type, torch.bfloat16):
            persuaded = persuasion(critic(mine[free], [one[free] for one in seen]))
        descend(likeness + variety + config["persuade"] * min(1, step / 100) * persuaded, ours)
        ema.step([*painting, *decoding])
        losses = {"latent": latent, "pixel": pixel, "strayed": strayed, "unlike": unlike}
        losses |= {"repeated": repeated, "alike": alike, "persuaded": persuaded}
        notes.append([loss.item() for loss in losses.values()])
        if step % 50 == 49:
            means = zip(losses, np.mean(notes[-50:], axis=0), strict=True)
            figures = ", ".join(f"{name} {mean:.3f}" for name, mean in means)
            tqdm.write(f"one step {step + 1}: {done * config['minutes']:.1f} min, {figures}")
        checkpoint.keep(
            {name: part.state_dict() for name, part in parts.items()}
            | {"spent": done * config["minutes"], "step": step + 1}
        )
    ema.copy_to([*painting, *decoding])
    finish(folder, vae=vae, unet=unet, reader=reader)
    return vae, unet, reader


def times(edit: Tensor) -> Tensor:
    """Times (n,) to start from: noise alone, but for a quarter of the edits (n,) bool, as edits of less than full strength do."""
    partly = edit & (torch.rand(len(edit)) < 0.25)
    return torch.where(partly, torch.rand(len(edit)) * 0.7 + 0.2, 1.0)


def paint(
    unet: UNet2DConditionModel,
    reader: BlueprintEncoder,
    target: Tensor,
    source: Tensor,
    values: Tensor,
    told: Tensor,
    when: Tensor,
) -> Tensor:
    """The latents that one step makes of noise mixed into the target's, given the draft or the spoilt picture."""
    blend = when[:, None, None, None]
    noisy = (1 - blend) * target + blend * torch.randn_like(target)
    shown = torch.cat([noisy, source], dim=1).contiguous(memory_format=torch.channels_last)
    with torch.autocast(target.device.type, torch.bfloat16):
        tokens, pooled = reader(values, told)
        velocity = unet(shown, when * 1000, tokens, class_labels=pooled).sample
    return noisy - blend * velocity.float()
