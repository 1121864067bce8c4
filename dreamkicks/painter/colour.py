"""sRGB and CIELAB under D65 (IEC 61966-2-1, CIE 15)."""

from __future__ import annotations

import numpy as np

from dreamkicks.painter.blueprint import Lab

_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO = (_TO / _WHITE[:, None]).astype(np.float32)
_BACK = np.linalg.inv(_TO)
_KNEE = 6 / 29


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB, uint8 or 0..1 floats, to (..., 3) float32 L 0..100, a, b."""
    rgb = rgb.astype(np.float32) / 255 if rgb.dtype == np.uint8 else rgb.astype(np.float32)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO.T
    f = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """(..., 3) CIELAB to (..., 3) uint8 sRGB, clipped to what sRGB can show."""
    lightness, a, b = np.moveaxis(np.asarray(lab, dtype=np.float32), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
    linear = np.clip(xyz @ _BACK.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255).round().astype(np.uint8)


def lab_of_hex(code: str) -> Lab:
    """A code such as "#rrggbb" to CIELAB."""
    lightness, a, b = to_lab(np.frombuffer(bytes.fromhex(code.lstrip("#")), dtype=np.uint8))
    return float(lightness), float(a), float(b)
