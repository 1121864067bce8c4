from __future__ import annotations

import random
from pathlib import Path

import pytest

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.session.session import Session
from dreamkicks.settings import Settings
from dreamkicks.studio import Studio
from dreamkicks.tui.app import StudioApp

from .painter import PlainPainter


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything the program keeps goes to a folder of the test; the terminal that runs the tests has no say."""
    from textual_image._terminal import CellSize, get_cell_size

    monkeypatch.setattr(get_cell_size, "_result", CellSize(10, 20), raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("DREAMKICKS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def painter() -> PlainPainter:
    return PlainPainter()


@pytest.fixture
def studio(painter: PlainPainter, tmp_path: Path) -> Studio:
    studio = Studio(
        Settings(device="cpu"),
        Session.create(tmp_path / "session"),
        open_painter=lambda name, device: painter,
        open_catalogue=lambda: Catalogue(tmp_path / "catalogue"),
    )
    studio._draw = random.Random(7)  # the suggestions are in the snapshots
    return studio


@pytest.fixture
def app(studio: Studio) -> StudioApp:
    """Tells pictures in words, which is quicker."""
    return StudioApp(studio, "none")


@pytest.fixture
def drawing_app(studio: Studio) -> StudioApp:
    return StudioApp(studio, "halfcell")
