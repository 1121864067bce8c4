from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PIL import Image
from textual import events
from textual.pilot import Pilot

from dreamkicks.brands.classifier import Verdict
from dreamkicks.errors import PainterError
from dreamkicks.session.session import Session
from dreamkicks.settings import Settings
from dreamkicks.studio import Studio
from dreamkicks.tui.app import StudioApp
from dreamkicks.tui.screens.help import HelpScreen
from dreamkicks.tui.widgets.picture import Picture

from .driving import drive, gate, prompt, say, screen, status, studio_screen, until, until_dream
from .painter import STEPS, PlainPainter


def test_a_random_sneaker_appears_with_its_recipe(drawing_app: StudioApp, studio: Studio) -> None:
    app = drawing_app

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        dream = studio.session.current
        assert dream is not None and dream.kind == "imagine"
        shown = screen(app)
        assert dream.words.split()[0] in shown
        assert f"seed {dream.seed}" in shown
        assert "builtin, 8 steps, 0.25 s" in shown
        assert "▀" * 20 in shown
        assert all(word in shown for word in dream.understood[0].split())

    drive(app, script)


def test_every_step_has_a_preview_and_moves_the_bar(drawing_app: StudioApp, painter: PlainPainter) -> None:
    opened = gate(painter, 6)

    app = drawing_app

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: f"5 of {STEPS}" in screen(app))
        assert "▀" in screen(app)
        before = studio_screen(app).query_one(Picture).query_one(".drawing").image  # type: ignore[attr-defined]
        opened.set()
        await until_dream(pilot, 1)
        after = studio_screen(app).query_one(Picture).query_one(".drawing").image  # type: ignore[attr-defined]
        assert before.tobytes() != after.tobytes()

    drive(app, script)


def test_words_edit_the_current_dream(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await pilot.press(*"gum sole")
        await pilot.press("enter")
        await until_dream(pilot, 2)
        dream = studio.session.current
        assert dream is not None
        assert (dream.kind, dream.words, dream.parent) == ("edit", "gum sole", 1)
        assert prompt(app).value == ""
        assert "from dream 1" in screen(app)

    drive(app, script)


def test_words_that_were_not_understood_are_struck_and_the_hub_is_named(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "gum sole with unicorn laces")
        await until_dream(pilot, 2)
        assert "ignored unicorn, laces" in screen(app)
        assert "hub presets" in screen(app)
        struck = [
            segment.text
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.strike
        ]
        assert "".join(struck).split() == ["unicorn,", "laces"]

    drive(app, script)


def test_new_words_imagine_and_a_seed_repeats(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "new: red high-top seed=42")
        await until_dream(pilot, 2)
        dream = studio.session.current
        assert dream is not None
        assert (dream.kind, dream.words, dream.seed, dream.parent) == ("imagine", "red high-top", 42, None)
        await pilot.press("ctrl+n")
        await until_dream(pilot, 3)
        assert studio.session.dream(3).kind == "imagine"
        assert studio.session.dream(3).words != "red high-top"

    drive(app, script)


def test_undo_and_redo(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "gum sole")
        await until_dream(pilot, 2)
        await pilot.press("ctrl+z")
        assert "dream 1 of 2" in screen(app)
        assert studio.session.current == studio.session.dream(1)
        await pilot.press("ctrl+z")
        assert "nothing to undo" in status(app)
        await pilot.press("ctrl+y")
        assert "dream 2 of 2" in screen(app)
        await pilot.press("ctrl+y")
        assert "nothing to redo" in status(app)

    drive(app, script)


def test_escape_stops_within_one_step_and_leaves_the_dream_before(
    app: StudioApp, studio: Studio, painter: PlainPainter
) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        opened = gate(painter, 4)
        await say(pilot, "gum sole seed=9")
        await until(pilot, lambda: f"3 of {STEPS}" in screen(app))
        await pilot.press("escape")
        opened.set()
        await until(pilot, lambda: "Stopped after 4 steps" in screen(app))
        assert painter.told == 3
        assert prompt(app).value == "gum sole seed=9"
        assert "dream 1 of 1" in screen(app)
        note = {"words": "gum sole", "steps": 4, "seed": 9, "after": 1}
        assert studio.session.cancelled == [note]
        assert Session.open(studio.session.folder).cancelled == [note]
        await pilot.press("enter")
        await until_dream(pilot, 2)

    drive(app, script)


def test_the_first_painting_can_be_stopped_too(app: StudioApp, studio: Studio, painter: PlainPainter) -> None:
    opened = gate(painter, 2)

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: f"1 of {STEPS}" in screen(app))
        await pilot.press("escape")
        opened.set()
        await until(pilot, lambda: "Stopped after 2 steps" in screen(app))
        assert studio.session.current is None
        for key in ("ctrl+z", "ctrl+r", "ctrl+t", "ctrl+s"):
            await pilot.press(key)
        assert app.screen is studio_screen(app)
        await say(pilot, "red high-top")  # with nothing to change, words are imagined
        await until_dream(pilot, 1)
        assert studio.session.dream(1).kind == "imagine"

    drive(app, script)


