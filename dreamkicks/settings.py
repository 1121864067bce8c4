"""What a person can set, by environment (DREAMKICKS_MODEL=...) or in settings.toml in the home folder."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from dreamkicks import locations
from dreamkicks.errors import DreamkicksError


class Settings(BaseSettings):
    """All settings with their defaults; the command line's options override them."""

    model_config = SettingsConfigDict(env_prefix="DREAMKICKS_", extra="ignore")

    model: str = "builtin"
    """The preset that paints: a name from `dreamkicks models list`, or a folder in diffusers' layout."""
    encoder: str = "builtin"
    """The CLIP that searches: builtin, or an open_clip name such as ViT-B-32/laion2b_s34b_b79k."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    offline: bool = False
    """Never open a connection."""
    graphics: Literal["auto", "kitty", "sixel", "halfcell", "none"] = "auto"
    """How the studio draws pictures in the terminal."""
    contact: str = ""
    """An address that shops find in the User-Agent of a refresh."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, toml_file=locations.settings_file())
        return init_settings, env_settings, file


def load(**overrides: object) -> Settings:
    """The settings in force; overrides that are None are left out.

    Raises DreamkicksError when settings.toml or the environment holds something that can't be used.
    """
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except OSError as error:
        raise DreamkicksError(
            f"{locations.settings_file()} can't be read: {error.strerror}. Check its rights."
        ) from error
    except (ValidationError, ValueError) as error:
        first = (
            error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("settings.toml",), "msg": str(error)}
        )
        raise DreamkicksError(
            f"The setting '{'.'.join(map(str, first['loc']))}' can't be used: {first['msg']}. "
            f"Mend it in {locations.settings_file()} or in the environment."
        ) from error
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # huggingface_hub reads it once, when it is first imported
    return settings
