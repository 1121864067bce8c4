"""Train the built-in painter: autoencoder, prior of drafts, and one network that paints drafts out and edits pictures, first
judged by its latents and then by its pictures.

    python -m scripts.train_painter DATA [--config scripts/configs/painter.toml] [--work .train/painter] [--out weights/painter]

A stage that is finished is kept in the work folder; from the decoder's on, one under way is kept every four minutes too. The same
command goes on after an interruption. With other data or another config, begin with another work folder.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.files import write_checksums
from dreamkicks.painter.networks import LANDMARK_WEIGHT, DraftPrior, LappedAutoencoder
from dreamkicks.painter.pipeline import SIDE, SneakerPipeline
from scripts.lib.clock import clock, finish, seed_all
from scripts.lib.decoder import train_decoder
from scripts.lib.examples import Pool, build_pool, descend, to_band, to_tensor
from scripts.lib.latents import train_denoiser, train_latents
from scripts.lib.one_step import train_one_step
from scripts.lib.sideviews import SideViews, load_side_views
from scripts.lib.swaps import build_swaps

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def lapped_blocks() -> Tensor:
    """The 192 pixels of 8 x 8 blocks as orthonormal patterns (192, 3, 16, 16) that fade into those of the blocks around.

    A lapped orthogonal transform is a filter across the borders of blocks before one of the blocks (Tran et al. 2003,
    doi:10.1109/TSP.2003.811222); a constant stays what it is.
    """
    place = torch.arange(4, dtype=torch.float64)
    unit, flip = torch.eye(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64).flip(0)
    second = torch.cos(torch.pi / 8 * place[:, None] * (2 * place + 1)) * 0.5**0.5
    second[0] *= 0.5**0.5
    fourth = torch.cos(torch.pi / 16 * (2 * place[:, None] + 1) * (2 * place + 1)) * 0.5**0.5
    butterfly = torch.cat([torch.cat([unit, flip], dim=1), torch.cat([flip, -unit], dim=1)])
    border = butterfly @ torch.block_diag(unit, flip @ second.T @ fourth @ flip) @ butterfly / 2
    spread = torch.zeros(16, 8, dtype=torch.float64)
    spread[:8, :4], spread[8:, 4:] = border.T[:, 4:], border.T[:, :4]
    pixels = torch.eye(192, dtype=torch.float64).view(192, 3, 8, 8)
    return torch.einsum("ip,ncpq,jq->ncij", spread, pixels, spread).float()


def principal_components(pictures: np.ndarray, count: int) -> tuple[Tensor, Tensor]:
    """Leading components (count, 3, 16, 16) of lapped blocks, less paper, and latent scales (count,)."""
    patterns = lapped_blocks()
    blocks = F.conv2d(to_tensor(pictures) - 1, patterns, stride=8, padding=4).permute(0, 2, 3, 1).reshape(-1, 192)
    blocks = blocks[blocks.std(1) > 0.01]  # paper says nothing
    values, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
    deviation = values.flip(0)[:count].sqrt()
    scale = deviation / (deviation / deviation[0]).sqrt()
    latents_power = (deviation / scale).square().mean().sqrt()
    return torch.einsum("cn,nkij->ckij", vectors.flip(1).T[:count], patterns), scale * latents_power


def train_autoencoder(views: SideViews, large: SideViews, config: dict, work: Path) -> LappedAutoencoder:
    """A decoder that gives the fixed linear latents their detail back: L1 and gradient loss."""
    if (work / "autoencoder").exists():
        return LappedAutoencoder.from_pretrained(work / "autoencoder" / "vae")
    train = np.flatnonzero(~views.held)
    model = LappedAutoencoder(latent_channels=config["latent_channels"])
    sample = views.pictures[np.sort(np.random.default_rng(0).choice(train, min(1500, len(train)), replace=False))]
    model.set_components(*principal_components(sample, config["latent_channels"]))
    model.to(DEVICE, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=config["learning_rate"])
    held = to_band(large.pictures, np.flatnonzero(views.held)[:64]).to(DEVICE)
    for step, done in clock(config["minutes"], "autoencoder"):
        optimiser.param_groups[0]["lr"] = config["learning_rate"] * min(1, step / 50) * (1 - done)
        real = to_band(large.pictures, np.random.choice(train, config["batch"])).to(DEVICE)
        latents = model.encode(real)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            fake = model.decode(latents + config["latent_noise"] * torch.randn_like(latents))
        fake = fake.float()
        loss = (fake - real).abs().mean() + sum(
            (fake.diff(dim=axis) - real.diff(dim=axis)).abs().mean() for axis in (2, 3)
        )
        descend(loss, optimiser)
        if step % 200 == 199:
            with torch.no_grad():
                error = (model.decode(model.encode(held)).clamp(-1, 1) - held).square().mean()
            tqdm.write(f"autoencoder step {step}: held-out PSNR {10 * torch.log10(4 / error):.2f} dB")
    finish(work / "autoencoder", vae=model)
    return model


def make_prior(pool: Pool, config: dict) -> DraftPrior:
    """A prior over the principal components of the photographs' landmarks and looks."""
    first = pool.index.diff(prepend=torch.tensor([-1])) != 0  # of each photograph's examples
    real = torch.cat([pool.shape[first] * LANDMARK_WEIGHT, pool.look[first].flatten(1)], dim=1).float()
    mean = real.mean(0)
    _, values, vectors = torch.pca_lowrank(real - mean, q=config["components"] + 32, center=False, niter=4)
    deviation = values[: config["components"]] / len(real) ** 0.5
    prior = DraftPrior(
        tuple(pool.look.shape[1:]), config["components"], config["width"], config["blocks"], config["designs"]
    )
    # As for the latents themselves: the square root of the relative deviation puts shape before detail.
    scale = (deviation * deviation[0]).sqrt()
    prior.mean.copy_(mean)
    prior.basis.copy_(vectors[:, : config["components"]].T)
    prior.scale.copy_(scale * (deviation / scale).square().mean().sqrt())
    return prior


