"""The training of the UNet by its latents: first by how near they come, then by what a critic says of them."""

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
from scripts.lib.clock import Checkpoint, finish
from scripts.lib.critic import Adversary, adversarial, shifted
from scripts.lib.examples import Pool, asked_of, descend, sources_of


def make_unet(config: dict, latent_channels: int) -> UNet2DConditionModel:
    """Noise and picture channels in, velocity out; attention to the blueprint where the grid is coarse."""
    return UNet2DConditionModel(
        sample_size=(12, 16),
        in_channels=2 * latent_channels,
        out_channels=latent_channels,
        # Where the grid is 3 x 4 the draft has said all: taken out of a trained denoiser, a middle block (6 MB) and attention on the
        # way down (2 MB) changed next to nothing.
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=tuple(config["channels"]),
        layers_per_block=1,
        cross_attention_dim=config["token_width"],
        attention_head_dim=8,
        norm_num_groups=16,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=config["token_width"],
    )


def train_denoiser(
    pool: Pool, prior: DraftPrior, vae: BlockAutoencoder, config: dict, work: Path, device: torch.device
) -> tuple[UNet2DConditionModel, BlueprintEncoder]:
    """In one step from noise, as near to the targets' latents as can be: what `train_latents` begins with."""
    if (folder := work / "denoiser").exists():
        return kept(folder)
    unet, reader = make_unet(config, pool.target.shape[1]), BlueprintEncoder(width=config["token_width"])
    unet.to(device, memory_format=torch.channels_last).train()
    reader.to(device).train()
    prior.to(device)
    vae.to(device)
    parameters = [*unet.parameters(), *reader.parameters()]
    print(f"denoiser: {sum(p.numel() for p in parameters) / 1e6:.1f} M parameters, {len(pool.slot)} examples")
    optimiser = torch.optim.AdamW(parameters, lr=config["learning_rate"], betas=(0.9, 0.99), weight_decay=0.01)
    ema = EMAModel(parameters, decay=config["ema"], use_ema_warmup=True, power=0.8)
    checkpoint = Checkpoint(work / "denoiser.pt", unet=unet, reader=reader, optimiser=optimiser, ema=ema)
    ema.to(device)
    losses: list[float] = []
    for step, done in checkpoint.steps(config["minutes"], "denoiser"):
        optimiser.param_groups[0]["lr"] = config["learning_rate"] * min(1, step / 100) * max(0.02, 1 - done)
        pick = torch.randint(len(pool.slot), (config["batch"],))
        edit = torch.rand(len(pick)) < config["edit_share"]
        values, told = asked_of(pool, pick, edit)
        source = sources_of(pool, prior, vae, pick, edit, told)
        target, source, values, told = (t.to(device) for t in (pool.target[pick].float(), source, values, told))
        loss = F.mse_loss(paint(unet, reader, target, source, values, told, times(edit).to(device)), target)
        descend(loss, optimiser)
        ema.step(parameters)
        losses.append(loss.item())
        if step % 50 == 49:
            tqdm.write(
                f"denoiser step {step + 1}: {done * config['minutes']:.1f} min, loss {np.mean(losses[-50:]):.4f}"
            )
    ema.copy_to(parameters)
    finish(folder, unet=unet, reader=reader)
    return unet, reader


def train_latents(
    pool: Pool,
    prior: DraftPrior,
    vae: BlockAutoencoder,
    unet: UNet2DConditionModel,
    reader: BlueprintEncoder,
    config: dict,
    work: Path,
    device: torch.device,
) -> tuple[UNet2DConditionModel, BlueprintEncoder]:
    """The latents of photographs and of dreams, until a critic takes them for those of photographs.

    It sees what the linear half of the decoder makes of either, blocks and all: that costs next to nothing, and can't be hidden from
    by a decoder that paints over what latents lack.
    """
    if (folder := work / "latents").exists():
        return kept(folder)
    prior.to(device)
    for part in (vae, unet, reader):
        part.to(device, memory_format=torch.channels_last).train()
    some = vae.synthesis(pool.target[torch.randint(len(pool.slot), (64,))].float().to(device))
    adversary = Adversary(some, config["critic_rate"])
    parameters = [*unet.parameters(), *reader.parameters()]
    ours = adversarial(parameters, config["learning_rate"])
    ema = EMAModel(parameters, decay=config["ema"], use_ema_warmup=True, power=0.8)
    checkpoint = Checkpoint(work / "latents.pt", unet=unet, reader=reader, adversary=adversary, ours=ours, ema=ema)
    ema.to(device)
    again = config["batch"] - config["dreams"]
    notes: list[list[float]] = []
    for step, done in checkpoint.steps(config["minutes"], "latents"):
        ours.param_groups[0]["lr"] = config["learning_rate"] * min(1, (step + 1) / 100)
        _, edit, *shown = dreams_and_photographs(
            pool, prior, vae, config["batch"], config["dreams"], config["edit_share"]
        )
        target, source, values, told = (t.to(device) for t in shown)
        guess = paint(unet, reader, target, source, values, told, times(edit).to(device))
        pictures, real, drafted = (vae.synthesis(one) for one in (guess, target, source[again:]))
        persuaded, unlike = adversary.face(*shifted([pictures, real], 4), ~edit.to(device))
        latent, unlike = F.mse_loss(guess[:again], target[:again]), unlike[:again].mean()
        strayed = F.l1_loss(F.avg_pool2d(pictures[again:], 8), F.avg_pool2d(drafted, 8))
        likeness = config["latent"] * latent + config["pixel"] * strayed + config["unlike"] * unlike
        descend(likeness + config["persuade"] * min(1, step / 100) * persuaded, ours)
        ema.step(parameters)
        notes.append([loss.item() for loss in (latent, strayed, unlike, persuaded)])
        if step % 50 == 49:
            figures = "latent {:.3f}, strayed {:.3f}, unlike {:.3f}, persuaded {:.3f}".format(*np.mean(notes[-50:], 0))
            tqdm.write(f"latents step {step + 1}: {done * config['minutes']:.1f} min, {figures}")
    ema.copy_to(parameters)
    finish(folder, unet=unet, reader=reader)
    return unet, reader


def kept(folder: Path) -> tuple[UNet2DConditionModel, BlueprintEncoder]:
    """UNet and blueprint encoder of a stage that is finished."""
    return UNet2DConditionModel.from_pretrained(folder / "unet"), BlueprintEncoder.from_pretrained(folder / "reader")


def dreams_and_photographs(
    pool: Pool, prior: DraftPrior, vae: BlockAutoencoder, count: int, dreams: int, edit_share: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Some examples of which the last are dreams, whose targets are other shoes that would fit the same words.

    Returns: which of the pool (n,), which to edit (n,) bool, targets, sources, slot values and which slots are told.
    """
    pick = torch.randint(len(pool.slot), (count,))
    again = count - dreams
    edit = (torch.rand(count) < edit_share) & (torch.arange(count) < again)
    values, told = asked_of(pool, pick, edit)
    asked = values[again:].to(prior.device), told[again:].to(prior.device)
    with torch.no_grad():
        noise = torch.randn(dreams, prior.config.components, device=prior.device)
        design = torch.multinomial(prior.odds(*asked).softmax(1), 1)[:, 0]
        dreamt = sketch(prior, vae, *prior.decode(prior.sample(noise, *asked, design))).cpu()
    source = torch.cat([sources_of(pool, prior, vae, pick[:again], edit[:again], told[:again]), dreamt])
    return pick, edit, pool.target[pick].float(), source, values, told


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
