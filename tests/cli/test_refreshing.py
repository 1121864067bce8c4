"""`dreamkicks catalog refresh` and its neighbours, from the arguments to the shop's own log."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dreamkicks.cli import catalog
from dreamkicks.stores import fetcher
from tests.stores.fakeshop import FakeClock, FakeShop, Shoe, refuses, sends

from .conftest import Ran, Run

DAY = 86_400
LIST = "/collections/sneakers/products.json"
SITEMAP = "/sitemap-1.xml.gz"


@pytest.fixture
def ask(run: Run, shop: FakeShop, clock: FakeClock, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a `catalog` command a day after the last, with two shops in the person's own file."""
    more = f"pictures = ['cdn.test:{shop.port}']\ncurrency = 'EUR'\ntypes = ['sneaker']"
    (home / "stores.toml").write_text(
        f"[corner]\nkind = 'shopify'\nsite = '{shop.site}'\ncollections = ['sneakers']\n{more}\n"
        f"[yard]\nkind = 'pages'\nsite = 'https://second.test:{shop.port}'\nproducts = '^/en/shoes/'\n{more}\n"
    )
    monkeypatch.setenv("DREAMKICKS_CONTACT", "me@example.org")
    monkeypatch.setattr(fetcher, "Network", shop.network)
    monkeypatch.setattr(fetcher, "Clock", lambda: clock)
    monkeypatch.setattr(catalog, "time", SimpleNamespace(time=clock.now))

    def ask(*arguments: str) -> Ran:
        clock.advance(DAY)
        return run("catalog", *arguments)

    return ask


@pytest.fixture
def entry_with_a_mistake(home: Path, ask: Run) -> None:
    with (home / "stores.toml").open("a") as file:
        file.write(
            "[den]\nkind = 'shopify'\nsite = 'http://den.example'\ncollections = ['all']\n[loft]\nkind = 'pages'\n"
        )


def test_what_it_says_day_after_day(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe("a"), Shoe("b"), Shoe("c")]
    ran = ask("refresh", "corner", "yard")
    assert (ran.status, ran.err) == (0, "")
    counted = "listed, 3 new, 0 changed, 0 unchanged, 0 gone, 6 pictures"
    for line, name in zip(ran.out.splitlines(), ("corner", "yard"), strict=True):
        assert re.fullmatch(f"{name}: 3 {counted}, \\d+ requests, 0 failed", line)
    assert {one.headers["user-agent"].partition(" ")[2] for one in shop.log} == {"(+me@example.org)"}
    shop.shoes = [replace(shop.shoes[0], price="80", lastmod="2026-02-02"), shop.shoes[1]]
    before = len(shop.log)
    ran = ask("refresh", "corner", "yard", "--json")
    assert (ran.status, ran.err, [report["store"] for report in ran.objects]) == (0, "", ["corner", "yard"])
    for report in ran.objects:
        counts = [report[name] for name in ("listed", "new", "changed", "unchanged", "gone", "pictures")]
        assert (counts, report["failed"], report["stopped"]) == ([2, 0, 1, 1, 1, 0], [], None)
    assert sum(report["requests"] for report in ran.objects) == len(shop.log) - before
    stores = {store["name"]: store for store in ask("stores", "--json").objects}
    assert [stores[name]["products"] for name in ("corner", "yard", "footshop")] == [2, 2, 0]
    assert stores["corner"]["refreshed"] and stores["footshop"]["refreshed"] is None
    assert [store["name"] for store in ask("stores", "yard", "--json").objects] == ["yard"]


