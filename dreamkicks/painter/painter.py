"""What every painter offers, and the one place that opens them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from dreamkicks import locations
from dreamkicks.painter.presets import Preset, find_preset

BUILTIN = "builtin"


@dataclass(frozen=True)
class Step:
    """One denoising step that is over."""

    number: int
    total: int
    preview: Image.Image | None
    """What the picture will be like, 128 px at most."""


@dataclass(frozen=True)
class Painting:
    """A finished picture and how it came about."""

    picture: Image.Image
    seed: int
    steps: int
    seconds: float
    model: str
    understood: tuple[str, ...]
    ignored: tuple[str, ...]
    remark: str | None = None
    """What the person should know beside the picture, and what to do: that the painter does not know such pictures."""


OnStep = Callable[[Step], None]
"""Told after every step. It may raise errors.Cancelled, and painting stops there and then."""


class Painter(Protocol):
    """Imagines sneakers and edits pictures of them."""

    preset: Preset

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        """Paint what the prompt says. Raises Cancelled, PainterError."""
        ...

    def edit(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int,
        *,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> Painting:
        """Change the picture as the instruction says; `strength` 0..1 is how far it may move. Raises Cancelled, PainterError."""
        ...


_opening = threading.Lock()


def open_painter(name: str = BUILTIN, device: str = "auto") -> Painter:
    """The painter of a preset, or of a folder in diffusers' layout; opened once in a process.

    Raises UnknownPreset, ModelMissing (its weights are not here), WeightsError, PainterError.
    """
    with _opening:
        return _open(name, device)


@functools.cache
def _open(name: str, device: str) -> Painter:
    preset = find_preset(name)
    if preset.name == BUILTIN:
        from dreamkicks.painter.builtin import BuiltinPainter

        return BuiltinPainter(preset, locations.weights() / "painter", device)
    from dreamkicks.painter.hub import HubPainter, local_folder

    return HubPainter(preset, Path(preset.repo) if preset.is_folder else local_folder(preset), device)
