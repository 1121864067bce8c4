"""The examples that the built-in painter learns from: photographs, and spoilt copies to edit back into them."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from dreamkicks.painter.blueprint import BRANDS, Blueprint, Lab
from dreamkicks.painter.measure import Measured, measure, oddness
from dreamkicks.painter.networks import SLOTS, DraftPrior, LappedAutoencoder, encode_slots
from dreamkicks.painter.pipeline import CROP, HALF, on_mean_shape, sketch
from dreamkicks.painter.shape import landmarks
from scripts.lib import pairs
from scripts.lib.designs import group
from scripts.lib.sideviews import SideViews

PLAIN = 1.2
"""Oddness of outlines above which shoes were cut off, reflected or two (many of the 8 % of training pictures above, looked at by eye)."""

SHAPES = ("height", "sole_height")
"""The slots of examples whose source has another outline (`swaps.py`); they come after all others."""

_RESHAPED = 0.3
"""The share of edits that is drawn from them."""


@dataclass
class Pool:
    """Training examples: targets, the spoilt sources of the edits, what the targets show and which slot was spoilt."""

    target: Tensor  # (n, latent channels, 12, 16) float16
    source: Tensor  # the same
    shape: Tensor  # (n, LANDMARKS) float16 of the target, in px of the band at half size
    look: Tensor  # (n, *prior's latents) float16: the target on the mean shape
    design: Tensor  # (n,) which shoes it is built like
    plain: Tensor  # (n,) bool: the whole shoe is in the picture, once and without a reflection
    values: Tensor  # (n, slots, 3)
    present: Tensor  # (n, slots) bool
    slot: Tensor  # (n,) index into SLOTS
    photograph: Tensor  # (n,) bool: the target is an untouched photograph
    index: Tensor  # (n,) which of the side views it was made from

    @property
    def reshaped(self) -> Tensor:
        """(n,) bool: the source has another outline."""
        return torch.isin(self.slot, torch.tensor([SLOTS.index(slot) for slot in SHAPES]))


def to_tensor(pictures: np.ndarray) -> Tensor:
    """(n, 128, 128, 3) uint8 to the band that the painter paints, at half size, (n, 3, 96, 128) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures[:, HALF])).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_band(pictures: np.ndarray, rows: np.ndarray) -> Tensor:
    """Some `rows` of pictures (n, 256, 256, 3) uint8 as the band that the painter paints, (m, 3, 192, 256) in -1..1."""
    some = np.stack([pictures[row, CROP[0] : CROP[1]] for row in rows])
    return torch.from_numpy(some).permute(0, 3, 1, 2).float() / 127.5 - 1