def test_the_exit_status(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe("a"), Shoe("b")]
    shop.places["/pictures/b-1.jpg"] = refuses(404)
    shop.places["/sitemap.xml"] = refuses(500)
    ran = ask("refresh", "corner", "yard")
    corner, _ = ran.out.splitlines()
    assert ran.status == 0 and "corner: 2 listed, 2 new" in corner and "1 failed" in corner
    assert "b-1.jpg answered 404 (Not Found)" in ran.err and "stopped: " in ran.err and "answered 500" in ran.err
    assert ask("refresh", "corner", "yard", "--strict").status == 1
    assert ask("refresh", "corner", "--strict").status == 0  # that picture is not asked for again
    assert ask("refresh", "yard").status == 1  # nothing at all came of it
    del shop.places["/sitemap.xml"], shop.places["/pictures/b-1.jpg"]
    assert ask("refresh", "corner", "yard", "--strict").status == 0


def test_a_dry_run_and_a_budget(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe("a")]
    ran = ask("refresh", "corner", "yard", "--dry-run")
    assert (ran.status, shop.log) == (0, [])
    second = f"https://second.test:{shop.port}"
    asked = ["/robots.txt", f"{LIST}?limit=250&page=1"], ["/robots.txt", "/sitemap.xml"]
    assert ran.out.splitlines() == [
        f"{site}{path}" for site, paths in zip((shop.site, second), asked, strict=True) for path in paths
    ]
    ran = ask("refresh", "corner", "--budget", "3")
    assert (ran.status, len(shop.log)) == (0, 3)
    assert "the budget of requests is spent" in ran.err
    assert ask("refresh", "corner", "--budget", "0").status == 2


def test_a_dry_run_keeps_to_its_options_and_says_what_stands_in_its_way(shop: FakeShop, ask: Run) -> None:
    ran = ask("refresh", "corner", "yard", "--dry-run", "--strict")
    assert (ran.status, ran.err, len(ran.out.splitlines())) == (0, "", 4)  # that nothing is known yet is no failure
    ran = ask("refresh", "corner", "yard", "--dry-run", "--json", "--budget", "3")
    asked = (
        f"{shop.site}/robots.txt",
        f"{shop.site}{LIST}?limit=250&page=1",
        f"https://second.test:{shop.port}/robots.txt",
    )
    assert ran.objects == [{"url": url, "if_changed": False} for url in asked]
    assert (ran.status, ran.err) == (0, "yard stopped: the budget of requests is spent; refresh again to go on\n")
    assert ask("refresh", "corner", "yard", "--dry-run", "--strict", "--budget", "3").status == 1
    shop.robots = b"User-agent: *\nDisallow: /collections/\n"
    ask("stores", "--check", "corner")
    before = len(shop.log)
    ran = ask("refresh", "corner", "--dry-run")
    assert (ran.status, ran.out) == (1, f"{shop.site}/robots.txt (if it changed)\n")
    assert "corner stopped: robots.txt of shop.test forbids" in ran.err
    assert len(shop.log) == before


def test_a_mistake_in_an_entry_leaves_the_others_be(shop: FakeShop, ask: Run, entry_with_a_mistake: None) -> None:
    ran = ask("stores", "--json")
    assert ran.status == 1
    assert [store["name"] for store in ran.objects][-2:] == ["corner", "yard"]
    first, second = ran.err.splitlines()
    assert "The site of store 'den'" in first and "The site of store 'loft'" in second
    ran = ask("refresh", "--dry-run")
    assert ran.status == 0 and ran.err.splitlines() == [first, second]
    assert f"{shop.site}/robots.txt" in ran.out
    ran = ask("refresh", "corner", "den")
    assert (ran.status, ran.out, ran.err.splitlines()) == (1, "", [first])
    shop.shoes = [Shoe("a")]
    assert ask("refresh", "corner", "--strict").status == 0


# ---------------------------------------------------------------- checking shops


def test_a_check_asks_each_shop_for_a_product(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe("mug", product_type="Mugs"), Shoe("a", "Forum"), Shoe("b")]
    ran = ask("stores", "--check", "corner", "yard")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == ["corner: ok (Forum, 129.95 EUR)", "yard: ok (Forum, 129.95 EUR)"]
    paths = [(one.host, one.path.partition("?")[0]) for one in shop.log]
    assert paths == [
        ("shop.test", "/robots.txt"),
        ("shop.test", LIST),
        *(
            ("second.test", path)
            for path in ("/robots.txt", "/sitemap.xml", SITEMAP, "/en/shoes/mug.html", "/en/shoes/a.html")
        ),
    ]
    assert {one.headers["user-agent"].partition(" ")[2] for one in shop.log} == {"(+me@example.org)"}


