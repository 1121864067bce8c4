"""What several verbs need: an option, the settings in force, a studio, a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from PIL import Image

    from dreamkicks.session.session import Session
    from dreamkicks.settings import Settings
    from dreamkicks.studio import Studio

STDIN = "-"
Model = Annotated[
    str | None, typer.Option(help="The preset that paints (dreamkicks models list), or a folder in diffusers' layout.")
]


def load_settings(context: typer.Context, **overrides: object) -> Settings:
    """The settings with the options before the verb, and those of the verb."""
    from dreamkicks import settings

    given = {name: value for name, value in overrides.items() if value is not None}
    return settings.load(**{**(context.obj or {}), **given})


def open_studio(context: typer.Context, session: Session | None = None, **overrides: object) -> Studio:
    from dreamkicks.studio import Studio

    return Studio(load_settings(context, **overrides), session)


def open_session(name: str) -> Session:
    """The session to go on with: a folder, a dream's PNG, or "last"."""
    from dreamkicks.session.session import Session

    return Session.latest() if name == "last" else Session.reopen(Path(name))


def load_picture(name: str) -> Image.Image:
    """The picture in a file, or the one that comes in through stdin."""
    from dreamkicks import pictures

    return pictures.load(sys.stdin.buffer, name="stdin") if name == STDIN else pictures.load(Path(name))
