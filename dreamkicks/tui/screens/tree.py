"""All dreams of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from dreamkicks.errors import SessionError
from dreamkicks.session.dream import Dream
from dreamkicks.session.session import Session
from dreamkicks.text import clean
from dreamkicks.tui.widgets.lineage import lineage
from dreamkicks.tui.widgets.picture import Drawing, Picture
from dreamkicks.tui.widgets.recipe import Recipe


@dataclass(frozen=True)
class Choice:
    """A dream to go to, or to recall."""

    number: int
    recall: bool


class TreeScreen(Screen[Choice | None]):
    """The tree of dreams; the highlighted one with its picture and recipe."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", tooltip="back to the studio"),
        Binding("enter", "go", "go there", tooltip="go there; the next change branches off", priority=True),
        Binding("ctrl+r", "recall", "recall", tooltip="bring its recipe into the line, and stay"),
    ]

    def __init__(self, session: Session, drawing: Drawing) -> None:
        super().__init__()
        self._session = session
        self._drawing = drawing
        self._rows = lineage(list(session.dreams.values()))  # a painting under way may add one

    def compose(self) -> ComposeResult:
        yield Static(
            Content.assemble(("dreamkicks", "bold $primary"), "  tree of dreams   ● here   ★ that's it"), id="title"
        )
        with Container(id="stage"):
            yield OptionList(
                *(Option(self._line(lead, dream)) for lead, dream in self._rows), id="dreams", markup=False
            )
            with VerticalScroll(id="side", can_focus=False):
                yield Picture(self._drawing)
                yield Recipe()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        dreams = self.query_one("#dreams", OptionList)
        dreams.focus()
        current = self._session.current
        dreams.highlighted = next((n for n, (_, dream) in enumerate(self._rows) if dream == current), 0)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        dream = self._rows[event.option_index][1]
        try:
            self.query_one(Picture).show(self._session.picture(dream))
        except SessionError as error:
            self.query_one(Picture).show(None, str(error))
        self.query_one(Recipe).tell(dream)

    @on(OptionList.OptionSelected)
    def action_go(self) -> None:
        self._choose(recall=False)

    def action_recall(self) -> None:
        self._choose(recall=True)

    def _choose(self, recall: bool) -> None:
        place = self.query_one("#dreams", OptionList).highlighted
        if place is not None:
            self.dismiss(Choice(self._rows[place][1].id, recall))

    def _line(self, lead: str, dream: Dream) -> Content:
        accepted = self._session.accepted is not None and self._session.accepted.get("dream") == dream.id
        marks = ("●" if dream == self._session.current else " ") + ("★" if accepted else " ")
        words = clean(dream.words, 200)
        return Content.assemble(
            (f"{dream.id:3} ", "$soft"), (f"{marks} ", "$primary"), (lead, "$line"),
            (words, "bold" if dream.kind == "imagine" else ""),
        )  # fmt: skip
