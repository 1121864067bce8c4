"""Train the built-in painter: autoencoder, then one denoiser that imagines and edits.

    python -m scripts.train_painter DATA [--config scripts/configs/painter.toml] [--work .train/painter] [--out weights/painter]

Every stage keeps its state in the work folder; run the same command again to go on after an interruption.
"""

from __future__ import annotations

import argparse
import random
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.files import write_checksums
from dreamkicks.painter.blueprint import Blueprint, Lab
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.networks import SLOTS, BlockAutoencoder, BlueprintEncoder, encode_slots
from dreamkicks.painter.pipeline import CROP, SneakerPipeline
from dreamkicks.painter.region import stretch_collar, stretch_sole
from scripts.lib import pairs
from scripts.lib.clock import Checkpoint, clock
from scripts.lib.sideviews import SideViews, load_side_views

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TOP, BOTTOM = CROP


@dataclass
class Pool:
    """Training examples: targets, the spoilt sources of the edits, what the targets show and which slot was spoilt."""

    target: Tensor  # (n, latent channels, 12, 16) float16
    source: Tensor  # the same
    values: Tensor  # (n, slots, 3)
    present: Tensor  # (n, slots) bool
    slot: Tensor  # (n,) index into SLOTS
    photograph: Tensor  # (n,) bool: the target is an untouched photograph


def to_tensor(pictures: np.ndarray) -> Tensor:
    """(n, 128, 128, 3) uint8 to the band that the painter paints, (n, 3, 96, 128) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures[:, TOP:BOTTOM])).permute(0, 3, 1, 2).float() / 127.5 - 1


def principal_components(pictures: np.ndarray, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, leading components and latent scales of 8 x 8 blocks."""
    blocks = F.unfold(to_tensor(pictures), 8, stride=8).permute(0, 2, 1).reshape(-1, 192)
    blocks = blocks[blocks.std(1) > 0.01]  # paper says nothing
    mean = blocks.mean(0)
    values, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
    deviation = values.flip(0)[:count].sqrt()
    scale = deviation / (deviation / deviation[0]).sqrt()
    latents_power = (deviation / scale).square().mean().sqrt()
    return mean, vectors.flip(1).T[:count].contiguous(), scale * latents_power


