"""sRGB to CIELAB (D65) and back, for whole batches."""

from __future__ import annotations

import torch
from torch import Tensor

# IEC 61966-2-1 primaries, rows X Y Z, divided by the D65 white point.
_WHITE = torch.tensor([0.95047, 1.0, 1.08883])
_RGB_TO_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO = _RGB_TO_XYZ / _WHITE[:, None]
_BACK = torch.linalg.inv(_TO)
_KNEE = 6 / 29


def to_lab(rgb: Tensor) -> Tensor:
    """(..., 3) sRGB in 0..1 to (..., 3) L 0..100, a, b."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4)
    xyz = linear @ _TO.T
    f = torch.where(xyz > _KNEE**3, xyz.clamp(min=1e-8) ** (1 / 3), xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def to_rgb(lab: Tensor) -> Tensor:
    """(..., 3) CIELAB to (..., 3) sRGB clipped to 0..1."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-1)
    xyz = torch.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
    linear = (xyz @ _BACK.T).clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
