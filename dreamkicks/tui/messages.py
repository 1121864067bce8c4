"""What a worker's thread tells the screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from dreamkicks.painter.painter import Step
from dreamkicks.session.dream import Dream
from dreamkicks.studio import Result


@dataclass
class Progress(Message):
    """One step of a painting is over."""

    step: Step


@dataclass
class Indexing(Message):
    """So many of the catalogue's photos have been encoded."""

    done: int
    total: int


@dataclass
class Painted(Message):
    """A dream is finished, and the session's current one."""

    dream: Dream


@dataclass
class Found(Message):
    """The current dream was accepted."""

    result: Result


@dataclass
class Reported(Message):
    """The report is on disk."""

    path: Path


@dataclass
class Failed(Message):
    """The work could not be done; one line says why."""

    text: str


@dataclass
class Stopped(Message):
    """The person stopped the work; so many steps had run."""

    steps: int
