"""The painter that ships: the vocabulary reads, the pipeline paints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from dreamkicks import device as devices
from dreamkicks.errors import Cancelled
from dreamkicks.files import verify_checksums
from dreamkicks.painter import vocabulary
from dreamkicks.painter.blueprint import Blueprint, silhouette_name
from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import Measured, faces_left, is_side_view, measure
from dreamkicks.painter.painter import OnStep, Painting, Step
from dreamkicks.painter.pipeline import HALF, SIDE, SneakerPipeline, guided
from dreamkicks.painter.presets import Preset
from dreamkicks.painter.region import (
    follow_sole,
    is_shape,
    keep_the_rest,
    one_by_one,
    share_of,
    to_tell,
    tune,
    tune_pattern,
    weight_of,
)

_NOTHING = (
    "Nothing was asked for that the built-in painter can change. The picture is as it was; name a part and a colour."
)
_ALREADY = "Its height is about that already, or as far as it goes. The picture is as it was."
_FOREIGN = (
    "This does not look like one sneaker seen from the side on plain ground, so the built-in painter may spoil it. "
    "Take a picture from the side, or let a hub preset edit it: dreamkicks models list"
)


class BuiltinPainter:
    """Paints what the vocabulary understands, 256 px, in well under a second on two cores."""

    def __init__(self, preset: Preset, folder: Path, device: str = "auto") -> None:
        """Raises WeightsError when the weights are missing or damaged."""
        verify_checksums(folder)
        self.preset = preset
        # Full precision: at this size half precision is no quicker on a CPU, and seeds stay comparable between machines.
        self._pipeline = SneakerPipeline.load(folder).to(devices.choose(device).name, torch.float32)

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        begun = time.perf_counter()
        run = _Run(vocabulary.read(prompt), seed, self.preset, on_step, begun, total=1 + self.preset.steps)
        painted = to_picture(
            self._pipeline(
                run.reading.blueprint,
                run.noise(),
                steps=self.preset.steps,
                guidance=self.preset.guidance,
                on_step=lambda guess: self._tell(run, guess),
            )
        )
        # Toe, heel and accents are where the design has them, and not where they are measured.
        colours = Blueprint(upper=run.reading.blueprint.upper, sole=run.reading.blueprint.sole)
        if colours != Blueprint() and (seen := measure(np.asarray(painted))):
            pixels = np.asarray(painted)
            painted = Image.fromarray(tune(pixels, follow_sole(pixels, seen), colours, 1.0))
        if size is not None and size != SIDE:
            painted = painted.resize((size, size), Image.Resampling.LANCZOS)
        return run.painting(painted)

    def edit(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int,
        *,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> Painting:
        begun = time.perf_counter()
        now = frame(picture)
        mirrored = faces_left(np.asarray(now))
        if mirrored:
            now = ImageOps.mirror(now)
        seen = measure(np.asarray(now))
        reading = vocabulary.read(instruction, seen.blueprint if seen else None)
        run = _Run(reading, seed, self.preset, on_step, begun, self.preset.steps, mirrored)
        asked = reading.blueprint
        if asked == Blueprint():
            run.remark, run.mirrored = _NOTHING, False
            return run.painting(picture)
        if not is_side_view(np.asarray(now)):
            run.remark = _FOREIGN
        moved = 1.0 if strength is None else strength
        if seen is None:
            return run.painting(self._repaint(run, asked, np.asarray(now), moved))
        turns = [turn for turn in one_by_one(asked) if not _is_as_high(seen.blueprint, turn)]
        if not turns:
            run.remark, run.mirrored = _ALREADY, False
            return run.painting(picture)
        run.total = sum(1 if is_shape(turn) else self.preset.steps for turn in turns)
        for turn in turns:
            before = np.asarray(now)
            seen = measure(before) or seen
            if is_shape(turn):
                now = self._reshape(run, turn, before, seen, moved)
                continue
            seen = follow_sole(before, seen)
            after = np.asarray(self._repaint(run, to_tell(turn), before, moved))
            share = share_of(before, after, seen, turn)
            if turn.pattern is None and turn.brand is None:
                weight = torch.from_numpy(weight_of(seen, turn))[None, None]
                pixels = guided(to_tensor(after), to_tensor(before), weight)
                after = np.asarray(to_picture(pixels))
            after = tune(tune_pattern(after, turn, moved), seen, turn, moved)
            now = Image.fromarray(keep_the_rest(before, after, share))
        return run.painting(now)

    def _reshape(self, run: _Run, asked: Blueprint, before: np.ndarray, seen: Measured, strength: float) -> Image.Image:
        if asked.sole_height is not None:  # not painted over: what is bent stays as sharp as it was
            now = to_picture(self._pipeline.bend(to_tensor(before), seen, asked.sole_height, strength))
        else:
            # Leather as white as the paper was not measured, and is followed.
            now = self._swap(run, asked, before, follow_sole(before, seen), strength)
        run.tell(F.avg_pool2d(to_tensor(np.asarray(now)), 2)[:, :, HALF])
        return now

    def _swap(self, run: _Run, asked: Blueprint, before: np.ndarray, seen: Measured, strength: float) -> Image.Image:
        assert asked.height is not None
        painted, where = self._pipeline.swap(to_tensor(before), seen, asked.height, strength, run.noise())
        after = np.asarray(to_picture(painted))
        if found := measure(after):
            after = tune(after, follow_sole(after, found), Blueprint(upper=seen.blueprint.upper), 1.0)
        return Image.fromarray(keep_the_rest(before, after, where[0, 0].cpu().numpy()))

    def _repaint(self, run: _Run, told: Blueprint, picture: np.ndarray, strength: float) -> Image.Image:
        pixels = self._pipeline(
            told,
            run.noise(),
            picture=to_tensor(picture),
            steps=self.preset.steps,
            guidance=self.preset.guidance,
            strength=strength,
            on_step=lambda guess: self._tell(run, guess),
        )
        return to_picture(pixels)

    def _tell(self, run: _Run, guess: Tensor) -> None:
        # The linear half of the decoder costs 1 ms: half size, soft, and true in colour and shape.
        run.tell(self._pipeline.vae.synthesise(guess))


def _is_as_high(shown: Blueprint, asked: Blueprint) -> bool:
    """Whether a silhouette is asked for that nobody could tell from the one that is shown."""
    if shown.height is None or asked.height is None:
        return False
    return silhouette_name(shown.height) == silhouette_name(asked.height) and asked.unlike(shown) < 1


@dataclass
class _Run:
    """One request while it is painted, in one turn or several."""

    reading: vocabulary.Reading
    seed: int
    preset: Preset
    on_step: OnStep | None
    begun: float
    total: int
    mirrored: bool = False
    """Whether the picture faces left: the painter knows toes to the right only, and what is shown is turned back."""
    remark: str | None = None
    steps: int = 0

    def noise(self) -> torch.Generator:
        """The source of noise of a turn."""
        return torch.Generator().manual_seed(self.seed)

    def tell(self, band: Tensor) -> None:
        """A step is over: tell so, with a preview of (1, 3, 96, 128)."""
        self.steps += 1
        if self.on_step is None:
            return
        sheet = torch.ones(1, 3, SIDE // 2, SIDE // 2)
        sheet[:, :, HALF] = band.clamp(-1, 1).cpu()
        try:
            self.on_step(Step(self.steps, self.total, self._turned(to_picture(sheet))))
        except Cancelled as cancelled:
            cancelled.steps = self.steps
            raise

    def painting(self, picture: Image.Image) -> Painting:
        return Painting(
            picture=self._turned(picture),
            seed=self.seed,
            steps=self.steps,
            seconds=time.perf_counter() - self.begun,
            model=self.preset.name,
            understood=self.reading.understood,
            ignored=self.reading.ignored,
            remark=self.remark,
        )

    def _turned(self, picture: Image.Image) -> Image.Image:
        return ImageOps.mirror(picture) if self.mirrored else picture


def to_tensor(picture: np.ndarray) -> Tensor:
    """A picture (h, w, 3) uint8 as (1, 3, h, w) in -1..1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_picture(pixels: Tensor) -> Image.Image:
    """(1, 3, h, w) in -1..1 as an RGB picture."""
    array = ((pixels[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(array.cpu().numpy())