def test_accepting_can_be_stopped(app: StudioApp, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, classify = threading.Event(), studio.classify

    def slowly(picture: Image.Image) -> Verdict:
        opened.wait(10)
        return classify(picture)

    monkeypatch.setattr(studio, "classify", slowly)

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await pilot.press("ctrl+a")
        await pilot.press("escape")
        opened.set()
        await until(pilot, lambda: status(app) == "Stopped.")
        assert app.screen is studio_screen(app)
        assert studio.session.accepted is None

    drive(app, script)


def test_one_thing_at_a_time(app: StudioApp, studio: Studio, painter: PlainPainter) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        opened = gate(painter, 3)
        await say(pilot, "gum sole")
        await until(pilot, lambda: f"2 of {STEPS}" in screen(app))
        await say(pilot, "darker")
        assert prompt(app).value == "darker"
        await until(pilot, lambda: "Still changing" in screen(app))
        for key in ("ctrl+n", "ctrl+a", "ctrl+z", "ctrl+s"):
            await pilot.press(key)
        assert len(studio.session.dreams) == 1
        opened.set()
        await until_dream(pilot, 2)
        assert prompt(app).value == "darker"
        assert [dream.words for dream in studio.session.dreams.values()][1:] == ["gum sole"]

    drive(app, script)


def test_an_error_is_one_line_and_the_app_lives_on(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "darker seed=99999999999")
        await until(pilot, lambda: "not between 0 and" in status(app))
        assert "The seed 99999999999" in screen(app)
        assert prompt(app).value == "darker seed=99999999999"
        assert "dream 1 of 1" in screen(app)
        await say(pilot, "darker")
        await until_dream(pilot, 2)
        assert status(app) == ""

    drive(app, script)


def test_words_typed_meanwhile_are_worth_more_than_those_that_failed(
    app: StudioApp, painter: PlainPainter, studio: Studio
) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        opened = gate(painter, 2)
        await say(pilot, "gum sole")
        await until(pilot, lambda: f"1 of {STEPS}" in screen(app))
        await pilot.press(*"high")
        await pilot.press("escape")
        opened.set()
        await until(pilot, lambda: "Stopped" in status(app))
        assert prompt(app).value == "high"
        await pilot.press("up")
        assert prompt(app).value == "gum sole"

    drive(app, script)


def test_a_session_that_cannot_be_saved(app: StudioApp, studio: Studio) -> None:
    studio.session.folder.parent.mkdir(parents=True, exist_ok=True)
    studio.session.folder.write_text("in the way")

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Can't write" in status(app))
        studio.session.folder.unlink()
        await pilot.press("ctrl+n")
        await until_dream(pilot, 1)

    drive(app, script)


def test_a_painter_that_cannot_be_opened_with_a_hostile_name(tmp_path: Path) -> None:
    studio = Studio(Settings(model="[bold]\x1b]0;evil\x07no such"), Session.create(tmp_path / "session"))
    app = StudioApp(studio, "none")

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "No preset is called '[bold]no such'" in screen(app))

    drive(app, script)


def test_a_lost_picture_is_told_and_nothing_breaks(drawing_app: StudioApp, studio: Studio) -> None:
    app = drawing_app

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "gum sole")
        await until_dream(pilot, 2)
        (studio.session.folder / studio.session.dream(1).file).unlink()
        await pilot.press("ctrl+z")
        assert "The picture is lost" in screen(app)
        assert "dream 1 of 2" in screen(app)
        await pilot.press("ctrl+y")
        assert "▀" in screen(app)

    drive(app, script)


