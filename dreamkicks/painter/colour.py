"""sRGB and CIELAB, for single colours."""

from __future__ import annotations

from dreamkicks.painter.blueprint import Lab

_KNEE = 6 / 29
# IEC 61966-2-1 primaries divided by the D65 white point, and the way back.
_TO = ((0.433953, 0.376219, 0.189828), (0.212673, 0.715152, 0.072175), (0.017758, 0.109477, 0.872766))
_BACK = ((3.079933, -1.537150, -0.542782), (-0.921235, 1.875992, 0.045244), (0.052889, -0.204026, 1.151138))


def lab_of_hex(code: str) -> Lab:
    """ "#rrggbb" to CIELAB."""
    channels = [int(code.lstrip("#")[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    x, y, z = (sum(weight * c for weight, c in zip(row, linear, strict=True)) for row in _TO)
    x, y, z = (v ** (1 / 3) if v > _KNEE**3 else v / (3 * _KNEE**2) + 4 / 29 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def hex_of_lab(lab: Lab) -> str:
    """CIELAB to "#rrggbb", clipped to what sRGB can show."""
    y = (lab[0] + 16) / 116
    xyz = [f**3 if f > _KNEE else 3 * _KNEE**2 * (f - 4 / 29) for f in (y + lab[1] / 500, y, y - lab[2] / 200)]
    linear = [min(1.0, max(0.0, sum(weight * v for weight, v in zip(row, xyz, strict=True)))) for row in _BACK]
    channels = [c * 12.92 if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in linear]
    return "#" + "".join(f"{round(c * 255):02x}" for c in channels)
