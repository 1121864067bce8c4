"""Ways to paint, as data."""

from __future__ import annotations

import functools
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dreamkicks.errors import PainterError, UnknownPreset


@dataclass(frozen=True)
class Preset:
    """One named way to paint; presets.toml says what each field means."""

    name: str
    about: str
    repo: str
    licence: str
    imagine: str
    edit: str
    steps: int
    guidance: float
    size: int
    memory: float
    download: float
    revision: str | None = None
    variant: str | None = None
    instructs: bool = False
    image_guidance: float | None = None
    strength: float | None = None

    @property
    def is_folder(self) -> bool:
        """Whether `repo` is a folder on this machine and no repository of the hub."""
        return self.name == self.repo


@functools.cache
def presets() -> dict[str, Preset]:
    """All presets by name, the built-in one first."""
    tables = tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))
    return {name: Preset(name=name, **table) for name, table in tables.items()}


def find_preset(name: str) -> Preset:
    """The preset of that name, or one made for a folder in diffusers' layout.

    Raises UnknownPreset, or PainterError for a folder whose pipeline no preset uses.
    """
    if name in presets():
        return presets()[name]
    index = Path(name) / "model_index.json"
    if not index.is_file():
        raise UnknownPreset(f"No preset is called '{name}', and no model folder is there. Choose one of: {', '.join(presets())}.")
    try:
        pipeline = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (ValueError, KeyError, OSError) as error:
        raise PainterError(f"{index} can't be read as a diffusers model. Save or download the model again.") from error
    for preset in presets().values():
        if pipeline in (preset.imagine, preset.edit) and preset.repo:
            return Preset(**{**preset.__dict__, "name": name, "repo": name, "variant": None, "revision": None})
    known = sorted({preset.imagine for preset in presets().values()})
    raise PainterError(f"{name} holds a {pipeline}; folders with one of these can be used: {', '.join(known)}.")
