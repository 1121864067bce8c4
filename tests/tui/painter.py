"""A painter with no network: it draws a simple shoe, step by step, the same for the same words and seed."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from dreamkicks.errors import Cancelled
from dreamkicks.painter import vocabulary
from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.colour import lab_of_hex
from dreamkicks.painter.measure import measure
from dreamkicks.painter.painter import OnStep, Painting, Step
from dreamkicks.painter.presets import find_preset
from dreamkicks.pictures import fit_square
from tests.drawing import hex_of_lab

STEPS = 8
SIDE = 128


class PlainPainter:
    """Waits at the steps named in `gates` until the gate is opened, so that a test can look while a painting is under way."""

    def __init__(self, gates: dict[int, threading.Event] | None = None) -> None:
        self.preset = replace(find_preset("builtin"), steps=STEPS)
        self.gates = gates or {}
        self.told = 0
        """Steps that the last painting told of."""

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        return self._paint(prompt, seed, None, on_step)

    def edit(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int,
        *,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> Painting:
        return self._paint(instruction, seed, picture, on_step)

    def _paint(self, words: str, seed: int, picture: Image.Image | None, on_step: OnStep | None) -> Painting:
        seen = measure(np.asarray(fit_square(picture, SIDE))) if picture is not None else None
        reading = vocabulary.read(words, seen.blueprint if seen else None)
        asked = {name: value for name, value in vars(reading.blueprint).items() if value is not None}
        blueprint = replace(seen.blueprint if seen else Blueprint(), **asked)
        upper = hex_of_lab(blueprint.upper or lab_of_hex(f"#{seed * 2654435761 % 2**24:06x}"))
        shoe = draw_shoe(upper, hex_of_lab(blueprint.sole or (90.0, 0.0, 0.0)), blueprint.height or 0.45)
        self.told = 0
        for number in range(1, STEPS + 1):
            if number in self.gates:
                self.gates[number].wait(10)
            if on_step is not None:
                preview = Image.blend(Image.new("RGB", shoe.size, "white"), shoe, number / STEPS)
                try:
                    on_step(Step(number, STEPS, preview))
                except Cancelled as cancelled:
                    cancelled.steps = number
                    raise
            self.told = number
        return Painting(shoe, seed, STEPS, 0.25, "builtin", reading.understood, reading.ignored)


def draw_shoe(upper: str, sole: str, height: float = 0.45) -> Image.Image:
    """A side view on white, the toe to the right."""
    sheet = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(sheet)
    left, right, bottom = 10, 118, 92
    top = bottom - round((right - left) * height)
    outline = [(left, top), (left + 34, top), (left + 58, top + 22), (right - 6, bottom - 28), (right, bottom - 10)]
    draw.polygon([*outline, (left, bottom - 10)], fill=upper)
    draw.rectangle((left, bottom - 10, right, bottom), fill=sole, outline="#444444")
    return sheet
