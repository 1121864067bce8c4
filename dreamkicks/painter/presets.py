"""Ways to paint, as data."""

from __future__ import annotations

import functools
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamkicks.errors import PainterError, UnknownPreset
from dreamkicks.files import is_file


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
    if not is_file(index):
        raise UnknownPreset(
            f"No preset is called '{name}', and no model folder is there. Choose one of: {', '.join(presets())}."
        )
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        pipeline = entries["_class_name"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise PainterError(f"{index} can't be read as a diffusers model. Save or download the model again.") from error
    for preset in presets().values():
        if pipeline in (preset.imagine, preset.edit) and preset.repo:
            size = _native_size(Path(name)) or preset.size
            numbers = {} if _takes_few_steps(Path(name), entries) else _UNDISTILLED.get(preset.imagine, {})
            return replace(preset, name=name, repo=name, variant=None, revision=None, size=size, **numbers)
    known = sorted({preset.imagine for preset in presets().values() if preset.repo})
    raise PainterError(f"{name} holds a {pipeline}; folders with one of these can be used: {', '.join(known)}.")


# The presets of these pipelines are distilled models; the plain model in somebody's folder wants to be asked otherwise.
_UNDISTILLED: dict[str, dict[str, Any]] = {
    "StableDiffusionPipeline": {"steps": 25, "guidance": 7.5},
    "StableDiffusionXLPipeline": {"steps": 25, "guidance": 5.0},
    "Flux2KleinPipeline": {"steps": 28, "guidance": 4.0},
}


def _takes_few_steps(folder: Path, entries: dict[str, Any]) -> bool:
    """Whether a model was distilled to a few steps: it says so, or has a scheduler as only those have."""
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    return bool(
        entries.get("is_distilled")
        or str(scheduler.get("_class_name")).startswith(("LCM", "TCD"))
        or ("is_distilled" not in entries and scheduler.get("timestep_spacing") == "trailing")
    )


def _native_size(folder: Path) -> int | None:
    """The size of the pictures a model was trained on, if its network says so."""
    side = _config(folder / "unet" / "config.json").get("sample_size")
    blocks = _config(folder / "vae" / "config.json").get("block_out_channels")
    return side * 2 ** (len(blocks) - 1) if isinstance(side, int) and isinstance(blocks, list) and blocks else None


def _config(path: Path) -> dict[str, Any]:
    """A component's configuration; empty when it can't be read, which loading will tell more of."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
