from __future__ import annotations

import base64
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from dreamkicks import pictures
from dreamkicks.brands.classifier import BrandGuess, Verdict
from dreamkicks.catalogue.product import Finding, Product
from dreamkicks.errors import StorageError
from dreamkicks.session.report import Story, write_report
from tests.drawing import encoded, sneaker
from tests.session.dreams import dreamt
from tests.web_page import HOSTILE, Page, read


def product(folder: Path, number: int = 1, **change: object) -> Product:
    photo = folder / f"{number}.webp"
    photo.write_bytes(encoded(sneaker("blue", number), "WEBP"))
    one = Product(
        number, "Nike", f"Shoe {number}", Decimal("129.90"), "EUR", "https://shop.example/a?b=1&c=2", "shop", photo
    )
    return replace(one, **change)  # type: ignore[arg-type]


def story(findings: list[Finding], words: str = "crimson high-top") -> Story:
    verdict = Verdict(0.97, (BrandGuess("Nike", 0.75), BrandGuess("Puma", 0.25)))
    return Story([dreamt(words, 1), dreamt(words, 2, parent=1)], verdict, findings)


def test_one_file_tells_the_whole_story(tmp_path: Path) -> None:
    findings = [Finding(rank, 0.9 - rank / 100, product(tmp_path, rank)) for rank in (1, 2, 3)]
    path = tmp_path / "out" / "report.html"
    write_report(path, "A dream sneaker", [story(findings)])
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    page = read(path)
    for told in ("A dream sneaker", "crimson high-top", "builtin, seed 1, 20 steps, 64 px, 0.51 s", "seed 2"):
        assert told in page.text
    for told in ("Nike", "75%", "25%", "1. Shoe 1", "3. Shoe 3", "Nike · shop 129.90 EUR · 0.89"):
        assert told in page.text
    images = page.every("img")
    assert len(images) == 5
    for image in images:
        kind, _, data = (image["src"] or "").partition(";base64,")
        assert kind in ("data:image/png", "data:image/webp")
        assert pictures.load(base64.b64decode(data, validate=True)).width > 0
    first = (images[0]["src"] or "").partition(",")[2]
    assert pictures.digest(pictures.load(base64.b64decode(first))) == pictures.digest(dreamt("crimson high-top", 1)[1])
    assert [link["href"] for link in page.every("a")] == ["https://shop.example/a?b=1&c=2"] * 3


def test_nothing_comes_from_elsewhere_but_links_to_products(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, "Title", [story([Finding(1, 0.5, product(tmp_path))])])
    page, text = read(path), path.read_text(encoding="utf-8")
    assert not [
        tag for tag, _ in page.tags if tag in ("script", "iframe", "link", "object", "embed", "form", "base", "video")
    ]
    linked = ("https://shop.example/a?b=1&amp;c=2",)
    assert re.findall(r"https?://[^\"' <]*", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)) == list(linked)
    assert "url(" not in text and "@import" not in text
    (policy,) = [meta["content"] or "" for meta in page.every("meta") if meta.get("http-equiv")]
    assert "default-src 'none'" in policy and "script" not in policy
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_foreign_text_stays_text(tmp_path: Path, hostile: str) -> None:
    finding = Finding(
        1, 0.5, product(tmp_path, brand=hostile, title=hostile, store=hostile, currency=hostile, url=hostile)
    )
    plain, path = tmp_path / "plain.html", tmp_path / "report.html"
    harmless = Finding(1, 0.5, product(tmp_path, url=None))
    write_report(plain, "x", [story([harmless], "red shoe")])
    dreams = story([finding], hostile)
    dreams = replace(dreams, verdict=Verdict(0.9, (BrandGuess(hostile, 0.5), BrandGuess("Puma", 0.5))))
    dreams = replace(
        dreams, dreams=[(replace(d, ignored=(hostile,), model=hostile), picture) for d, picture in dreams.dreams]
    )
    write_report(path, hostile, [dreams])

    def shape(page: Page) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in page.tags if tag != "del"]

    page = read(path)
    assert shape(page) == shape(read(plain))
    assert page.every("a") == []
    assert not [c for c in path.read_text(encoding="utf-8") if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e"]
    if "\x1b" not in hostile:
        assert page.text.count(hostile) >= 5  # every word of it is there to be read


def test_the_offers_of_other_stores_are_told(tmp_path: Path) -> None:
    other = product(tmp_path, store="<b>footshop", price=Decimal("131"), currency="EUR")
    write_report(tmp_path / "report.html", "x", [story([Finding(1, 0.5, product(tmp_path), also=(other,))])])
    assert "also at <b>footshop 131 EUR" in read(tmp_path / "report.html").text


def test_only_addresses_of_the_web_become_links(tmp_path: Path) -> None:
    urls = ["javascript:alert(1)", "data:text/html,x", None, "", 'https://shop.example/"><script>', "HTTPS://x"]
    findings = [Finding(rank, 0.5, product(tmp_path, rank, url=url)) for rank, url in enumerate(urls, start=1)]
    write_report(tmp_path / "report.html", "x", [story(findings)])
    page = read(tmp_path / "report.html")
    assert [link["href"] for link in page.every("a")] == ['https://shop.example/"><script>']
    assert all(link["rel"] == "noopener noreferrer" for link in page.every("a"))
    assert page.every("script") == []


def test_a_lost_photo_leaves_its_product(tmp_path: Path) -> None:
    lost = product(tmp_path)
    lost.photo.unlink()
    write_report(tmp_path / "report.html", "x", [story([Finding(1, 0.5, lost)])])
    page = read(tmp_path / "report.html")
    assert len(page.every("img")) == 2 and "1. Shoe 1" in page.text


def test_no_sneaker_no_findings_no_price(tmp_path: Path) -> None:
    nothing = Story([dreamt("red", 1)], Verdict(0.12, ()), ())
    unpriced = Story([dreamt("red", 1)], None, [Finding(1, 0.5, product(tmp_path, price=None, currency=None))])
    write_report(tmp_path / "report.html", "x", [nothing, unpriced])
    page = read(tmp_path / "report.html")
    assert "No sneaker (probability of one: 12%)." in page.text
    assert "Nike · shop · 0.50" in page.text
    assert page.text.count("Nearest in the catalogue") == 1
    assert len(page.every("section")) == 2


def test_a_report_of_nothing(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", "Nothing", [])
    assert "Nothing" in read(tmp_path / "report.html").text


def test_where_no_report_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_report(tmp_path / "file" / "report.html", "x", [])
