"""Pairs for edits of shape: the same shoe with another silhouette or another sole.

InstructPix2Pix had its pairs painted of the same noise with shared attention (Prompt-to-Prompt, Hertz et al. 2022,
arXiv:2208.01626) and kept those that a CLIP found to differ as the words do (Brooks et al. 2023, arXiv:2211.09800). So have we, with
one difference: one of either pair is painted after a photograph, and the photograph itself is the target. The source is the other one,
bent to the photograph's landmarks: the painter learns what another outline has, which no stretching gives.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dreamkicks.encoder.encoder import Encoder, open_encoder
from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.builtin import to_picture
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.networks import SLOTS, encode_slots
from dreamkicks.painter.pipeline import SneakerPipeline, sketch
from dreamkicks.painter.shape import warp, with_sole, with_upper
from scripts.lib.examples import SHAPES, Pool, distance
from scripts.lib.photographs import caption
from scripts.lib.sideviews import SideViews

_SHARED = (0.1, 0.9)
"""Bounds of the share of attention that is shared, drawn anew for every pair."""

_RANGES = {"height": (0.36, 0.72), "sole_height": (0.06, 0.2)}
"""What is asked for, over the shoe's width: nearly all that the training pictures have."""

_APART = {"height": 0.08, "sole_height": 0.03}
"""By how much it has to differ from what the photograph shows."""


class SharedAttention:
    """Attention in which the second half of a batch looks where the first half does, in a share (n,) of the layers."""

    def __init__(self, share: Tensor) -> None:
        self._share = share

    def __call__(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: object
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            project(one).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for project, one in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
        )
        half = len(self._share)
        taken = torch.rand(half) < self._share
        for one in (query, key):
            one[half:][taken] = one[:half][taken]
        seen = F.scaled_dot_product_attention(query, key, value)
        return attn.to_out[0](seen.transpose(1, 2).flatten(2))


@dataclass(frozen=True)
class Swap:
    """What a photograph shows, and the same but for one slot."""

    shown: Blueprint
    slot: str
    asked: Blueprint


@torch.no_grad()
def build_swaps(pool: Pool, views: SideViews, pipeline: SneakerPipeline, config: dict, seed: int, work: Path) -> Pool:
    """The pool and, after its own, examples of other silhouettes and soles of some of its photographs."""
    file = work / "swaps.pt"
    if file.exists():
        return Pool(**torch.load(file, weights_only=True))
    pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
    encoder, draw = open_encoder(), random.Random(seed)
    firsts = torch.cat([torch.tensor([True]), pool.index[1:] != pool.index[:-1]])
    rows = (firsts & pool.plain).nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows))[: config["count"]]]
    taken, sources, slots = [], [], []
    for place, row in enumerate(tqdm(rows.tolist(), desc="swap")):
        seen = measure(np.asarray(views.pictures[pool.index[row]]))
        swap = seen and _draw(seen, SHAPES[place % len(SHAPES)], draw)
        if not swap:
            continue
        for source in _painted(pool, row, swap, pipeline, encoder, config):
            taken.append(row)
            sources.append(source)
            slots.append(SLOTS.index(swap.slot))
    print(f"swaps: {len(taken)} pairs of {len(rows)} photographs")
    if taken:
        more = {name: column[taken] for name, column in asdict(pool).items()}
        more |= {"source": torch.stack(sources).half(), "slot": torch.tensor(slots)}
        pool = Pool(**{name: torch.cat([column, more[name]]) for name, column in asdict(pool).items()})
    torch.save(asdict(pool), file)
    return pool


def _draw(seen: Measured, slot: str, draw: random.Random) -> Swap | None:
    was = getattr(seen.blueprint, slot)
    wanted = draw.uniform(*_RANGES[slot])
    if was is None or abs(wanted - was) < _APART[slot]:
        return None
    return Swap(seen.blueprint, slot, replace(seen.blueprint, **{slot: wanted}))


def _painted(
    pool: Pool, row: int, swap: Swap, pipeline: SneakerPipeline, encoder: Encoder, config: dict
) -> list[Tensor]:
    """Sources (channels, 12, 16) that become a photograph by an edit: those of two attempts that pass the gate."""
    vae, prior, tries = pipeline.vae, pipeline.prior, 2
    shape, look = (column[[row]].float().to(pipeline.device) for column in (pool.shape, pool.look))
    other, other_look = pipeline.relative(shape, look, swap.shown, swap.asked)
    wanted = torch.tensor([getattr(swap.asked, swap.slot)], device=pipeline.device)
    bent = with_upper(shape, other, wanted) if swap.slot == "height" else with_sole(shape, wanted)
    own_look = prior.decode(prior.encode(shape, look))[1]
    sources = sketch(prior, vae, torch.cat([shape, bent]), torch.cat([own_look, other_look]))
    sources = sources.repeat_interleave(tries, 0)
    values, present = encode_slots([swap.shown] * tries + [swap.asked] * tries)
    tokens, pooled = pipeline.reader(values.to(pipeline.device), present.to(pipeline.device))
    noise = torch.randn(tries, *sources.shape[1:], device=pipeline.device).repeat(2, 1, 1, 1)
    shared = torch.empty(tries).uniform_(*_SHARED)
    usual = pipeline.unet.attn_processors
    pipeline.unet.set_attn_processor(SharedAttention(shared))
    shown = torch.cat([noise, sources], dim=1)
    latents = noise - pipeline.unet(shown, 1000, tokens, class_labels=pooled).sample
    pipeline.unet.set_attn_processor(usual)
    pictures = [to_picture(one[None]) for one in pipeline.decode(latents)]
    passed = [
        attempt
        for attempt in range(tries)
        if passes(swap, pictures[attempt], pictures[tries + attempt], encoder, config)
    ]
    if not passed:
        return []
    painted = vae.synthesise(latents[tries:][passed])
    back = warp(painted, bent.expand(len(passed), -1), shape.expand(len(passed), -1), painted.shape[2])
    return list(vae.analyse(back).cpu())


def passes(swap: Swap, one: Image.Image, two: Image.Image, encoder: Encoder, config: dict) -> bool:
    """Whether two pictures differ as was asked and only so, by what is measured of them and by InstructPix2Pix's gate."""
    first, second = measure(np.asarray(one)), measure(np.asarray(two))
    if first is None or second is None:
        return False
    was, now = first.blueprint, second.blueprint
    moved = (getattr(now, swap.slot) or 0) - (getattr(was, swap.slot) or 0)
    wanted = getattr(swap.asked, swap.slot) - getattr(swap.shown, swap.slot)
    colours = [(was.upper, now.upper), (was.sole, now.sole)]
    if not 0.5 < moved / wanted < 1.5:
        return False
    if any(a is None or b is None or distance(a, b) > config["colour"] for a, b in colours):
        return False
    seen, said = encoder.pictures([one, two]), encoder.words([caption(swap.shown, ""), caption(swap.asked, "")])
    way, told = seen[1] - seen[0], said[1] - said[0]
    # Captions say nothing of how high a sole is.
    along = way @ told > config["along"] * np.linalg.norm(way) * np.linalg.norm(told) or not told.any()
    return bool(along and seen[0] @ seen[1] > config["alike"] and (seen * said).sum(1).min() > config["said"])
