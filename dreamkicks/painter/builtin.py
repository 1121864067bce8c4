"""The painter that ships: the vocabulary reads, the pipeline paints."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamkicks import device as devices
from dreamkicks.errors import Cancelled
from dreamkicks.files import verify_checksums
from dreamkicks.painter import vocabulary
from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import measure
from dreamkicks.painter.painter import OnStep, Painting, Step
from dreamkicks.painter.pipeline import CROP, SIDE, SneakerPipeline
from dreamkicks.painter.presets import Preset
from dreamkicks.painter.region import bend, keep_the_rest, one_by_one, to_tell

_SMOOTHING = 0.4
"""Strength of an edit that bending the picture has done already: enough to paint over the stretch marks."""


class BuiltinPainter:
    """Paints what the vocabulary understands, 128 px, in well under a second on two cores."""

    def __init__(self, preset: Preset, folder: Path, device: str = "auto") -> None:
        """Raises WeightsError when the weights are missing or damaged."""
        verify_checksums(folder)
        self.preset = preset
        # Full precision: at this size half precision is no quicker on a CPU, and seeds stay comparable between machines.
        self._pipeline = SneakerPipeline.load(folder).to(devices.choose(device).name, torch.float32)

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        run = _Run(vocabulary.read(prompt), seed, self.preset, on_step)
        painted = self._paint(run, run.reading.blueprint, None, 1.0)
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
        now = frame(picture)
        seen = measure(np.asarray(now))
        run = _Run(vocabulary.read(instruction, seen.blueprint if seen else None), seed, self.preset, on_step)
        asked = run.reading.blueprint
        if seen is None:
            return run.painting(self._paint(run, asked, np.asarray(now), 1.0 if strength is None else strength))
        turns = one_by_one(asked)
        run.turns = len(turns)
        for turn in turns:
            before = np.asarray(now)
            seen = measure(before) or seen
            told = to_tell(turn)
            moved = strength if strength is not None else _SMOOTHING if told.is_empty() else 1.0
            after = np.asarray(self._paint(run, told, bend(before, seen, turn), moved))
            now = Image.fromarray(keep_the_rest(before, after, seen, turn))
        return run.painting(now)

    def _paint(self, run: _Run, told: Blueprint, picture: np.ndarray | None, strength: float) -> Image.Image:
        pixels = self._pipeline(
            told,
            torch.Generator().manual_seed(run.seed),
            picture=None if picture is None else to_tensor(picture),
            steps=self.preset.steps,
            guidance=self.preset.guidance,
            strength=strength,
            # The linear half of the decoder costs 1 ms: blocky, and true in colour and shape.
            on_step=lambda number, guess: run.tell(number, self._pipeline.vae.synthesis(guess)),
        )
        run.steps += self.preset.steps
        return to_picture(pixels)


@dataclass
class _Run:
    """One request while it is painted, in one turn or several."""

    reading: vocabulary.Reading
    seed: int
    preset: Preset
    on_step: OnStep | None
    turns: int = 1
    steps: int = 0
    begun: float = field(default_factory=time.perf_counter)

    def tell(self, number: int, band: Tensor) -> None:
        """A step of a turn is over: tell so, with a preview of (1, 3, 96, 128)."""
        if self.on_step is None:
            return
        sheet = torch.ones(1, 3, SIDE, SIDE)
        sheet[:, :, CROP[0] : CROP[1]] = band.clamp(-1, 1).cpu()
        done = self.steps + number
        try:
            self.on_step(Step(done, self.turns * self.preset.steps, to_picture(sheet)))
        except Cancelled as cancelled:
            cancelled.steps = done
            raise

    def painting(self, picture: Image.Image) -> Painting:
        return Painting(
            picture=picture,
            seed=self.seed,
            steps=self.steps,
            seconds=time.perf_counter() - self.begun,
            model=self.preset.name,
            size=picture.width,
            understood=self.reading.understood,
            ignored=self.reading.ignored,
        )


def to_tensor(picture: np.ndarray) -> Tensor:
    """A picture (h, w, 3) uint8 as (1, 3, h, w) in -1..1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_picture(pixels: Tensor) -> Image.Image:
    """(1, 3, h, w) in -1..1 as an RGB picture."""
    array = ((pixels[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(array.cpu().numpy())
