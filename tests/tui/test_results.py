from __future__ import annotations

import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from dreamkicks import locations
from dreamkicks.brands.classifier import Verdict
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import CONCEPTS, Listing
from dreamkicks.files import CHECKSUMS
from dreamkicks.session.session import Session
from dreamkicks.studio import Result, Studio
from dreamkicks.tui.app import StudioApp
from dreamkicks.tui.messages import Indexing
from dreamkicks.tui.screens.results import ResultsScreen
from dreamkicks.tui.widgets.picture import Picture

from .driving import drive, say, screen, studio_screen, until, until_dream
from .findings import VERDICT, finding, result
from .painter import PlainPainter, draw_shoe

needs_brands = pytest.mark.skipif(
    not (locations.weights() / "brands" / CHECKSUMS).exists(), reason="the brand head is not here"
)


class Recorder(webbrowser.BaseBrowser):
    """A web browser that only remembers what it was asked to open."""

    def __init__(self) -> None:
        super().__init__("recorder")
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        return True


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setattr(webbrowser, "_tryorder", [])
    recorder = Recorder()
    webbrowser.register("recorder", None, recorder, preferred=True)
    yield recorder
    webbrowser._browsers.pop("recorder")  # type: ignore[attr-defined]


async def show(pilot: Pilot[None], app: StudioApp, found: Result, dreams: int = 1) -> None:
    await until_dream(pilot, dreams)
    studio = app.studio
    assert studio.session.current is not None
    picture = studio.session.picture(studio.session.current)
    app.push_screen(ResultsScreen(found, picture, studio_screen(app)._drawing))
    await until(pilot, lambda: isinstance(app.screen, ResultsScreen) and app.screen.is_current)
    await pilot.pause()


def test_the_offers_of_other_stores(drawing_app: StudioApp, tmp_path: Path) -> None:
    app, found = drawing_app, result(tmp_path)
    other = replace(found.findings[0].product, store="footshop", price=Decimal("131"))
    gone = replace(other, store="north\x1b[31m", price=None, available=False)
    found.findings[0] = replace(found.findings[0], also=(other, gone))

    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, found)
        shown = screen(app)
        assert "also at footshop 131 EUR" in shown and "also at north, sold out" in shown
        assert shown.count("also at") == 2

    drive(app, script)


def test_bars_products_and_the_chosen_one(drawing_app: StudioApp, tmp_path: Path) -> None:
    app = drawing_app

    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, result(tmp_path))
        shown = screen(app)
        for word in (
            "Nike",
            "62%",
            "Jordan",
            "21%",
            "Puma",
            "Court Vision Low Burgundy",
            "120.95 EUR",
            "kickshop",
            "0.91",
        ):
            assert word in shown
        assert "Reebok" not in shown  # five are enough
        assert "concept, not for sale" in shown
        assert "https://shop.example/products/1?ref=[red]" in shown
        photo = app.screen.query_one("#photo", Picture).query_one(".drawing")
        first = photo.image  # type: ignore[attr-defined]
        await pilot.press("down")
        assert photo.image.tobytes() != first.tobytes()  # type: ignore[attr-defined]
        assert "A concept, not for sale." in screen(app)
        assert "shop.example" not in screen(app)
        await pilot.press("escape")
        assert app.screen is studio_screen(app)

    drive(app, script)


def test_no_sneaker(app: StudioApp, tmp_path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, Result(Verdict(0.07, ()), result(tmp_path).findings))
        assert "No sneaker." in screen(app)
        assert "7%" in screen(app)

    drive(app, script)


def test_an_empty_catalogue_says_how_to_fill_it(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, Result(VERDICT, []))
        assert "dreamkicks catalog refresh" in screen(app)
        await pilot.press("o", "down", "enter")

    drive(app, script)


def test_a_page_opens_only_on_its_key_and_only_from_the_web(app: StudioApp, tmp_path: Path, browser: Recorder) -> None:
    addresses = [
        "https://shop.example/1",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://shop.example/\x1b]0;evil\x07",
        None,
        "http://shop.example/6",
    ]
    findings = [finding(tmp_path, rank, "A shoe", address) for rank, address in enumerate(addresses, start=1)]

    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, Result(VERDICT, findings))
        for _ in addresses:
            await pilot.press("enter")
            await pilot.press("down")
        assert browser.opened == []
        await pilot.press("home")
        for _ in addresses:
            await pilot.press("o")
            await pilot.press("down")
        assert browser.opened == ["https://shop.example/1", "http://shop.example/6"]

    drive(app, script)