def train_autoencoder(views: SideViews, config: dict, work: Path) -> BlockAutoencoder:
    """A decoder that gives the fixed linear latents their detail back: L1 and gradient loss."""
    folder = work / "vae"
    if folder.exists():
        return BlockAutoencoder.from_pretrained(folder)
    train = np.flatnonzero(~views.held)
    model = BlockAutoencoder(latent_channels=config["latent_channels"])
    sample = views.pictures[np.sort(np.random.default_rng(0).choice(train, min(1500, len(train)), replace=False))]
    model.set_components(*principal_components(sample, config["latent_channels"]))
    model.to(DEVICE, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=config["learning_rate"])
    held = to_tensor(views.pictures[np.flatnonzero(views.held)[:128]]).to(DEVICE)
    for step, done in clock(config["minutes"], "autoencoder"):
        optimiser.param_groups[0]["lr"] = config["learning_rate"] * min(1, step / 50) * (1 - done)
        real = to_tensor(
            views.pictures[np.sort(np.random.choice(train, min(config["batch"], len(train)), replace=False))]
        ).to(DEVICE)
        latents = model.encode(real)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            fake = model.decode(latents + config["latent_noise"] * torch.randn_like(latents))
        fake = fake.float()
        loss = (fake - real).abs().mean() + sum(
            (fake.diff(dim=axis) - real.diff(dim=axis)).abs().mean() for axis in (2, 3)
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 200 == 199:
            with torch.no_grad():
                error = (model.decode(model.encode(held)).clamp(-1, 1) - held).square().mean()
            tqdm.write(f"autoencoder step {step}: held-out PSNR {10 * torch.log10(4 / error):.2f} dB")
    model.cpu().save_pretrained(folder)
    return model


def random_colour(seen: list[Measured], draw: random.Random) -> Lab:
    """A colour to repaint a part with: half what other shoes wear, the rest vivid or neutral."""
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(seen).blueprint.upper or (50, 0, 0)
    if kind < 0.8:
        angle, chroma = draw.uniform(0, 6.283), draw.uniform(25, 80)
        return draw.uniform(25, 85), chroma * float(np.cos(angle)), chroma * float(np.sin(angle))
    return draw.choice([8.0, 15.0, 35.0, 60.0, 85.0, 97.0]), draw.uniform(-2, 2), draw.uniform(-3, 6)


def spoil(
    picture: np.ndarray, seen: Measured, everyone: list[Measured], views: SideViews, draw: random.Random
) -> list[tuple[np.ndarray, np.ndarray, Blueprint, str, bool]]:
    """Four examples of one photograph: (target, source, what the target shows, spoilt slot, target untouched)."""
    shown = seen.blueprint
    if shown.upper is None:
        return []
    examples = []
    colour = random_colour(everyone, draw)
    repainted = pairs.recolour(picture, seen, "upper", colour)
    examples.append((picture, repainted, shown, "upper", True))
    # The repainted one as a target, where it came out as asked: colours that few shops stock.
    again = measure(repainted)
    if again is not None and again.blueprint.upper is not None and distance(again.blueprint.upper, colour) < 12:
        examples.append((repainted, picture, replace(again.blueprint, brand=shown.brand), "upper", False))
    turned, turned_shown = pairs.turn_hue(picture, shown, draw.uniform(0.5, 5.8))
    parts = [p for p in ("sole", "sole", "accent", "toe", "heel") if getattr(shown, p) is not None]
    if parts:
        part = draw.choice(parts)
        turned_seen = replace(seen, blueprint=turned_shown)
        spoilt = pairs.recolour(turned, turned_seen, part, random_colour(everyone, draw))
        examples.append((turned, spoilt, turned_shown, part, False))
        part = draw.choice(parts)
        spoilt = pairs.recolour(picture, seen, part, random_colour(everyone, draw))
        examples.append((picture, spoilt, shown, part, True))
    shape = draw.choice(["height", "height", "sole_height", "pattern"])
    if shape == "sole_height" and shown.sole_height is not None:
        wanted = draw.uniform(0.06, 0.24)
        spoilt = stretch_sole(picture, seen, float(np.clip(wanted / shown.sole_height, 0.4, 2.2)))
    elif shape == "pattern":
        other = np.asarray(views.pictures[draw.randrange(len(views.names))])
        spoilt = pairs.smooth(picture, seen) if (shown.pattern or 0) > 0.5 else pairs.roughen(picture, seen, other)
    else:
        shape = "height"
        wanted = draw.uniform(0.36, 0.72)
        line = (seen.box[3] - seen.sole_line) / (seen.box[2] - seen.box[0])
        factor = (wanted - line) / max(0.05, (shown.height or 0.5) - line)
        spoilt = stretch_collar(picture, seen, float(np.clip(factor, 0.5, 1.8)))
    examples.append((picture, spoilt, shown, shape, True))
    return examples


def distance(one: Lab, other: Lab) -> float:
    """CIE76 colour difference."""
    return float(np.linalg.norm(np.subtract(one, other)))


@torch.no_grad()
def build_pool(views: SideViews, vae: BlockAutoencoder, seed: int, work: Path) -> Pool:
    """Measure and spoil every training picture once; only latents are kept."""
    file = work / "pool.pt"
    if file.exists():
        return Pool(**torch.load(file, weights_only=True))
    draw = random.Random(seed)
    train = np.flatnonzero(~views.held)
    seen = {i: found for i in tqdm(train, desc="measure") if (found := measure(np.asarray(views.pictures[i])))}
    everyone = list(seen.values())
    columns: dict[str, list] = {name: [] for name in Pool.__annotations__}
    for i, found in tqdm(seen.items(), desc="spoil"):
        brand = views.brands[i] if views.brands[i] in ("Adidas", "Jordan", "Nike") else None
        found = replace(found, blueprint=replace(found.blueprint, brand=brand))
        examples = spoil(np.asarray(views.pictures[i]), found, everyone, views, draw)
        if not examples:
            continue
        targets, sources, blueprints, slots, untouched = zip(*examples, strict=True)
        columns["target"].append(vae.encode(to_tensor(np.stack(targets))).half())
        columns["source"].append(vae.encode(to_tensor(np.stack(sources))).half())
        values, present = encode_slots(blueprints)
        columns["values"].append(values)
        columns["present"].append(present)
        columns["slot"].append(torch.tensor([SLOTS.index(slot) for slot in slots]))
        columns["photograph"].append(torch.tensor(untouched))
    pool = Pool(**{name: torch.cat(parts) for name, parts in columns.items()})
    torch.save(asdict(pool), file)
    return pool


def make_unet(config: dict, latent_channels: int) -> UNet2DConditionModel:
    """Noise and picture channels in, velocity out; attention to the blueprint where the grid is coarse."""
    return UNet2DConditionModel(
        sample_size=(12, 16),
        in_channels=2 * latent_channels,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
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


def batch_of(pool: Pool, size: int, edit_share: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Targets, sources (zero where the painter is to imagine), slot values and which slots are told."""
    pick = torch.randint(len(pool.slot), (size,))
    target, values, slot = pool.target[pick].float(), pool.values[pick], pool.slot[pick]
    shown = pool.present[pick]
    edit = torch.rand(size) < edit_share
    source = pool.source[pick].float()
    source = (source + 0.03 * torch.randn_like(source)) * edit[:, None, None, None]
    # Imagining: any subset of what is shown may be told. Editing: the spoilt slot, seldom more.
    told = torch.rand(shown.shape) < torch.rand(size, 1) * 0.9 + 0.1
    few = torch.rand(shown.shape) < 0.25 * (torch.rand(size, 1) < 0.3)
    told = torch.where(edit[:, None], few, told)
    told[torch.arange(size), slot] |= edit
    told &= (torch.rand(size, 1) > 0.1) & shown
    return target, source, values, told


def train_denoiser(
    pool: Pool, config: dict, latent_channels: int, work: Path
) -> tuple[UNet2DConditionModel, BlueprintEncoder]:
    """Flow matching (Lipman et al. 2022, arXiv:2210.02747) with logit-normal times (Esser et al. 2024, arXiv:2403.03206)."""
    unet = make_unet(config, latent_channels).to(DEVICE, memory_format=torch.channels_last)
    reader = BlueprintEncoder(width=config["token_width"]).to(DEVICE)
    parameters = [*unet.parameters(), *reader.parameters()]
    print(f"denoiser: {sum(p.numel() for p in parameters) / 1e6:.1f} M parameters, {len(pool.slot)} examples")
    optimiser = torch.optim.AdamW(parameters, lr=config["learning_rate"], betas=(0.9, 0.99), weight_decay=0.01)
    ema = EMAModel(parameters, decay=config["ema"], use_ema_warmup=True, power=0.8)
    checkpoint = Checkpoint(work / "denoiser.pt")
    spent, first = 0.0, 0
    if saved := checkpoint.load():
        unet.load_state_dict(saved["unet"])
        reader.load_state_dict(saved["reader"])
        optimiser.load_state_dict(saved["optimiser"])
        ema.load_state_dict(saved["ema"])
        spent, first = saved["spent"], saved["step"]
    losses: list[float] = []
    for step, done in clock(config["minutes"], "denoiser", spent, first):
        optimiser.param_groups[0]["lr"] = config["learning_rate"] * min(1, step / 100) * max(0.02, 1 - done)
        target, source, values, told = (t.to(DEVICE) for t in batch_of(pool, config["batch"], config["edit_share"]))
        noise = torch.randn_like(target)
        when = torch.sigmoid(torch.randn(len(target), device=DEVICE))
        blend = when[:, None, None, None]
        noisy = torch.cat([(1 - blend) * target + blend * noise, source], dim=1)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            tokens, pooled = reader(values, told)
            guess = unet(
                noisy.contiguous(memory_format=torch.channels_last), when * 1000, tokens, class_labels=pooled
            ).sample
        loss = F.mse_loss(guess.float(), noise - target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        ema.step(parameters)
        losses.append(loss.item())
        if step % 50 == 49:
            tqdm.write(
                f"denoiser step {step + 1}: {done * config['minutes']:.1f} min, loss {np.mean(losses[-50:]):.4f}"
            )
        state = {
            "unet": unet.state_dict(),
            "reader": reader.state_dict(),
            "optimiser": optimiser.state_dict(),
            "ema": ema.state_dict(),
            "spent": done * config["minutes"],
            "step": step + 1,
        }
        checkpoint.keep(state)
    ema.copy_to(parameters)
    return unet.cpu(), reader.cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with side/side.csv and side/*.tar")
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/painter.toml"))
    parser.add_argument("--work", type=Path, default=Path(".train/painter"))
    parser.add_argument("--out", type=Path, default=Path("weights/painter"))
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.config.read_text())
    torch.manual_seed(config["seed"])
    np.random.seed(config["seed"])

    views = load_side_views(arguments.data, arguments.work)
    vae = train_autoencoder(views, config["autoencoder"], arguments.work)
    pool = build_pool(views, vae, config["seed"], arguments.work)
    unet, reader = train_denoiser(pool, config["denoiser"], vae.config.latent_channels, arguments.work)
    pipeline = SneakerPipeline(vae, reader, unet, FlowMatchEulerDiscreteScheduler()).to(torch.float16)
    pipeline.save_pretrained(arguments.out, max_shard_size="15MB")
    write_checksums(arguments.out)


if __name__ == "__main__":
    main()
