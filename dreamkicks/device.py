"""Which device and number format the models run with."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreamkicks.errors import PainterError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Device:
    """A torch device by name and the dtype that is quick there."""

    name: str
    dtype: torch.dtype


@functools.cache
def choose(wanted: str = "auto") -> Device:
    """CUDA before Apple's GPU before the CPU; bf16 on a CPU only where it has instructions for it.

    Raises PainterError when the wanted device is not on this machine.
    """
    import torch

    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name in here if here[name]) if wanted == "auto" else wanted
    if not here.get(name, False):
        raise PainterError(
            f"This machine has no device '{wanted}'. Use --device auto, or one of: {', '.join(n for n in here if here[n])}."
        )
    if name == "cuda":
        return Device(name, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    if name == "mps":
        return Device(name, torch.float16)
    capable = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return Device(name, torch.bfloat16 if capable else torch.float32)
