from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # a busy one takes longer than the usual 0.2 s an example
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test keeps its things in a folder of its own, and no setting of the person who runs it gets in."""
    for name in os.environ:
        if name.startswith("DREAMKICKS_"):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DREAMKICKS_HOME", str(folder))
    return folder
