"""search, classify, catalog"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dreamkicks import locations
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.ledger import Ledger

from .conftest import Run


def shoe(colour: str, place: Path, size: tuple[int, int] = (160, 120)) -> Path:
    """A shoe of sorts on white paper."""
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    pen.polygon([(10, 80), (14, 40), (60, 42), (100, 66), (148, 72), (150, 86), (10, 86)], fill=colour)
    pen.rectangle((8, 86, 152, 98), fill="grey")
    picture.save(place)
    return place


@pytest.fixture
def shop(run: Run) -> Run:
    """A folder of three products with a table, and one that is no picture."""
    folder = Path("shop")
    folder.mkdir()
    rows = [
        ("red.png", "Nike", "Red One", "99.95"),
        ("blue.png", "Puma", "Blue One", "149"),
        ("green.png", "Vans", "Green", ""),
    ]
    with open(folder / "products.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "brand", "title", "price", "currency", "url"])
        for name, brand, title, price in rows:
            shoe(name.split(".")[0], folder / name)
            writer.writerow([name, brand, title, price, "EUR", f"https://shop.example/{name}"])
        (folder / "broken.png").write_bytes(b"no picture")
        writer.writerow(["broken.png", "Nike", "Broken", "1", "EUR", ""])
    return run


def test_the_catalogue_that_ships_is_searched_at_once(run: Run) -> None:
    ran = run("search", "--text", "red high-top", "-k", "7", "--json")
    assert ran.status == 0
    assert [one["rank"] for one in ran.objects] == [1, 2, 3, 4, 5, 6, 7]
    for one in ran.objects:
        assert list(one) == ["rank", "score", "product"]
        assert list(one["product"]) == ["id", "brand", "title", "price", "currency", "url", "store", "photo"]
        assert (one["product"]["store"], one["product"]["price"], one["product"]["url"]) == ("concepts", None, None)
        assert Path(one["product"]["photo"]).is_file()
    scores = [one["score"] for one in ran.objects]
    assert scores == sorted(scores, reverse=True)


def test_at_least_four_hundred_concepts_ship(run: Run) -> None:
    (stats,) = run("catalog", "stats", "--json").objects
    assert stats["stores"].keys() == {"concepts"}
    assert stats["photos"] == stats["indexed"] >= 400
    assert stats["prices"] == {}


def test_words_find_what_they_say(run: Run) -> None:
    for colour, alike in (("red", "red"), ("green", "green|volt|lime|olive|mint"), ("blue", "blue")):
        titles = [
            one["product"]["title"].lower()
            for one in run("search", "--text", f"{colour} sneaker", "-k", "10", "--json").objects
        ]
        assert sum(re.search(alike, title) is not None for title in titles) >= 3, titles


def test_import_search_and_filters(shop: Run) -> None:
    ran = shop("catalog", "import", "shop/products.csv", "--json")
    assert ran.status == 0
    assert ran.objects[0]["added"] == 3
    assert [one["file"] for one in ran.objects[0]["failed"]] == ["broken.png"]
    assert "broken.png" in ran.err
    assert shop("catalog", "import", "shop", "--csv", "shop/products.csv").out.startswith("0 added, 3 known")

    (best, *_) = shop("search", "shop/red.png", "--json").objects
    assert best["product"]["title"] == "Red One"
    assert best["score"] > 0.99
    assert best["product"]["price"] == "99.95"
    assert [one["product"]["brand"] for one in shop("search", "shop/red.png", "--brand", "nike", "--json").objects] == [
        "Nike"
    ]
    cheap = shop("search", "--text", "shoe", "--max-price", "100", "--json").objects
    assert [one["product"]["title"] for one in cheap] == ["Red One"]
    assert shop("search", "--text", "shoe", "--max-price", "100", "--currency", "eur", "--json").objects == cheap
    nothing = shop("search", "--text", "shoe", "--max-price", "1", "--json")
    assert (nothing.status, nothing.objects) == (0, [])
    assert "Nothing fits" in nothing.err
    assert len(shop("search", "--text", "shoe", "--store", "mine", "-k", "3", "--json").objects) == 3
    both = shop("search", "shop/blue.png", "--text", "blue one", "-k", "1", "--json").objects
    assert both[0]["product"]["title"] == "Blue One"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["search"], 2, "--text"),
        (["search", "--text", ""], 1, "empty"),
        (["search", "nowhere.png"], 1, "does not exist"),
        (["search", "--text", "x", "--brand", "Nope"], 1, "It has: Concept"),
        (["search", "--text", "x", "--store", "nope"], 1, "It has: concepts"),
        (["search", "--text", "x", "--max-price", "cheap"], 2, "cheap"),
        (["search", "--text", "x", "--currency", "EUR"], 1, "no currency 'EUR'. It has: none"),
        (["search", "--text", "x", "-k", "0"], 2, "-k"),
        (["catalog", "import", "nowhere"], 1, "no folder"),
        (["catalog", "import", "memory://nowhere"], 1, "does not exist"),
        (["catalog", "export", "s4://bucket/x.parquet"], 1, "'s4' are not known"),
        (["--offline", "catalog", "import", "s3://bucket/x.parquet"], 1, "offline"),
        (["catalog", "add", "nowhere.png", "--brand", "x", "--title", "y"], 1, "does not exist"),
        (["catalog", "add", "x.png", "--title", "y"], 2, "--brand"),
        (["catalog", "add", "x.png", "--brand", "x", "--title", "y", "--currency", "euro"], 2, "'euro' is no currency"),
        (["catalog", "refresh", "nope"], 1, "sneakerbaas"),
        (["--offline", "models", "pull", "sd-turbo", "--yes"], 1, "offline"),
        (["models", "pull", "builtin"], 1, "builtin"),
        (["models", "pull", "nope"], 1, "sd-turbo"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, arguments: list[str], status: int, says: str) -> None:
    ran = run(*arguments)
    assert ran.status == status
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_add_one(run: Run) -> None:
    shoe("purple", Path("a.png"))
    arguments = [
        "--brand",
        "Asics",
        "--title",
        "Gel \x1b[31mThing",
        "--price",
        "120.50",
        "--url",
        "https://shop.example/1",
    ]
    (product,) = run("catalog", "add", "a.png", *arguments, "--json").objects
    assert (product["title"], product["price"], product["currency"]) == ("Gel Thing", "120.50", "EUR")
    assert run("search", "a.png", "-k", "1", "--json").objects[0]["product"] == product
    ran = run("search", "a.png", "-k", "1")
    assert "120.50 EUR" in ran.out
    assert "\x1b" not in ran.out
    assert run("catalog", "add", "a.png", "--brand", "x", "--title", "y", "--url", "javascript:1").status == 2
    assert run("catalog", "add", "a.png", "--brand", "x", "--title", "y", "--price", "-3").status == 2


@pytest.mark.parametrize("where", ["all  of them.parquet", "memory://team/all.parquet"])
def test_export_and_import(shop: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str) -> None:
    shop("catalog", "import", "shop/products.csv")
    assert shop("catalog", "export", where).out == f"{where}\n"
    monkeypatch.setenv("DREAMKICKS_HOME", str(tmp_path / "other"))
    ran = shop("catalog", "import", where, "--json")
    assert ran.objects[0]["added"] == 3  # the concepts are there already
    assert (ran.objects[0]["updated"], ran.objects[0]["failed"]) == (0, [])
    (best, *_) = shop("search", "shop/blue.png", "--json").objects
    assert (best["product"]["title"], best["product"]["price"]) == ("Blue One", "149.00")
    assert shop("catalog", "import", where).out.startswith("0 added, ")


def test_report(shop: Run) -> None:
    shop("catalog", "import", "shop/products.csv")
    ran = shop("catalog", "report")
    assert (ran.status, ran.out, ran.err) == (0, "catalogue.html\n", "")
    page = Path("catalogue.html").read_text(encoding="utf-8")
    (report,) = shop("catalog", "report", "-o", "new/page.html", "--json").objects
    assert report["path"] == "new/page.html"
    assert Path("new/page.html").read_text(encoding="utf-8") == page
    (stats,) = shop("catalog", "stats", "--json").objects
    assert (report["total"]["products"], report["photos"]) == (stats["products"], stats["photos"])
    assert {name: counts["products"] for name, counts in report["stores"].items()} == stats["stores"]
    assert report["brands"] == stats["brands"]
    (prices,) = report["prices"]
    assert (prices["store"], prices["currency"], prices["products"]) == ("mine", "EUR", 2)
    assert prices["quartiles"] == ["99.95", "99.95", "99.95", "149", "149"]
    for told in (f"<b>{stats['products']}</b>products", "Vans", "99.95"):
        assert told in page
    assert shop("catalog", "report", "-o", "shop").status == 1


def test_verify_finds_and_mends(run: Run) -> None:
    assert run("catalog", "verify").out == "The catalogue is in order.\n"
    (index,) = (locations.catalogue() / "generations").rglob("*.usearch")
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 1
    index.write_bytes(data)
    ran = run("catalog", "verify")
    assert ran.status == 1
    assert "damaged" in ran.err
    assert run("catalog", "verify", "--repair").status == 0
    assert run("search", "--text", "red", "--json").status == 0


def test_classify(run: Run) -> None:
    run("generate", "red high-top", "--seed", "2", "-o", "a.png")
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save("noise.png")
    ran = run("classify", "a.png", "nowhere.png", "noise.png", "--json")
    assert ran.status == 1
    assert "nowhere.png does not exist" in ran.err
    first, second = ran.objects
    assert sum(guess["probability"] for guess in first["brands"]) == pytest.approx(1)
    assert second == {"path": "noise.png", "brands": []}
    assert "no sneaker" in run("classify", "noise.png").out


def test_models_and_stores_are_listed(run: Run) -> None:
    presets = {one["name"]: one for one in run("models", "list", "--json").objects}
    assert presets["builtin"]["here"] is True
    assert presets["sd-turbo"]["here"] is False
    assert {"lcm-sd15", "sdxl-turbo", "instruct-pix2pix", "flux2-klein"} < presets.keys()
    assert "GB to pull" in run("models", "list").out
    assert {one["name"] for one in run("catalog", "stores", "--json").objects} >= {"sneakerbaas", "footshop"}


def test_doctor(run: Run) -> None:
    checks = {check["name"]: check for check in run("doctor", "--json").objects}
    assert {name for name, check in checks.items() if check["state"] == "broken"} == set()
    assert {
        "versions",
        "packages",
        "device",
        "built-in models",
        "painter",
        "encoder",
        "files",
        "catalogue",
        "terminal",
    } == set(checks)
    (index,) = (locations.catalogue() / "generations").rglob("*.usearch")
    index.write_bytes(b"")
    ran = run("--model", "sd-turbo", "doctor", "--json")
    assert ran.status == 1
    broken = {check["name"]: check["advice"] for check in ran.objects if check["state"] == "broken"}
    assert broken.keys() == {"painter", "catalogue"}
    assert all(broken.values())


def test_bench(run: Run) -> None:
    parts = [one["part"] for one in run("bench", "-n", "1", "--json").objects]
    assert parts == ["picture", "edit", "brand", "search by picture", "search by words"]


def test_only_what_can_be_bought(shop: Run) -> None:
    shop("catalog", "import", "shop/products.csv")
    catalogue = Catalogue.of_user()
    with catalogue.writing():
        Ledger(catalogue).retire("mine", ["https://shop.example/red.png"])
    catalogue.close()

    def titles(*options: str) -> list[str]:
        found = shop("search", "shop/red.png", "--store", "mine", "--json", *options).objects
        return [one["product"]["title"] for one in found]

    assert titles()[0] == "Red One"
    assert sorted(titles()) == ["Blue One", "Green", "Red One"]
    assert sorted(titles("--available")) == ["Blue One", "Green"]
    assert titles("--available", "--brand", "Nike") == []


def test_the_same_shoe_at_two_stores_is_one_result_with_both_offers(shop: Run) -> None:
    with open("offers.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "brand", "title", "price", "currency", "url", "store", "style"])
        for store, price in (("north", "120"), ("south", "99")):
            place = shoe("red" if store == "north" else "orange", Path(f"{store}.png"))
            writer.writerow([place, "Nike", "Dunk", price, "EUR", f"https://{store}.example/1", store, "DD1391-100"])
    shop("catalog", "import", "offers.csv")
    (one,) = [one for one in shop("search", "north.png", "--json").objects if one["product"]["title"] == "Dunk"]
    assert (one["product"]["store"], one["product"]["price"]) == ("south", "99")
    assert one["offers"] == [
        {"store": "south", "price": "99", "currency": "EUR", "url": "https://south.example/1", "available": True},
        {"store": "north", "price": "120", "currency": "EUR", "url": "https://north.example/1", "available": True},
    ]
    lines = [" ".join(line.split()) for line in shop("search", "north.png", "--brand", "Nike").out.splitlines()]
    assert lines[1].endswith("Nike Dunk 99 EUR https://south.example/1")
    assert lines[2] == "also at north 120 EUR https://north.example/1"
