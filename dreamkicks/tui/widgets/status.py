"""The one line that says what is going on."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from dreamkicks.text import clean
from dreamkicks.tui.widgets.bar import bar

_LABEL = 24


class Status(Widget):
    """A sentence, or a bar while something is under way."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._style = "$soft"
        self._progress: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """What it says, cleaned."""
        return self._text

    def say(self, text: str, error: bool = False) -> None:
        """Show a sentence, which may be foreign."""
        self._text, self._style, self._progress = clean(text), "$text-error" if error else "$soft", None
        self.refresh()

    def progress(self, label: str, done: int, total: int) -> None:
        """Show how many are done of how many."""
        self._text, self._style, self._progress = clean(label, _LABEL), "$foreground", (done, total)
        self.refresh()

    def render(self) -> Content:
        if self._progress is None:
            return Content.styled(self._text, self._style)
        done, total = self._progress
        count = f" {done:,} of {total:,}"
        label = self._text.ljust(_LABEL) if self.size.width > 60 else ""
        room = max(4, self.size.width - len(label) - len(count))
        return Content.assemble((label, self._style), bar(done / total if total else 0, room), (count, "$soft"))
