"""The Textual app."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import Theme

from dreamkicks.studio import Studio
from dreamkicks.text import clean
from dreamkicks.tui.screens.help import HelpScreen
from dreamkicks.tui.screens.studio import StudioScreen
from dreamkicks.tui.widgets.picture import find_drawing

_THEME = Theme(
    name="dreamkicks",
    primary="#ff7a4d",
    foreground="#efeae2",
    background="#171512",
    surface="#171512",
    panel="#211e1a",
    success="#9cc48a",
    warning="#e8b04b",
    error="#f0616d",
    variables={
        "soft": "#a29b90",
        "line": "#57514a",
        "footer-background": "#171512",
        "footer-description-foreground": "#a29b90",
        "footer-key-foreground": "#ff7a4d",
        "block-cursor-background": "#2e2a25",
        "block-cursor-foreground": "#efeae2",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#211e1a",
        "input-selection-background": "#ff7a4d 35%",
        "scrollbar": "#3a362f",
        "scrollbar-background": "#171512",
        "scrollbar-corner-color": "#171512",
    },
)


class StudioApp(App[None], inherit_bindings=False):
    """The studio in a terminal. `graphics`: auto, kitty, sixel, halfcell or none."""

    TITLE = "dreamkicks"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (72, "-normal"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (28, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "help", priority=True),
        Binding("question_mark", "help", show=False, priority=True),
        Binding("ctrl+q", "quit", "quit", priority=True),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, studio: Studio, graphics: str = "auto") -> None:
        super().__init__()
        self.studio = studio
        self._drawing = find_drawing(graphics, colour=not self.no_color)
        self.register_theme(_THEME)
        self.theme = _THEME.name

    def on_mount(self) -> None:
        with contextlib.suppress(NotImplementedError):  # Windows has no such signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.push_screen(StudioScreen(self.studio, self._drawing))

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "help":
            return not isinstance(self.screen, HelpScreen)
        return True


def run(studio: Studio, graphics: str = "auto") -> int:
    """Run the studio until the person leaves it; the terminal is as it was afterwards.

    Returns: the exit status, not 0 when the app broke.
    """
    app = StudioApp(studio, graphics)
    app.run()
    if studio.session.dreams:
        print(clean(f"dreamkicks: your dreams are in {studio.session.folder}", 4000), file=sys.stderr)
    return app.return_code or 0
