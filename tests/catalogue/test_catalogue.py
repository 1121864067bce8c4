from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import threading
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamkicks import locations
from dreamkicks.catalogue import database
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Filters, Listing, web_address
from dreamkicks.catalogue.vectors import POINTER
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.errors import Cancelled, CatalogueBusy, CatalogueError
from tests.catalogue.palette import PaletteEncoder, content, fill, patchwork
from tests.drawing import sneaker

ENCODER = PaletteEncoder()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Sixty products that tests only read."""
    catalogue = fill(tmp_path_factory.mktemp("shop"), 60)
    yield catalogue
    catalogue.close()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "catalogue")
    yield catalogue
    catalogue.close()


def keep(catalogue: Catalogue, seed: int, **listing: object) -> int:
    with catalogue.writing():
        number = catalogue.keep(patchwork(seed), Listing(**{"brand": "Nike", "title": f"Shoe {seed}", **listing}))  # type: ignore[arg-type]
        catalogue.index(ENCODER)
    return number


def vector(seed: int) -> np.ndarray:
    return ENCODER.pictures([patchwork(seed)])[0]


# -------------------------------------------------------------------- finding


def test_a_picture_finds_its_product(shop: Catalogue) -> None:
    for number in (0, 1, 17, 59):
        findings = shop.search(vector(number), ENCODER.identity, 5)
        assert [finding.rank for finding in findings] == [1, 2, 3, 4, 5]
        assert findings[0].product.title == f"Shoe {number}"
        assert findings[0].score > 0.99
        assert [finding.score for finding in findings] == sorted((finding.score for finding in findings), reverse=True)
        assert findings[0].product.photo.is_file()


def test_the_photo_that_matched_is_the_one_shown(shop: Catalogue) -> None:
    first, second = (shop.search(vector(seed), ENCODER.identity, 1)[0].product for seed in (2, 1002))
    assert first.id == second.id and first.photo != second.photo


@settings(max_examples=60, deadline=None)
@given(
    st.none() | st.sampled_from(["Nike", "adidas", "PUMA", "Nobody"]),
    st.none() | st.sampled_from(["mine", "shop.example", "nowhere"]),
    st.none() | st.integers(0, 200).map(Decimal),
    st.integers(1, 80),
    st.integers(0, 10**6),
)
def test_search_gives_k_whenever_k_fit(
    shop: Catalogue, brand: str | None, store: str | None, most: Decimal | None, k: int, seed: int
) -> None:
    query = vector(seed)
    fitting = {
        product.id
        for product in shop.products()
        if (brand is None or product.brand.lower() == brand.lower())
        and (store is None or product.store == store)
        and (most is None or (product.price is not None and product.price <= most))
    }
    best: dict[str, float] = {}
    for number in range(60):
        for photo in range(1 + number % 3):
            score = float(vector(1000 * photo + number) @ query)
            best[f"Shoe {number}"] = max(score, best.get(f"Shoe {number}", -1))
    findings = shop.search(query, ENCODER.identity, k, Filters(brand, store, most))
    assert len(findings) == min(k, len(fitting))
    assert len({finding.product.id for finding in findings} & fitting) == len(findings)
    wanted = sorted((best[shop.product(number).title] for number in fitting), reverse=True)[:k]
    # Photos are kept as WebP, which moves colours a little.
    np.testing.assert_allclose([finding.score for finding in findings], wanted, atol=0.05)


def test_equal_pictures_of_many_products_are_all_found(catalogue: Catalogue) -> None:
    """Equal scores have no order of their own, and none may fall out where a search is widened."""
    with catalogue.writing():
        for number in range(90):
            for photo in range(3):
                catalogue.keep(
                    patchwork(photo), Listing("Nike", f"Shoe {number}", url=f"https://shop.example/{number}")
                )
        catalogue.index(ENCODER)
    for k in (1, 7, 30, 89, 90, 200):
        findings = catalogue.search(vector(0), ENCODER.identity, k)
        assert len({finding.product.id for finding in findings}) == min(k, 90)


def test_what_can_t_be_bought_can_be_left_out(catalogue: Catalogue) -> None:
    kept = [keep(catalogue, seed) for seed in range(4)]
    with catalogue.writing(), catalogue.transaction() as base:
        base.execute("UPDATE product SET available = 0 WHERE id = ?", (kept[0],))
    found = catalogue.search(vector(0), ENCODER.identity, 9, Filters(available=True))
    assert kept[0] not in [finding.product.id for finding in found] and len(found) == 3
    assert len(catalogue.search(vector(0), ENCODER.identity, 9)) == 4
    assert not catalogue.product(kept[0]).available


def test_an_empty_catalogue_finds_nothing(catalogue: Catalogue) -> None:
    assert catalogue.search(vector(0), ENCODER.identity, 5) == []
    assert catalogue.in_step(ENCODER.identity)
    with catalogue.writing():
        assert catalogue.index(ENCODER) == 0
    assert catalogue.search(vector(0), ENCODER.identity, 5) == []
    assert catalogue.in_step(ENCODER.identity)


def test_another_encoder_is_refused_until_indexed_anew(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    other = PaletteEncoder("palette-2")
    assert not catalogue.in_step(other.identity)
    with pytest.raises(CatalogueError, match="another encoder"):
        catalogue.search(vector(1), other.identity, 1)
    with catalogue.writing():
        assert catalogue.index(other) == 1
    assert catalogue.in_step(other.identity) and not catalogue.in_step(ENCODER.identity)
    assert len(catalogue.search(vector(1), other.identity, 1)) == 1


def test_filters_that_name_nobody(shop: Catalogue) -> None:
    shop.check_filters(Filters(brand="nike", store="MINE"))
    with pytest.raises(CatalogueError, match=r"no brand 'Nikey'. It has: Adidas, Nike, Puma, Vans\."):
        shop.check_filters(Filters(brand="Nikey"))
    with pytest.raises(CatalogueError, match=r"no store 'a b'. It has: "):
        shop.check_filters(Filters(store="a\x1b[1m\nb"))


def test_no_such_product(shop: Catalogue) -> None:
    for number in (0, -1, 999):
        with pytest.raises(CatalogueError, match=f"no product {number}"):
            shop.product(number)


# -------------------------------------------------------------------- keeping


def test_a_listing_is_kept_as_it_was(catalogue: Catalogue) -> None:
    number = keep(
        catalogue,
        1,
        store="shop.example",
        price=Decimal("129.90"),
        currency="eur",
        url="https://shop.example/a?b=1&c=ü",
    )
    product = catalogue.product(number)
    assert (product.brand, product.title, product.store) == ("Nike", "Shoe 1", "shop.example")
    assert (product.price, product.currency, product.url) == (
        Decimal("129.90"),
        "EUR",
        "https://shop.example/a?b=1&c=ü",
    )
    assert product.available
    assert product.to_json()["price"] == "129.90"


def test_the_same_address_is_the_same_product(catalogue: Catalogue) -> None:
    first = keep(catalogue, 1, url="https://shop.example/1", title="Old", price=Decimal(100), currency="EUR")
    second = keep(catalogue, 2, url="https://shop.example/1", title="New", price=Decimal(80), currency="EUR")
    other = keep(catalogue, 3, url="https://shop.example/1", store="other")
    assert first == second != other
    assert (catalogue.product(first).title, catalogue.product(first).price) == ("New", Decimal(80))
    assert (catalogue.stats().products, catalogue.stats().photos) == (2, 3)


@settings(max_examples=40, deadline=None)  # each makes a catalogue on disk
@given(st.text(max_size=400), st.text(max_size=80), st.text(max_size=80), st.text(max_size=8), st.text(max_size=80))
def test_foreign_text_is_clean_when_it_comes_back(
    tmp_path_factory: pytest.TempPathFactory, title: str, brand: str, store: str, currency: str, url: str
) -> None:
    catalogue = Catalogue(tmp_path_factory.mktemp("foreign"))
    with catalogue.writing():
        number = catalogue.keep(patchwork(1), Listing(brand, title, store, Decimal(5), currency, url))
    product = catalogue.product(number)
    for text in (product.title, product.brand, product.store, product.currency or "EUR", product.url or "x"):
        assert text and len(text) <= 300
        assert not [c for c in text if unicodedata.category(c)[0] == "C"]
    assert product.currency is None or (len(product.currency) == 3 and product.currency.isalpha())
    catalogue.close()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/a", True),
        ("http://shop.example:8080/a?b#c", True),
        ("javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//shop.example/a", False),
        ("https://", False),
        ("https://[", False),
        ("https://shop.example/a b", False),
        ("https://shop.example/\x1b[31m", False),
        ("https://shop.example/\u202e", False),
        ("https://shop.example/" + "x" * 2000, False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_are_kept(url: str | None, kept: bool) -> None:
    assert web_address(url) == (url if kept else None)


def test_index_encodes_only_what_is_new(catalogue: Catalogue) -> None:
    encoder = PaletteEncoder()
    with catalogue.writing():
        for seed in range(3):
            catalogue.keep(patchwork(seed), Listing("Nike", f"Shoe {seed}"))
        assert catalogue.index(encoder) == 3
        assert catalogue.index(encoder) == 0
        catalogue.keep(patchwork(3), Listing("Nike", "Shoe 3"))
        assert catalogue.index(encoder) == 1
    assert encoder.seen == 4
    generation = catalogue.stats().generation
    with catalogue.writing():
        catalogue.index(encoder)
    assert catalogue.stats().generation == generation


def test_index_drops_what_is_gone(catalogue: Catalogue) -> None:
    numbers = [keep(catalogue, seed) for seed in range(3)]
    with catalogue.writing():
        with catalogue.transaction() as base:
            base.execute("DELETE FROM product WHERE id = ?", (numbers[1],))
        assert [problem.what for problem in catalogue.verify()] == ["1 vectors have no photo"]
        assert [f.product.id for f in catalogue.search(vector(1), ENCODER.identity, 5)].count(numbers[1]) == 0
        assert catalogue.index(ENCODER) == 0
    assert catalogue.verify() == []
    assert catalogue.stats().indexed == 2


def views(catalogue: Catalogue) -> list[str | None]:
    with catalogue.transaction() as base:
        return [row[0] for row in base.execute("SELECT view FROM photo ORDER BY id")]


def test_index_marks_what_photos_show(catalogue: Catalogue) -> None:
    encoder = open_encoder()
    with catalogue.writing():
        catalogue.keep(sneaker("red"), Listing("Nike", "A shoe", url="https://shop.example/1"))
        catalogue.keep(Image.new("RGB", (64, 64), "teal"), Listing("Nike", "A shoe", url="https://shop.example/1"))
        catalogue.index(ENCODER)
        assert views(catalogue) == [None, None]  # the heads read other vectors
        catalogue.index(encoder)
        assert views(catalogue) == ["shoe", "other"]
        (found,) = catalogue.search(encoder.pictures([Image.new("RGB", (64, 64), "teal")])[0], encoder.identity)
        assert found.score > 0.99  # it is found all the same
        # An earlier version embedded photos and kept no view.
        with catalogue.transaction() as base:
            base.execute("UPDATE photo SET view = NULL WHERE id = 1")
        assert catalogue.index(encoder) == 0
        assert views(catalogue) == ["shoe", "other"]


def test_index_can_be_stopped(catalogue: Catalogue) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    with catalogue.writing():
        catalogue.keep(patchwork(1), Listing("Nike", "Shoe"))
        with pytest.raises(Cancelled):
            catalogue.index(ENCODER, stop)
        assert not catalogue.in_step(ENCODER.identity)
        catalogue.index(ENCODER)
    assert catalogue.in_step(ENCODER.identity) and catalogue.verify() == []


def test_a_transaction_is_all_or_nothing(catalogue: Catalogue) -> None:
    number = keep(catalogue, 1)
    with pytest.raises(Cancelled), catalogue.writing(), catalogue.transaction() as base:
        base.execute("UPDATE product SET title = 'half' WHERE id = ?", (number,))
        raise Cancelled
    assert catalogue.product(number).title == "Shoe 1"


# -------------------------------------------------------------------- checking


def test_stats(shop: Catalogue) -> None:
    stats = shop.stats()
    assert (stats.products, stats.photos, stats.indexed) == (60, 120, 120)
    assert (stats.encoder, stats.generation) == (ENCODER.identity, 1)
    assert stats.brands == dict.fromkeys(("Adidas", "Nike", "Puma", "Vans"), 15)
    assert stats.stores == dict.fromkeys(("mine", "other.example", "shop.example"), 20)
    assert stats.prices == {"EUR": ("40", "160")}
    assert stats.bytes > 120 * 100


def test_a_good_catalogue_has_no_problem(shop: Catalogue) -> None:
    told: list[tuple[int, int]] = []
    assert shop.verify(lambda done, total: told.append((done, total))) == []
    assert told == [(0, 120), (50, 120), (100, 120)]


def test_photos_that_are_gone_or_damaged_can_be_brought_back(catalogue: Catalogue) -> None:
    photos = [catalogue.product(keep(catalogue, seed)).photo for seed in range(3)]
    photos[0].unlink()
    photos[1].write_bytes(photos[1].read_bytes()[:-1] + b"\xff")
    problems = catalogue.verify()
    assert [problem.what for problem in problems] == [
        f"photo {photos[0].name} is missing",
        f"photo {photos[1].name} is damaged",
    ]
    assert "delete it and import its picture again" in problems[1].advice
    photos[1].unlink()
    for seed in range(2):  # what the advice says
        keep(catalogue, seed)
    assert catalogue.verify() == []
    assert catalogue.stats().products == 3


def test_a_photo_that_can_t_be_read_costs_no_new_generation(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    with catalogue.writing():
        number = catalogue.keep(patchwork(2), Listing("Nike", "Shoe 2"))
        catalogue.product(number).photo.unlink()
        assert catalogue.index(ENCODER) == 0
        assert catalogue.index(ENCODER) == 0
    assert catalogue.stats().generation == 1
    assert [finding.product.title for finding in catalogue.search(vector(2), ENCODER.identity, 5)] == ["Shoe 1"]


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / POINTER).unlink(),
        lambda folder: (folder / POINTER).write_bytes(b"garbage \xff"),
        lambda folder: (folder / POINTER).write_text("7 " + "0" * 64),
        lambda folder: (folder / "generations" / "000001" / "manifest.json").unlink(),
        lambda folder: half(folder / "generations" / "000001" / "manifest.json"),
        lambda folder: half(folder / "generations" / "000001" / "vectors.usearch"),
        lambda folder: shutil.rmtree(folder / "generations"),
    ],
    ids=[
        "no pointer",
        "pointer garbage",
        "pointer nowhere",
        "no manifest",
        "half a manifest",
        "half an index",
        "no generations",
    ],
)
def test_vectors_that_are_damaged_are_noticed_and_made_anew(tmp_path: Path, damage: object) -> None:
    fill(tmp_path, 10).close()
    damage(tmp_path)  # type: ignore[operator]
    catalogue = Catalogue(tmp_path)
    if (tmp_path / POINTER).exists():
        with pytest.raises(CatalogueError, match="catalog verify"):
            catalogue.search(vector(3), ENCODER.identity, 3)
    else:
        assert catalogue.search(vector(3), ENCODER.identity, 3) == []
    (problem,) = catalogue.verify()
    assert "catalog verify --repair" in problem.advice
    assert not catalogue.in_step(ENCODER.identity)
    assert (catalogue.stats().products, catalogue.stats().indexed) == (10, 0)
    with catalogue.writing():
        assert catalogue.index(ENCODER) == catalogue.stats().photos
    assert catalogue.verify() == []
    assert catalogue.search(vector(3), ENCODER.identity, 3)[0].product.title == "Shoe 3"
    catalogue.close()


# -------------------------------------------------------------------- together


def ask(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in another process with `folder`, Catalogue and the encoder at hand."""
    begin = f"""
        from pathlib import Path
        from dreamkicks.catalogue.catalogue import Catalogue
        from dreamkicks.catalogue.product import Listing
        from dreamkicks.errors import CatalogueBusy
        from tests.catalogue.palette import PaletteEncoder, patchwork
        catalogue, encoder = Catalogue(Path({str(folder)!r})), PaletteEncoder()
    """
    root = Path(__file__).parents[2]
    code = textwrap.dedent(begin) + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)