def descend(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    """One step, of bounded length."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 1.0)
    optimiser.step()


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
    picture: np.ndarray, seen: Measured, everyone: list[Measured], other: np.ndarray, draw: random.Random
) -> list[tuple[np.ndarray, np.ndarray, Blueprint, str, bool]]:
    """Some five examples of one photograph: (target, source, what the target shows, spoilt slot, target untouched).

    The first one's target is untouched. Another photograph lends its texture.
    """
    shown = seen.blueprint
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
    spoilt = pairs.smooth(picture, seen) if (shown.pattern or 0) > 0.5 else pairs.roughen(picture, seen, other)
    examples.append((picture, spoilt, shown, "pattern", True))
    return examples


def distance(one: Lab, other: Lab) -> float:
    """CIE76 colour difference."""
    return float(np.linalg.norm(np.subtract(one, other)))


@torch.no_grad()
def build_pool(views: SideViews, vae: LappedAutoencoder, designs: int, seed: int, work: Path) -> Pool:
    """Measure and spoil every training picture once; only latents are kept. They are sorted into so many `designs`."""
    file = work / "pool.pt"
    if file.exists():
        return Pool(**torch.load(file, weights_only=True))
    draw = random.Random(seed)
    train = np.flatnonzero(~views.held)
    measured = {i: measure(np.asarray(views.pictures[i])) for i in tqdm(train, desc="measure")}
    seen = {i: found for i, found in measured.items() if found and found.blueprint.upper}
    everyone = list(seen.values())
    shapes = {i: shape_of(found) for i, found in seen.items()}
    mean_shape = torch.stack(list(shapes.values())).mean(0)
    columns: dict[str, list] = {name: [] for name in Pool.__annotations__}
    for i, found in tqdm(seen.items(), desc="spoil"):
        brand = views.brands[i] if views.brands[i] in BRANDS else None
        found = replace(found, blueprint=replace(found.blueprint, brand=brand))
        other = np.asarray(views.pictures[draw.choice(train)])
        examples = spoil(np.asarray(views.pictures[i]), found, everyone, other, draw)
        targets, sources, blueprints, slots, untouched = zip(*examples, strict=True)
        pictures, shape = to_tensor(np.stack(targets)), shapes[i].expand(len(targets), -1)
        columns["target"].append(vae.analyse(pictures).half())
        columns["shape"].append(shape.half())
        columns["look"].append(on_mean_shape(vae, mean_shape, pictures, shape).half())
        columns["source"].append(vae.analyse(to_tensor(np.stack(sources))).half())
        values, present = encode_slots(blueprints)
        columns["values"].append(values)
        columns["present"].append(present)
        plain = oddness(np.asarray(views.pictures[i])) < PLAIN
        columns["plain"].append(torch.full((len(slots),), plain))
        columns["slot"].append(torch.tensor([SLOTS.index(slot) for slot in slots]))
        columns["photograph"].append(torch.tensor(untouched))
        columns["index"].append(torch.full((len(slots),), int(i)))
    looks = torch.cat([look[:1] for look in columns["look"]]).float()
    grey = torch.cat([vae.synthesise(part).mean(1) for part in looks.split(512)])
    groups = group(grey.numpy(), torch.stack(list(shapes.values())).numpy(), designs)
    columns["design"] = [torch.full((len(c),), int(g)) for c, g in zip(columns["slot"], groups, strict=True)]
    pool = Pool(**{name: torch.cat(parts) for name, parts in columns.items()})
    torch.save(asdict(pool), file)
    return pool


@torch.no_grad()
def drafts(prior: DraftPrior, vae: LappedAutoencoder, pool: Pool, pick: Tensor, told: Tensor) -> Tensor:
    """What the prior could have made of some targets: noise laid over their codes, and taken away again by the prior.

    So the painter learns to put right what the prior gets wrong, while the target is still known. After 0.9 of
    noise the prior makes another shoe of it (0.32 of squared latents away, where codes alone lose 0.07 and 0.3 of noise 0.13); of drafts
    with at most 0.3 the painter learned to believe whatever a dream's draft shows, clouds and all.
    """
    place = prior.device
    codes = prior.encode(pool.shape[pick].to(place, torch.float32), pool.look[pick].to(place, torch.float32))
    start = 0.6 * torch.rand(len(pick), device=place)
    asked = (t.to(place) for t in (pool.values[pick], told, pool.design[pick]))
    noisy = codes + start[:, None] * (torch.randn_like(codes) - codes)
    return sketch(prior, vae, *prior.decode(prior.sample(noisy, *asked, start, steps=8))).cpu()


def shape_of(seen: Measured) -> Tensor:
    """Landmarks (LANDMARKS,) of a picture 128 px high, in the band's rows."""
    shape = torch.from_numpy(landmarks(seen))
    shape[2:] -= HALF.start
    return shape


def choose(pool: Pool, edit: Tensor) -> Tensor:
    """Examples (n,) to paint out, or to `edit` (n,) bool."""
    reshaped = int(pool.reshaped.sum())
    others = len(pool.slot) - reshaped
    pick = torch.randint(others, edit.shape)
    if reshaped:
        pick = torch.where(
            edit & (torch.rand(len(edit)) < _RESHAPED), others + torch.randint(reshaped, edit.shape), pick
        )
    return pick


def asked_of(pool: Pool, pick: Tensor, edit: Tensor) -> tuple[Tensor, Tensor]:
    """Slot values of the examples `pick` (n,) and which slots are told, to imagine them or to `edit` (n,) bool."""
    values, shown = pool.values[pick], pool.present[pick]
    size = len(pick)
    # Imagining: any subset of what is shown may be told. Editing: the spoilt slot, seldom more.
    told = torch.rand(shown.shape) < torch.rand(size, 1) * 0.9 + 0.1
    few = torch.rand(shown.shape) < 0.25 * (torch.rand(size, 1) < 0.3)
    told = torch.where(edit[:, None], few, told)
    told[torch.arange(size), pool.slot[pick]] |= edit
    return values, told & (torch.rand(size, 1) > 0.1) & shown


def sources_of(
    pool: Pool, prior: DraftPrior, vae: LappedAutoencoder, pick: Tensor, edit: Tensor, told: Tensor
) -> Tensor:
    """What the examples `pick` (n,) are painted over: those to `edit` (n,) bool the spoilt picture, the others a draft of the target."""
    source = pool.source[pick].float()
    source = source + 0.03 * torch.randn_like(source)
    source[~edit] = drafts(prior, vae, pool, pick[~edit], told[~edit])
    return source
