"""Where files live: what ships with the program, and what it keeps for the person who runs it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def home() -> Path:
    """The folder of everything the program keeps: $DREAMKICKS_HOME, else the platform's folder for user data."""
    chosen = os.environ.get("DREAMKICKS_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_data_dir("dreamkicks"))


def sessions() -> Path:
    return home() / "sessions"


def catalogue() -> Path:
    return home() / "catalogue"


def models() -> Path:
    """The cache of models from the hub."""
    return home() / "models"


def settings_file() -> Path:
    return home() / "settings.toml"


def stores_file() -> Path:
    """The shops that a person added."""
    return home() / "stores.toml"


def shop_cache() -> Path:
    """What shops answered last; it may be deleted at any time."""
    return home() / "shops.db"


def weights() -> Path:
    """The built-in models."""
    return _bundled("weights")


def concepts() -> Path:
    """The catalogue that ships."""
    return _bundled("catalog")


def prompts() -> Path:
    """The words: colours, parts, shapes, grammar, templates."""
    return _bundled("prompts")


def _bundled(name: str) -> Path:
    # A wheel carries the folders inside the package; a clone and an editable install have them beside it.
    inside = _PACKAGE / "_data" / name
    return inside if inside.exists() else _PACKAGE.parent / name
