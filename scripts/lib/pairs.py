"""Pairs for edits: a photograph and the same photograph spoilt in one respect.

The photograph is always the *target* and the spoilt picture the source, so the painter learns to answer with pictures
that look photographed however crude the spoiling is. What was spoilt names the slot that an instruction would fill.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dreamkicks.painter.blueprint import Blueprint, Lab
from dreamkicks.painter.colour import to_lab, to_rgb
from dreamkicks.painter.measure import Measured
from dreamkicks.painter.region import area_of


def recolour(picture: np.ndarray, seen: Measured, part: str, colour: Lab) -> np.ndarray:
    """The picture with one part in another colour; its texture (departures from the part's own colour) stays."""
    own = getattr(seen.blueprint, part)
    lab = to_lab(picture)
    area = area_of(seen, part).astype(np.float32)
    if part in ("upper", "accent"):  # only what has that colour: the rest of the upper keeps its own
        distance = np.linalg.norm((lab - own) * (0.6, 1, 1), axis=-1)
        area = area * np.clip(1.6 - distance / 22, 0, 1)
    area = cv2.GaussianBlur(area, (0, 0), 0.7)[..., None] * seen.mask[..., None]
    lab = lab + area * (np.asarray(colour) - own)
    lab[..., 0] = np.clip(lab[..., 0], 2, 99)
    return np.where(seen.mask[..., None], to_rgb(lab.astype(np.float32)), picture)


def turn_hue(picture: np.ndarray, blueprint: Blueprint, angle: float) -> tuple[np.ndarray, Blueprint]:
    """The whole shoe with all hues turned by `angle` (radians): as real as the photograph, in colours few shops stock."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lab = to_lab(picture)
    lab[..., 1:] = lab[..., 1:] @ turn.T
    turned = {
        part: (colour[0], *(float(v) for v in turn @ np.array(colour[1:])))
        for part in ("upper", "sole", "accent", "toe", "heel")
        if (colour := getattr(blueprint, part)) is not None
    }
    return to_rgb(lab), replace(blueprint, **turned, brand=None)


def smooth(picture: np.ndarray, seen: Measured) -> np.ndarray:
    """The upper without its texture."""
    lab = to_lab(picture)
    soft = cv2.bilateralFilter(cv2.medianBlur(picture, 5), 9, 60, 7)
    area = area_of(seen, "upper")[..., None]
    lab = np.where(area, 0.75 * to_lab(soft) + 0.25 * np.asarray(seen.blueprint.upper), lab)
    return to_rgb(lab.astype(np.float32))


def roughen(picture: np.ndarray, seen: Measured, other: np.ndarray) -> np.ndarray:
    """The upper with the texture of another shoe laid over it."""
    lab, texture = to_lab(picture), to_lab(other)
    grain = (texture - cv2.GaussianBlur(texture, (0, 0), 4)) * (seen.mask & (other.min(-1) < 240))[..., None]
    area = area_of(seen, "upper")[..., None]
    return to_rgb((lab + area * grain * 1.2).astype(np.float32))
