"""The studio with the plain painter, to be run in a terminal: python -m tests.tui.play FOLDER GRAPHICS [hostile | broken]"""

from __future__ import annotations

import sys
from pathlib import Path

from dreamkicks.session.session import Session
from dreamkicks.settings import Settings
from dreamkicks.studio import Result, Studio
from dreamkicks.tui import app
from dreamkicks.tui.screens.results import ResultsScreen

from .findings import VERDICT, finding
from .painter import PlainPainter


class HostileApp(app.StudioApp):
    """Opens with what a hostile shop would say."""

    def on_ready(self) -> None:
        title = "Shoe \x1b]0;evil\x07\x9b31m\u202e [bold]sale[/]"
        found = finding(self.studio.session.folder.parent, 1, title, "https://shop.example/1")
        self.push_screen(ResultsScreen(Result(VERDICT, [found]), None, None))


def painter(how: str) -> PlainPainter:
    if how == "broken":
        raise ZeroDivisionError("a bug")
    return PlainPainter()


def main(folder: Path, graphics: str, how: str = "") -> None:
    studio = Studio(Settings(), Session.create(folder / "session"), open_painter=lambda name, device: painter(how))
    if how == "hostile":
        HostileApp(studio, graphics).run()
    else:
        sys.exit(app.run(studio, graphics))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
