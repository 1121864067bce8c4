"""What the screens look like. After a wanted change: pytest tests/tui --snapshot-update, and look at the pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from dreamkicks.studio import Studio
from dreamkicks.tui.app import StudioApp
from dreamkicks.tui.screens import help as help_screen

from .driving import prompt, screen, until, until_dream
from .findings import result
from .painter import STEPS, PlainPainter
from .test_results import show

Compare = Callable[..., bool]


@pytest.fixture
def dreamt(studio: Studio) -> Studio:
    """A session of three dreams with fixed seeds, on the last."""
    studio.imagine("navy low-top with a white sole", 11)
    studio.edit("gum sole with unicorn laces", 12)
    studio.session.undo()
    studio.edit("dark red", 13)
    return studio


async def settle(pilot: Pilot[None]) -> None:
    await until_dream(pilot, 3)
    prompt(pilot.app).cursor_blink = False
    await pilot.pause()


@pytest.mark.parametrize("size", [(100, 30), (80, 24)])
def test_painted(snap_compare: Compare, dreamt: Studio, size: tuple[int, int]) -> None:
    dreamt.session.fork(2)
    assert snap_compare(StudioApp(dreamt, "halfcell"), terminal_size=size, run_before=settle)


def test_painting(snap_compare: Compare, dreamt: Studio, painter: PlainPainter) -> None:
    app = StudioApp(dreamt, "halfcell")

    def wait_for_the_end(opened: threading.Event) -> None:
        while app.is_running:
            time.sleep(0.05)
        opened.set()

    async def paint(pilot: Pilot[None]) -> None:
        await settle(pilot)
        painter.gates[6] = opened = threading.Event()
        prompt(pilot.app).put("high-top seed=14")
        await pilot.press("enter")
        await until(pilot, lambda: f"5 of {STEPS}" in screen(pilot.app))
        threading.Thread(target=wait_for_the_end, args=(opened,)).start()

    assert snap_compare(app, terminal_size=(100, 30), run_before=paint)


def test_results(snap_compare: Compare, dreamt: Studio, tmp_path: Path) -> None:
    app = StudioApp(dreamt, "halfcell")

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await show(pilot, app, result(tmp_path), 3)

    assert snap_compare(app, terminal_size=(100, 30), run_before=look)


def test_tree(snap_compare: Compare, dreamt: Studio) -> None:
    dreamt.session.fork(2)
    dreamt.session.accept({})
    dreamt.session.fork(3)

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press("ctrl+t")

    assert snap_compare(StudioApp(dreamt, "halfcell"), terminal_size=(100, 30), run_before=look)


def test_help(snap_compare: Compare, dreamt: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help_screen, "__version__", "1.2.3")
    monkeypatch.setenv("DREAMKICKS_HOME", "/home/dreamer")

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press("f1")

    assert snap_compare(StudioApp(dreamt, "none"), terminal_size=(100, 36), run_before=look)
