"""Keys, and how to speak to the studio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from dreamkicks import __version__, locations
from dreamkicks.text import clean
from dreamkicks.tui.screens.results import ResultsScreen
from dreamkicks.tui.screens.studio import StudioScreen
from dreamkicks.tui.screens.tree import TreeScreen

_SPEAKING = [
    ("gum sole", "changes the dream you see: any words, then Enter"),
    ("new: red high-top", "a new sneaker, imagined from these words"),
    ("darker seed=7", "same words and seed, same dream"),
    ("↑ ↓", "what you said before"),
]
_ABOUT = (
    "Words that are struck through were not understood. The built-in painter knows colours, parts, shapes, soles and patterns "
    "of sneakers; the hub presets know the world: dreamkicks models list, then dreamkicks --model NAME."
)


class HelpScreen(Screen[None]):
    """Everything on one page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark", "dismiss", "back", key_display="esc", tooltip="back")
    ]

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("dreamkicks", "bold $primary"), f"  {__version__}"), id="title")
        with VerticalScroll(id="help"):
            yield Static(self._page())
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.query_one("#help").focus()

    def _page(self) -> Content:
        always = [("f1 ?", "this help"), ("^q ^c", "quit; every dream is saved already")]
        sections = {
            "say": _SPEAKING,
            "press": [*self._keys(StudioScreen.BINDINGS), *always],
            "in the tree": self._keys(TreeScreen.BINDINGS),
            "in the results": self._keys(ResultsScreen.BINDINGS),
        }
        lines: list[Content] = []
        for title, rows in sections.items():
            lines.append(Content.styled(title, "bold $primary"))
            lines += [Content.assemble((f"  {key:18}", "bold"), (meaning, "$soft")) for key, meaning in rows]
            lines.append(Content(""))
        lines += [Content.styled(_ABOUT, "$soft"), Content("")]
        lines += [Content.styled(clean(f"Your dreams, models and catalogue are in {locations.home()}"), "$soft")]
        return Content("\n").join(lines)

    def _keys(self, bindings: Iterable[BindingType]) -> list[tuple[str, str]]:
        return [
            (binding.key_display or self.app.get_key_display(binding), binding.tooltip)
            for binding in bindings
            if isinstance(binding, Binding) and binding.tooltip
        ]
