"""The line that people type into, with a history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from dreamkicks.text import clean

# The studio's own keys: accept and quit.
_TAKEN = ("home,ctrl+a", "ctrl+c,super+c")


class Prompt(Input, inherit_bindings=False):
    """Up and down walk what was said before; the line that was being typed waits at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in Input.BINDINGS if isinstance(binding, Binding) and binding.key not in _TAKEN),
        Binding("home", "home", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
    ]

    def __init__(self, history: Iterable[str] = (), placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, select_on_focus=False)
        self._history = list(history)
        self._place = len(self._history)
        self._typed = ""

    def remember(self, line: str) -> None:
        """Put a line at the end of the history."""
        if not self._history or self._history[-1] != line:
            self._history.append(line)
        self._place = len(self._history)

    def put(self, line: str) -> None:
        """Replace what stands in the line."""
        self.value = line
        self.cursor_position = len(line)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """A question mark in an empty line asks for help: no instruction begins with one."""
        return super().check_consume_key(key, character) and not (key == "question_mark" and not self.value)

    def action_older(self) -> None:
        self._walk(-1)

    def action_newer(self) -> None:
        self._walk(1)

    def _walk(self, step: int) -> None:
        if not 0 <= self._place + step <= len(self._history):
            return
        if self._place == len(self._history):
            self._typed = self.value
        self._place += step
        self.put(self._typed if self._place == len(self._history) else self._history[self._place])

    def on_paste(self, event: events.Paste) -> None:
        # Input takes the first line as it comes, escape sequences and all.
        event.prevent_default()
        event.stop()
        self.replace(clean(event.text, 10_000), *self.selection)
