"""Training that ends on time, whatever the machine does beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tqdm import tqdm


def clock(minutes: float, name: str, spent: float = 0.0, step: int = 0) -> Iterator[tuple[int, float]]:
    """Steps until the minutes are over, each with the share of them that is gone; shows a progress bar."""
    begun = time.monotonic() - spent * 60
    with tqdm(total=100, desc=name, unit="%", bar_format="{l_bar}{bar}| {elapsed}", mininterval=5) as bar:
        while (done := (time.monotonic() - begun) / (minutes * 60)) < 1:
            bar.update(int(done * 100) - bar.n)
            yield step, done
            step += 1