def test_history(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        for count, words in enumerate(("gum sole", "darker", "darker"), start=2):
            await say(pilot, words)
            await until_dream(pilot, count)
        await pilot.press(*"pla")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(prompt(app).value)
        assert seen == ["darker", "gum sole", "gum sole", "darker", "pla", "pla"]

    drive(app, script)


def test_suggestions_are_taken_with_tab_and_understood(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await pilot.press("tab")
        first = prompt(app).value
        assert first and f"try  {first}" in screen(app)
        await pilot.press("tab")
        assert prompt(app).value not in ("", first)
        await pilot.press("enter")
        await until_dream(pilot, 2)
        assert studio.session.dream(2).ignored == ()

    drive(app, script)


def test_the_report_is_saved(app: StudioApp, studio: Studio) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "<b>gum</b> sole")
        await until_dream(pilot, 2)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "report.html" in status(app))
        report = (studio.session.folder / "report.html").read_text()
        assert "&lt;b&gt;gum&lt;/b&gt; sole" in report
        assert studio.session.dream(1).words in report

    drive(app, script)


def test_what_is_pasted_is_one_clean_line(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        prompt(app).post_message(events.Paste("gum\n\x1b]0;evil\x07\x9b31msole\r\n\u202edarker"))
        await pilot.pause()
        assert prompt(app).value == "gum sole darker"

    drive(app, script)


@pytest.mark.parametrize("key", ["f1", "question_mark"])
def test_help_names_every_key_of_the_footer(app: StudioApp, key: str) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        footer = [active.binding.key for active in app.active_bindings.values() if active.binding.show]
        assert {"ctrl+n", "ctrl+a", "ctrl+z", "ctrl+y", "ctrl+r", "ctrl+t", "ctrl+s", "f1", "ctrl+q"} <= set(footer)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        page = screen(app)
        assert all(name.replace("ctrl+", "^") in page for name in footer)
        assert "new: red high-top" in page
        await pilot.press("escape")
        assert app.screen is studio_screen(app)
        await pilot.press("x", "?")
        assert prompt(app).value == "x?"

    drive(app, script, (100, 50))


def test_escape_is_offered_only_while_something_can_be_stopped(app: StudioApp, painter: PlainPainter) -> None:
    opened = gate(painter, 2)

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "esc stop" in screen(app))
        opened.set()
        await until_dream(pilot, 1)
        assert "esc stop" not in screen(app)
        await pilot.press(*"dark", "escape")
        assert prompt(app).value == "dark"

    drive(app, script)


def test_leaving_while_painting_stops_it_and_loses_nothing(
    app: StudioApp, studio: Studio, painter: PlainPainter
) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        opened = gate(painter, 3)
        await say(pilot, "gum sole")
        await until(pilot, lambda: f"2 of {STEPS}" in screen(app))
        threading.Timer(0.3, opened.set).start()
        await pilot.press("ctrl+q")

    drive(app, script)
    left = Session.open(studio.session.folder)
    assert left.current == studio.session.dream(1)
    assert [note["steps"] for note in left.cancelled] == [3]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60), (400, 120), (3, 2)])
def test_any_size_of_terminal(drawing_app: StudioApp, size: tuple[int, int]) -> None:
    app = drawing_app

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        picture, side = studio_screen(app).query_one(Picture).region, studio_screen(app).query_one("#side").region
        if size[0] >= 72:
            assert side.x >= picture.right
        if size == (60, 20):
            assert side.y >= picture.bottom and side.height > 2 and picture.height > 4
        if size[1] >= 18:
            assert prompt(app).region.height == 3
        await pilot.press("ctrl+t")
        await pilot.press("escape", "f1")
        await pilot.resize_terminal(110, 40)
        await pilot.press("escape")
        assert "dream 1 of 1" in screen(app)

    drive(app, script, size)


def test_pictures_are_told_in_words_where_nothing_is_drawn(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        assert "sneaker: " in screen(app)
        assert "▀" not in screen(app)

    drive(app, script)


def test_a_bug_is_not_swallowed(studio: Studio, painter: PlainPainter) -> None:
    """Only what is known to go wrong is shown as a line; anything else ends the app, and nothing is lost."""

    def broken(name: str, device: str) -> PlainPainter:
        raise ZeroDivisionError("a bug")

    app = StudioApp(Studio(studio.settings, studio.session, open_painter=broken), "none")

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.return_code)

    with pytest.raises(Exception, match="a bug"):
        drive(app, script)


def test_memory_that_runs_out_is_a_line(studio: Studio) -> None:
    def greedy(name: str, device: str) -> PlainPainter:
        raise PainterError("Out of memory. Choose a smaller preset.")

    app = StudioApp(Studio(studio.settings, studio.session, open_painter=greedy), "none")

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Out of memory" in status(app))

    drive(app, script)
