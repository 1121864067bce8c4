"""Training that ends on time, whatever the machine does beside it, and goes on where it was stopped."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ModelMixin
from tqdm import tqdm

KEPT_EVERY = 240.0
"""Seconds between two times that a stage under way is written."""


def clock(minutes: float, name: str, spent: float = 0.0, step: int = 0) -> Iterator[tuple[int, float]]:
    """Steps until the minutes are over, each with the share of them that is gone; shows a progress bar."""
    begun = time.monotonic() - spent * 60
    with tqdm(total=100, desc=name, unit="%", bar_format="{l_bar}{bar}| {elapsed}", mininterval=5) as bar:
        while (done := (time.monotonic() - begun) / (minutes * 60)) < 1:
            bar.update(int(done * 100) - bar.n)
            yield step, done
            step += 1


def seed_all(seed: int) -> None:
    """Every source of random numbers that training draws from."""
    for source in (random.seed, np.random.seed, torch.manual_seed):
        source(seed)


class Checkpoint:
    """A file that training goes on from, with the parts as they were when it was written last."""

    def __init__(self, file: Path, **parts: Any) -> None:
        self._file, self._parts = file, parts
        self._spent, self._step = 0.0, 0
        if file.exists():
            saved = torch.load(file, weights_only=True, map_location="cpu")
            for name, part in parts.items():
                part.load_state_dict(saved[name])
            self._spent, self._step = saved["spent"], saved["step"]

    def steps(self, minutes: float, name: str) -> Iterator[tuple[int, float]]:
        """Steps of a clock that stood still while training did; the parts are kept from time to time.

        After a stop other random numbers come, or each sitting would draw the same examples again.
        """
        if self._step:
            seed_all(self._step)
        kept = time.monotonic()
        for step, done in clock(minutes, name, self._spent, self._step):
            yield step, done
            if time.monotonic() - kept > KEPT_EVERY:
                self._keep(done * minutes, step + 1)
                kept = time.monotonic()

    def _keep(self, spent: float, step: int) -> None:
        beside = self._file.with_suffix(".part")
        state = {name: part.state_dict() for name, part in self._parts.items()}
        torch.save(state | {"spent": spent, "step": step}, beside)
        beside.replace(self._file)


def finish(stage: Path, **parts: ModelMixin) -> None:
    """Save what a stage has trained. Its folder is there only when all of it is, and the checkpoint of that name only until then."""
    beside = stage.with_suffix(".new")
    shutil.rmtree(beside, ignore_errors=True)
    for name, part in parts.items():
        part.cpu().save_pretrained(beside / name)
    beside.rename(stage)
    stage.with_suffix(".pt").unlink(missing_ok=True)