def test_the_second_writer_is_told_at_once_and_readers_go_on(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    write = """
        try:
            with catalogue.writing():
                print("wrote")
        except CatalogueBusy as error:
            print(error)
    """
    read = "print(catalogue.search(encoder.pictures([patchwork(1)])[0], encoder.identity, 1)[0].product.title)"
    with catalogue.writing():
        catalogue.keep(patchwork(2), Listing("Nike", "Shoe 2"))
        answer = ask(catalogue.folder, write).stdout
        assert (
            answer == f"Another dreamkicks is writing to {catalogue.folder}. Wait until it is done, then try again.\n"
        )
        assert ask(catalogue.folder, read).stdout == "Shoe 1\n"
        with pytest.raises(CatalogueBusy), Catalogue(catalogue.folder).writing():
            pass
    assert ask(catalogue.folder, write).stdout == "wrote\n"


def test_what_another_process_brings_in_is_found(catalogue: Catalogue) -> None:
    keep(catalogue, 1)
    assert catalogue.search(vector(2), ENCODER.identity, 1)[0].product.title == "Shoe 1"
    script = """
        with catalogue.writing():
            catalogue.keep(patchwork(2), Listing("Nike", "from elsewhere"))
            catalogue.index(encoder)
    """
    ask(catalogue.folder, script)
    assert catalogue.search(vector(2), ENCODER.identity, 1)[0].product.title == "from elsewhere"


def test_readers_go_on_while_one_writes(catalogue: Catalogue) -> None:
    keep(catalogue, 0)
    done = threading.Event()

    def write() -> None:
        writer = Catalogue(catalogue.folder)
        for seed in range(1, 12):
            keep(writer, seed)
        writer.close()
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert catalogue.search(vector(0), ENCODER.identity, 1)[0].product.title == "Shoe 0"
        assert catalogue.stats().products >= 1
    thread.join()
    assert len(catalogue.search(vector(0), ENCODER.identity, 99)) == 12


# -------------------------------------------------------------------- the one that ships


def test_at_first_the_catalogue_that_ships_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    fill(shipped, 4).close()
    before = {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    monkeypatch.setattr(locations, "concepts", lambda: shipped)
    mine = Catalogue.of_user()
    assert mine.folder == locations.catalogue() and mine.stats().products == 4 and mine.verify() == []
    keep(mine, 5000)
    mine.close()
    again = Catalogue.of_user()
    assert again.stats().products == 5
    again.close()
    assert {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()} == before
    assert [path.name for path in locations.home().iterdir()] == ["catalogue"]


def test_two_processes_may_make_the_first_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    fill(shipped, 4).close()
    monkeypatch.setattr(locations, "concepts", lambda: shipped)
    start, counts, errors = threading.Barrier(4), [], []

    def open_it() -> None:
        start.wait()
        try:
            catalogue = Catalogue.of_user()
            counts.append(catalogue.stats().products)
            catalogue.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counts, errors) == ([4] * 4, [])
    assert [path.name for path in locations.home().iterdir()] == ["catalogue"]


def test_without_one_that_ships_the_catalogue_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "concepts", lambda: tmp_path / "missing")
    catalogue = Catalogue.of_user()
    assert (catalogue.stats().products, content(catalogue)) == (0, [])
    assert (locations.catalogue() / database.NAME).is_file()
    catalogue.close()
