"""Training that ends on time, whatever the machine does beside it, and goes on where it was stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import ModelMixin
from tqdm import tqdm


def clock(minutes: float, name: str, spent: float = 0.0, step: int = 0) -> Iterator[tuple[int, float]]:
    """Steps until the minutes are over, each with the share of them that is gone; shows a progress bar."""
    begun = time.monotonic() - spent * 60
    with tqdm(total=100, desc=name, unit="%", bar_format="{l_bar}{bar}| {elapsed}", mininterval=5) as bar:
        while (done := (time.monotonic() - begun) / (minutes * 60)) < 1:
            bar.update(int(done * 100) - bar.n)
            yield step, done
            step += 1


class Checkpoint:
    """A file that training goes on from; written beside and renamed, every four minutes.

    The parts are put back to where they were when it was written last, with the minutes `spent` and the `step` that comes next.
    """

    def __init__(self, file: Path, **parts: Any) -> None:
        self._file, self._parts = file, parts
        self._kept = time.monotonic()
        self.spent, self.step = 0.0, 0
        if file.exists():
            saved = torch.load(file, weights_only=True, map_location="cpu")
            for name, part in parts.items():
                part.load_state_dict(saved[name])
            self.spent, self.step = saved["spent"], saved["step"]

    def keep(self, spent: float, step: int) -> None:
        """Write the parts as they are after so many minutes and steps, if the last time is long ago."""
        if time.monotonic() - self._kept > 240:
            beside = self._file.with_suffix(".part")
            state = {name: part.state_dict() for name, part in self._parts.items()}
            torch.save(state | {"spent": spent, "step": step}, beside)
            beside.replace(self._file)
            self._kept = time.monotonic()


def finish(stage: Path, **parts: ModelMixin) -> None:
    """Save what a stage has trained. Its folder is there only when all of it is."""
    beside = stage.with_suffix(".new")
    shutil.rmtree(beside, ignore_errors=True)
    for name, part in parts.items():
        part.cpu().save_pretrained(beside / name)
    beside.rename(stage)
