"""How long the parts of the loop take on this machine, warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from dreamkicks.catalogue.catalogue import OnProgress
from dreamkicks.studio import Studio


@dataclass(frozen=True)
class Timing:
    """Seconds over several runs."""

    part: str
    median: float
    slowest: float


def timed(run: Callable[[int], object], number: int) -> list[float]:
    """Seconds of so many runs, each told its number; before them is one that is not counted."""
    seconds = []
    for turn in range(number + 1):
        begun = time.perf_counter()
        run(turn)
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def measure_loop(studio: Studio, number: int, on_progress: OnProgress | None = None) -> list[Timing]:
    """Time each part `number` times; the run before opens the models."""
    _, picture = studio.paint("red sneaker", 0)
    parts: dict[str, Callable[[int], object]] = {
        "picture": lambda seed: studio.paint(None, seed),
        "edit": lambda seed: studio.repaint(picture, "make it blue", seed),
        "brand": lambda _: studio.classify(picture),
        "search by picture": lambda _: studio.search(picture),
        "search by words": lambda _: studio.search(text="red sneaker"),
    }
    timings = []
    for place, (part, run) in enumerate(parts.items()):
        if on_progress:
            on_progress(place, len(parts))
        seconds = timed(run, number)
        timings.append(Timing(part, statistics.median(seconds), max(seconds)))
    return timings