def test_a_hostile_shop_gets_no_byte_through(app: StudioApp, tmp_path: Path) -> None:
    title = "[bold red]Shoe[/] \x1b]0;evil\x07\x9b31m\u202e{}\\[x] \x1b[31mred"
    hostile = finding(tmp_path, 1, title, f"https://shop.example/{'a' * 900}", store="\x1b[2Jshop[/]")

    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, Result(VERDICT, [hostile]))
        assert "[bold red]Shoe[/] {}\\[x] red" in screen(app)
        assert "shop[/]" in screen(app)
        text = "".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
        assert "\u202e" not in text

    drive(app, script)


def test_a_missing_photo_is_told(app: StudioApp, tmp_path: Path) -> None:
    found = result(tmp_path)
    found.findings[0].product.photo.unlink()

    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, found)
        assert "does not exist" in screen(app)
        await pilot.press("down")
        assert "does not exist" not in screen(app)

    drive(app, script)


def test_a_small_terminal_keeps_the_list(app: StudioApp, tmp_path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await show(pilot, app, result(tmp_path))
        assert "Court Vision Low" in screen(app)
        assert app.screen.query_one("#findings", OptionList).region.height >= 4

    drive(app, script, (50, 18))


def test_the_catalogue_is_being_indexed(app: StudioApp) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        studio_screen(app).post_message(Indexing(128, 1300))
        await until(pilot, lambda: "indexing the catalogue" in screen(app) and "128 of 1,300" in screen(app))

    drive(app, script)


@needs_brands
def test_indexing_can_be_stopped(studio: Studio, tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue")
    with catalogue.writing():
        catalogue.keep(draw_shoe("#7a1f2b", "#eeeeee"), Listing("Nike", "A shoe"))
    asked, opened = threading.Event(), threading.Event()

    def open_slowly() -> Catalogue:
        asked.set()
        opened.wait(30)
        return catalogue

    app = StudioApp(Studio(studio.settings, studio.session, lambda name, device: PlainPainter(), open_slowly), "none")

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await pilot.press("ctrl+a")
        await until(pilot, asked.is_set)
        await pilot.press("escape")
        opened.set()
        await until(pilot, lambda: "Stopped." in screen(app))
        assert app.studio.session.accepted is None
        assert catalogue.stats().indexed == 0
        await pilot.press("ctrl+a")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        assert catalogue.stats().indexed == 1

    drive(app, script)


@needs_brands
def test_accepting_names_the_brand_and_finds_products(app: StudioApp, studio: Studio, tmp_path: Path) -> None:
    colours = ["#7a1f2b", "#1f7a2b", "#1f2b7a", "#222222"]
    with Catalogue(tmp_path / "catalogue").writing():
        catalogue = Catalogue(tmp_path / "catalogue")
        for place, colour in enumerate(colours):
            listing = Listing(
                "Nike", f"Shoe {colour}", "kickshop", Decimal("99.5"), "EUR", f"https://shop.example/{place}"
            )
            catalogue.keep(draw_shoe(colour, "#eeeeee"), listing)
        catalogue.keep(draw_shoe("#ffcc00", "#eeeeee"), Listing("Concept", "A yellow dream", CONCEPTS))

    async def script(pilot: Pilot[None]) -> None:
        await until_dream(pilot, 1)
        await say(pilot, "new: green shoe seed=1")
        await until_dream(pilot, 2)
        await pilot.press("ctrl+a")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        shown = screen(app)
        assert all(f"Shoe {colour}" in shown for colour in colours)
        assert "99.5 EUR" in shown and "concept, not for sale" in shown
        assert "looks like" in shown or "No sneaker." in shown
        await pilot.press("escape")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (studio.session.folder / "report.html").exists())
        await until(pilot, lambda: "The report is" in screen(app))
        assert "Shoe #7a1f2b" in (studio.session.folder / "report.html").read_text()

    drive(app, script)
    accepted = Session.open(studio.session.folder).accepted
    assert accepted is not None
    assert accepted["dream"] == 2
    assert len(accepted["findings"]) == 5
