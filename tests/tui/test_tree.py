from __future__ import annotations

import json

from textual.pilot import Pilot
from textual.widgets import OptionList

from dreamkicks.studio import Studio
from dreamkicks.tui.app import StudioApp
from dreamkicks.tui.screens.tree import TreeScreen

from .driving import drive, gate, prompt, say, screen, status, studio_screen, until, until_dream
from .painter import PlainPainter


def test_recall_puts_the_recipe_into_the_line_and_keeps_the_dream(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "new: red high-top seed=42")
        await until_dream(pilot, 2)
        await say(pilot, "gum sole seed=7")
        await until_dream(pilot, 3)
        trail = json.loads((studio.session.folder / "session.json").read_text())
        await pilot.press("ctrl+r")
        assert prompt(app).value == "gum sole seed=7"
        assert "painted by builtin" in status(app)
        await pilot.press("ctrl+t")
        app.screen.query_one("#dreams", OptionList).highlighted = 1
        await pilot.pause()
        await pilot.press("ctrl+r")
        assert prompt(app).value == "new: red high-top seed=42"
        assert studio.session.current == studio.session.dream(3)
        assert "dream 3 of 3" in screen(app)
        assert json.loads((studio.session.folder / "session.json").read_text()) == trail
        await pilot.press("enter")
        await until_dream(pilot, 4)
        first, again = (studio.session.picture(studio.session.dream(number)) for number in (2, 4))
        assert first.tobytes() == again.tobytes()

    drive(app, script)


def test_any_dream_can_be_forked_from_the_tree(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        for count, words in enumerate(("gum sole", "darker"), start=2):
            await say(pilot, words)
            await until_dream(pilot, count)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        assert "3 ●  darker" in screen(app)
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: "dream 1 of 3" in screen(app))
        await say(pilot, "high-top")
        await until_dream(pilot, 4)
        assert studio.session.dream(4).parent == 1
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "├─gum sole" in screen(app) and "└─high-top" in screen(app))
        await pilot.press("escape")
        assert app.screen is studio_screen(app)
        assert studio.session.current == studio.session.dream(4)

    drive(app, script)


def test_a_dream_is_not_left_while_it_is_being_changed(app: StudioApp, studio: Studio, painter: PlainPainter) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "gum sole")
        await until_dream(pilot, 2)
        opened = gate(painter, 2)
        await say(pilot, "darker")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        await pilot.press("up", "enter")
        assert studio.session.current == studio.session.dream(2)
        opened.set()
        await until_dream(pilot, 3)
        assert studio.session.dream(3).parent == 2

    drive(app, script)


def test_a_session_can_be_gone_on_with(studio: Studio) -> None:
    studio.imagine("red high-top", 3)
    studio.edit("gum sole", 4)
    app = StudioApp(studio, "none")

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 2)
        await pilot.press("up", "up")
        assert prompt(app).value == "new: red high-top seed=3"

    drive(app, script)
    assert len(studio.session.dreams) == 2
