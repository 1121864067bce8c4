"""The painter that ships: the vocabulary reads, the pipeline paints."""

from __future__ import annotations

import time
from collections.abc import Callable
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


class BuiltinPainter:
    """Paints what the vocabulary understands, 128 px, in well under a second on two cores."""

    def __init__(self, preset: Preset, folder: Path, device: str = "auto") -> None:
        """Raises WeightsError when the weights are missing or damaged."""
        verify_checksums(folder)
        self.preset = preset
        # Full precision: at this size half precision is no quicker on a CPU, and seeds stay comparable between machines.
        self._pipeline = SneakerPipeline.load(folder).to(devices.choose(device).name, torch.float32)

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        return self._paint(vocabulary.read(prompt), seed, None, 1.0, size, on_step)

    def edit(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int,
        *,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> Painting:
        framed = frame(picture)
        seen = measure(np.asarray(framed))
        reading = vocabulary.read(instruction, seen.blueprint if seen else None)
        return self._paint(reading, seed, framed, 1.0 if strength is None else strength, None, on_step)

    def _paint(
        self,
        reading: vocabulary.Reading,
        seed: int,
        picture: Image.Image | None,
        strength: float,
        size: int | None,
        on_step: OnStep | None,
    ) -> Painting:
        begun = time.perf_counter()
        pixels = self._pipeline(
            reading.blueprint if reading.blueprint is not None else Blueprint(),
            torch.Generator().manual_seed(seed),
            picture=None if picture is None else to_tensor(picture),
            steps=self.preset.steps,
            guidance=self.preset.guidance,
            strength=strength,
            on_step=None if on_step is None else self._tell(on_step),
        )
        painted = to_picture(pixels)
        if size is not None and size != SIDE:
            painted = painted.resize((size, size), Image.Resampling.LANCZOS)
        return Painting(
            picture=painted,
            seed=seed,
            steps=self.preset.steps,
            seconds=time.perf_counter() - begun,
            model=self.preset.name,
            size=painted.width,
            understood=reading.understood,
            ignored=reading.ignored,
        )

    def _tell(self, on_step: OnStep) -> Callable[[int, Tensor], None]:
        def tell(number: int, guess: Tensor) -> None:
            # The linear half of the decoder costs 1 ms: blocky, and true in colour and shape.
            band = self._pipeline.vae.synthesis(guess).clamp(-1, 1)
            sheet = torch.ones(1, 3, SIDE, SIDE)
            sheet[:, :, CROP[0] : CROP[1]] = band.cpu()
            try:
                on_step(Step(number, self.preset.steps, to_picture(sheet)))
            except Cancelled as cancelled:
                cancelled.steps = number
                raise

        return tell


def to_tensor(picture: Image.Image) -> Tensor:
    """An RGB picture as (1, 3, h, w) in -1..1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_picture(pixels: Tensor) -> Image.Image:
    """(1, 3, h, w) in -1..1 as an RGB picture."""
    array = ((pixels[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(array.cpu().numpy())
