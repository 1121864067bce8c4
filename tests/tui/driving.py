"""Driving the app in tests: run a script against it, wait for what should happen, read the screen."""

from __future__ import annotations

import asyncio
import html
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from dreamkicks.tui.app import StudioApp
from dreamkicks.tui.screens.studio import StudioScreen
from dreamkicks.tui.widgets.prompt import Prompt
from dreamkicks.tui.widgets.status import Status

from .painter import PlainPainter

Script = Callable[[Pilot[None]], Awaitable[None]]
PATIENCE = 60


def drive(app: App[None], script: Script, size: tuple[int, int] = (100, 30)) -> None:
    """Run the app without a terminal, and the script against it."""

    async def main() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await script(pilot)

    asyncio.run(main())


async def until(pilot: Pilot[None], happened: Callable[[], Any]) -> None:
    """Wait until something is so; fails with the screen when it never is."""
    last = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < last, f"it never happened; the screen says:\n{screen(pilot.app)}"
        await pilot.pause(0.02)
    await pilot.pause()


async def until_dream(pilot: Pilot[None], count: int) -> None:
    """Wait until the session has so many dreams, and the screen shows the last one."""
    assert isinstance(pilot.app, StudioApp)
    session = pilot.app.studio.session
    await until(pilot, lambda: len(session.dreams) == count and f"of {count}" in title(pilot.app))


async def say(pilot: Pilot[None], line: str) -> None:
    """Put a line into the prompt, and press Enter."""
    prompt(pilot.app).put(line)
    await pilot.press("enter")


def studio_screen(app: App[None]) -> StudioScreen:
    return next(screen for screen in app.screen_stack if isinstance(screen, StudioScreen))


def prompt(app: App[None]) -> Prompt:
    return studio_screen(app).query_one(Prompt)


def title(app: App[None]) -> str:
    return str(studio_screen(app).query_one("#title").render())


def screen(app: App[None]) -> str:
    """All text on the screen, line by line."""
    rows: dict[float, str] = {}
    for place, text in re.findall(r'<text [^>]*?y="([0-9.]+)"[^>]*>([^<]*)</text>', app.export_screenshot()):
        rows[float(place)] = rows.get(float(place), "") + html.unescape(text)
    return "\n".join(rows[place].replace("\xa0", " ").strip("\n") for place in sorted(rows))


def status(app: App[None]) -> str:
    return studio_screen(app).query_one(Status).text


def gate(painter: PlainPainter, step: int) -> threading.Event:
    """Make the painter wait before that step until the gate is set."""
    painter.gates[step] = threading.Event()
    return painter.gates[step]
