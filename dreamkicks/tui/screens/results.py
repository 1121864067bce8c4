"""What was found for a dream."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from dreamkicks import pictures
from dreamkicks.catalogue.product import CONCEPTS, Finding, web_address
from dreamkicks.errors import PictureError
from dreamkicks.studio import Result
from dreamkicks.text import clean
from dreamkicks.tui.widgets.brands import BrandBars
from dreamkicks.tui.widgets.picture import Drawing, Picture


class ResultsScreen(Screen[None]):
    """Brand bars, and the products; the chosen one with its photo and address, beside the dream."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back to dreaming", tooltip="back to dreaming"),
        Binding("o", "open", "open in the browser", tooltip="open the page in the web browser"),
    ]

    def __init__(self, result: Result, dream: Image.Image | None, drawing: Drawing) -> None:
        super().__init__()
        self._result = result
        self._dream = dream
        self._drawing = drawing

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("dreamkicks", "bold $primary"), "  that's it"), id="title")
        with Container(id="stage"):
            yield OptionList(
                *(Option(_line(finding)) for finding in self._result.findings), id="findings", markup=False
            )
            with Vertical(id="side"):
                yield BrandBars(self._result.verdict)
                yield Picture(self._drawing, id="dream")
                yield Picture(self._drawing, id="photo")
        yield Static(id="address")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.query_one("#dream", Picture).show(self._dream)
        findings = self.query_one("#findings", OptionList)
        findings.focus()
        if self._result.findings:
            findings.highlighted = 0
        else:
            self.query_one("#address", Static).update(
                Content.styled("The catalogue is empty. Fill it with: dreamkicks catalog refresh", "$soft")
            )

    @on(OptionList.OptionHighlighted)
    def _chosen(self, event: OptionList.OptionHighlighted) -> None:
        finding = self._result.findings[event.option_index]
        try:
            self.query_one("#photo", Picture).show(pictures.load(finding.product.photo))
        except PictureError as error:
            self.query_one("#photo", Picture).show(None, str(error))
        self.query_one("#address", Static).update(_address(finding))

    def action_open(self) -> None:
        place = self.query_one("#findings", OptionList).highlighted
        if place is None:
            return
        url = web_address(self._result.findings[place].product.url)
        if url is None:
            self.notify("It has no page on the web.", severity="warning", markup=False)
        else:
            self.app.open_url(url)


def _line(finding: Finding) -> Content:
    """A finding in two lines: rank and title; score, price, brand and store."""
    product = finding.product
    facts = ["concept, not for sale"]
    if product.store != CONCEPTS:
        facts = [product.price_tag] if product.price is not None else []
        facts += [clean(product.brand, 24), clean(product.store, 24)] + ["sold out"] * (not product.available)
    return Content.assemble(
        (f"{finding.rank:2}  ", "$primary"), (clean(product.title, 120), "bold"),
        (f"\n    {finding.score:.2f}  {' · '.join(facts)}", "$soft"),
        *((f"\n    also at {clean(one.asked, 60)}", "$soft") for one in finding.also),
    )  # fmt: skip


def _address(finding: Finding) -> Content:
    url = web_address(finding.product.url)
    if url is not None:
        return Content.styled(clean(url, 400), "$foreground underline")
    return Content.styled(
        "A concept, not for sale." if finding.product.store == CONCEPTS else "No page on the web.", "$soft"
    )