def test_a_check_says_as_json_what_it_found(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe("a", price="")]
    shop.places["/sitemap.xml"] = refuses(430)
    ran = ask("stores", "--check", "corner", "yard", "--json")
    corner, yard = ran.objects
    product = {
        "brand": "Nike",
        "title": "Runner One",
        "price": None,
        "currency": None,
        "url": f"{shop.site}/products/a",
    }
    assert (ran.status, ran.err) == (1, "")
    assert corner == {"store": "corner", "ok": True, **product, "reason": None}
    assert "430" in yard.pop("reason")
    assert yard == {"store": "yard", "ok": False, **dict.fromkeys(product)}
    assert ask("stores", "--check", "corner").out == "corner: ok (Runner One, no price)\n"


TROUBLES = {
    "robots": ("/robots.txt", refuses(503), "robots.txt of second.test can't be read", 2),
    "forbidden": (
        "/robots.txt",
        sends(b"User-agent: *\nDisallow: /en/", "text/plain"),
        "robots.txt of second.test forbids",
        3,
    ),
    "down": ("/sitemap.xml", refuses(500), "sitemap.xml answered 500 (Internal Server Error)", 3),
    "no sitemap": (SITEMAP, sends(b"<html>", "application/xml"), "is no sitemap", 3),
    "nothing": (SITEMAP, sends(b"<urlset/>", "application/xml"), "3 requests found 0 entries and no product; check", 3),
    "no product": ("/en/shoes/a.html", sends(b"<html>", "text/html"), "found 1 entries and no product; check", 4),
    "gone": ("/en/shoes/a.html", refuses(410), "a.html answered 410 (Gone)); check sitemaps, products and types", 4),
}


@pytest.mark.parametrize("vice", TROUBLES)
def test_a_check_says_why_a_shop_shows_no_product(shop: FakeShop, ask: Run, vice: str) -> None:
    path, answer, reason, requests = TROUBLES[vice]
    shop.shoes = [Shoe("a")]
    shop.places[path] = answer
    ran = ask("stores", "--check", "yard")
    assert (ran.status, ran.err) == (1, "")
    assert ran.out.startswith("yard: ") and reason in ran.out
    assert len(shop.log) == requests


def test_a_check_gives_up_after_a_few_requests(shop: FakeShop, ask: Run) -> None:
    shop.shoes = [Shoe(f"s{number}") for number in range(9)]
    for shoe in shop.shoes:
        shop.places[f"/en/shoes/{shoe.handle}.html"] = refuses(404)
    shop.vice("/robots.txt", refuses(500))
    ran = ask("stores", "--check", "yard")
    assert (
        ran.status == 1
        and "6 requests found 3 entries and no product (" in ran.out
        and "s1.html answered 404" in ran.out
    )
    assert len(shop.log) == 6


def test_a_check_survives_a_surprise_and_needs_a_connection(shop: FakeShop, ask: Run, run: Run) -> None:
    shop.shoes, shop.addresses["shop.test"] = [Shoe("a")], None  # type: ignore[assignment]
    ran = ask("stores", "--check", "corner", "yard")
    assert ran.status == 1 and ran.out.splitlines()[1:] == ["yard: ok (Runner One, 129.95 EUR)"]
    assert re.fullmatch(r"corner: .* report this mistake .*: TypeError\(.+\)", ran.out.splitlines()[0])
    before = len(shop.log)
    ran = run("--offline", "catalog", "stores", "--check")
    assert (ran.status, ran.out, len(shop.log)) == (1, "", before)
    assert ran.err == "dreamkicks: Offline no shop can be checked. Leave out --offline, or unset DREAMKICKS_OFFLINE.\n"