def train_prior(pool: Pool, config: dict, work: Path) -> DraftPrior:
    """The flow of drafts given blueprints."""
    if (work / "drafts").exists():
        return DraftPrior.from_pretrained(work / "drafts" / "prior")
    prior = make_prior(pool, config).to(DEVICE)
    codes = prior.encode(pool.shape.float().to(DEVICE), pool.look.float().to(DEVICE))
    # Photographs three times as often as what was repainted: their colours go together.
    weight = torch.where(pool.photograph, 3.0, 1.0)
    parameters = [p for p in prior.parameters() if p.requires_grad]
    print(f"prior: {sum(p.numel() for p in prior.parameters()) / 1e6:.1f} M parameters, {len(codes)} examples")
    optimiser = torch.optim.AdamW(parameters, lr=config["learning_rate"], betas=(0.9, 0.99), weight_decay=0.02)
    ema = EMAModel(parameters, decay=0.999, use_ema_warmup=True, power=0.8)
    losses: list[float] = []
    for step, done in clock(config["minutes"], "prior"):
        optimiser.param_groups[0]["lr"] = config["learning_rate"] * min(1, step / 200) * max(0.02, 1 - done)
        pick = torch.multinomial(weight, config["batch"], replacement=True)
        target, values, present = codes[pick], pool.values[pick].to(DEVICE), pool.present[pick].to(DEVICE)
        told = present & (torch.rand(present.shape) < torch.rand(len(pick), 1)).to(DEVICE)
        design = pool.design[pick].to(DEVICE)
        # Designs of pictures that are no plain side views are there for the flow to learn, and never chosen.
        chosen = design.masked_fill(~pool.plain[pick].to(DEVICE), -100)
        likely = F.cross_entropy(prior.odds(values, told), chosen, reduction="sum") / len(pick)
        nothing = torch.rand(len(pick), device=DEVICE) < 0.1
        told, design = told & ~nothing[:, None], design.masked_fill(nothing, config["designs"])
        noise = torch.randn_like(target)
        when = torch.rand(len(pick), device=DEVICE)
        # bf16 does three times as many a second on a CPU.
        with torch.autocast(DEVICE.type, torch.bfloat16):
            guess = prior((1 - when[:, None]) * target + when[:, None] * noise, when, values, told, design)
        loss = F.mse_loss(guess.float(), noise - target) + 0.1 * likely
        descend(loss, optimiser)
        ema.step(parameters)
        losses.append(loss.item())
        if step % 1000 == 999:
            tqdm.write(f"prior step {step + 1}: loss {np.mean(losses[-1000:]):.4f}")
    ema.copy_to(parameters)
    finish(work / "drafts", prior=prior)
    return prior


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with side/side.csv and side/*.tar")
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/painter.toml"))
    parser.add_argument("--work", type=Path, default=Path(".train/painter"))
    parser.add_argument("--out", type=Path, default=Path("weights/painter"))
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.config.read_text())
    seed_all(config["seed"])

    work = arguments.work
    views, large = load_side_views(arguments.data, work), load_side_views(arguments.data, work, SIDE)
    vae = train_autoencoder(views, large, config["autoencoder"], work)
    pool = build_pool(views, vae, config["prior"]["designs"], config["seed"], work)
    prior = train_prior(pool, config["prior"], work)
    vae = train_decoder(vae, large, config["decoder"], work, DEVICE)
    unet, reader = train_denoiser(pool, prior, vae, config["denoiser"], work, DEVICE)
    unet, reader = train_latents(pool, prior, vae, unet, reader, config["latents"], work, DEVICE)
    pipeline = SneakerPipeline(vae, prior, reader, unet, FlowMatchEulerDiscreteScheduler())
    pool = build_swaps(pool, views, pipeline, config["swaps"], config["seed"], work)
    vae, unet, reader = train_one_step(pool, large, vae, prior, unet, reader, config["one_step"], work, DEVICE)
    pipeline = SneakerPipeline(vae, prior, reader, unet, FlowMatchEulerDiscreteScheduler()).to(torch.float16)
    pipeline.save_pretrained(arguments.out, max_shard_size="15MB")
    for config_file in arguments.out.glob("*/config.json"):  # where a part was trained is nobody's business
        told = json.loads(config_file.read_text())
        told.pop("_name_or_path", None)
        config_file.write_text(json.dumps(told, indent=2) + "\n")
    write_checksums(arguments.out)


if __name__ == "__main__":
    main()
