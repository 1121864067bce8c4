from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamkicks import locations, pictures, settings
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.product import Filters, Listing
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.errors import Cancelled, CatalogueBusy, CatalogueError, PromptError, SessionError
from dreamkicks.painter import vocabulary
from dreamkicks.painter.measure import measure
from dreamkicks.painter.painter import Step
from dreamkicks.session.session import Session
from dreamkicks.studio import MOST_SEEDS, Studio
from tests.catalogue.palette import PaletteEncoder
from tests.drawing import sneaker

needs_painter = pytest.mark.skipif(
    not (locations.weights() / "painter" / "SHA256SUMS").exists(), reason="the painter's weights are not built"
)
needs_brands = pytest.mark.skipif(
    not (locations.weights() / "brands" / "SHA256SUMS").exists(), reason="the brand head is not built"
)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """Sneakers in six colours, not indexed yet."""
    catalogue = Catalogue(tmp_path / "catalogue")
    with catalogue.writing():
        for seed, colour in enumerate(("red", "blue", "green", "black", "white", "yellow")):
            listing = Listing("Nike" if seed % 2 else "Puma", f"{colour} shoe", "shop", Decimal(50 + seed), "EUR")
            catalogue.keep(sneaker(colour, seed), listing)
    yield catalogue
    catalogue.close()


@pytest.fixture
def studio(tmp_path: Path, catalogue: Catalogue) -> Studio:
    return Studio(settings.load(), Session.create(tmp_path / "session"), open_catalogue=lambda: catalogue)


def upper_of(picture: Image.Image) -> tuple[float, float, float]:
    seen = measure(np.asarray(picture))
    assert seen is not None and seen.blueprint.upper is not None
    return seen.blueprint.upper


# -------------------------------------------------------------------- painting


@needs_painter
def test_the_whole_loop(studio: Studio, tmp_path: Path) -> None:
    first = studio.imagine("a red low-top with a white sole", seed=7)
    assert (first.id, first.parent, first.kind, first.seed, first.model) == (1, None, "imagine", 7, "builtin")
    assert first.steps > 1 and (first.size, first.ignored) == (256, ())
    assert upper_of(studio.session.picture(first))[1] > 25  # red
    second = studio.edit("make it blue with sparkles", seed=8)
    assert (second.id, second.parent, second.kind, second.seed) == (2, 1, "edit", 8)
    assert second.ignored == ("sparkles",)
    assert upper_of(studio.session.picture(second))[2] < -5  # blue

    result = studio.accept(k=3)
    assert len(result.findings) == 3 and 0 <= result.verdict.sneaker_probability <= 1
    assert studio.session.accepted is not None and studio.session.accepted["dream"] == 2
    assert [f["rank"] for f in studio.session.accepted["findings"]] == [1, 2, 3]

    studio.write_report(tmp_path / "report.html", result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for told in (first.words, second.words, "sparkles", result.findings[0].product.title):
        assert told in page
    assert Session.open(tmp_path / "session").accepted == studio.session.accepted


@needs_painter
def test_the_same_seed_paints_the_same_picture(studio: Studio) -> None:
    one, two, other = (studio.paint("navy high-top", seed) for seed in (5, 5, 6))
    assert pictures.digest(one[1]) == pictures.digest(two[1]) != pictures.digest(other[1])
    edits = [studio.repaint(one[1], "gum sole", 9)[1] for _ in range(2)]
    assert pictures.digest(edits[0]) == pictures.digest(edits[1]) != pictures.digest(one[1])


@needs_painter
def test_without_a_prompt_a_random_sneaker_which_its_seed_names(studio: Studio) -> None:
    one, two = studio.paint(seed=3)[0], studio.paint(seed=3)[0]
    assert one.words == two.words and one.understood and one.ignored == ()
    assert studio.paint()[0].seed < MOST_SEEDS


@needs_painter
def test_each_step_is_told_with_a_preview(studio: Studio) -> None:
    told: list[Step] = []
    dream = studio.imagine("red", 1, told.append)
    assert [step.number for step in told] == list(range(1, dream.steps + 1))
    assert {step.total for step in told} == {dream.steps}
    assert all(step.preview is not None and max(step.preview.size) <= 128 for step in told)
    final = studio.session.picture(dream)
    for step in (told[0], told[-1]):  # the draft and what is decoded after it: either is much nearer than paper
        assert step.preview is not None
        shown = np.asarray(final.resize(step.preview.size), np.float32)
        assert np.abs(np.asarray(step.preview) - shown).mean() < 0.4 * np.abs(255 - shown).mean()


@needs_painter
def test_a_cancelled_attempt_is_recorded_with_the_steps_that_ran(studio: Studio) -> None:
    def stop(step: Step) -> None:
        if step.number == 1:
            raise Cancelled

    with pytest.raises(Cancelled) as caught:
        studio.imagine("red \x1b[31mshoe\udcff", 1, stop)
    assert caught.value.steps == 1
    assert studio.session.current is None
    assert studio.session.cancelled == [{"words": "red shoe", "steps": 1, "seed": 1, "after": None}]
    dream = studio.imagine("red", 1)
    with pytest.raises(Cancelled):
        studio.edit("blue", 2, on_step=stop)
    assert studio.session.current == dream and len(studio.session.dreams) == 1
    assert studio.session.cancelled[1] == {"words": "blue", "steps": 1, "seed": 2, "after": 1}
    assert Session.open(studio.session.folder).cancelled == studio.session.cancelled


def test_an_error_leaves_the_session_as_it_was(studio: Studio) -> None:
    for prompt in ("", "  ", "x" * 10_000, "\x1b[0m"):
        with pytest.raises(PromptError):
            studio.imagine(prompt)
    for seed in (-1, MOST_SEEDS, 10**30):
        with pytest.raises(PromptError, match="seed"):
            studio.imagine("red", seed)
    for strength in (0.0, -1.0, 1.1, float("nan"), float("inf")):
        with pytest.raises(PromptError, match="strength"):
            studio.repaint(sneaker(), "red", 1, strength)
    with pytest.raises(SessionError, match="no dream yet"):
        studio.edit("red")
    with pytest.raises(SessionError, match="no dream yet"):
        studio.accept()
    with pytest.raises(SessionError, match="no dream 1"):
        studio.session.fork(1)
    assert not studio.session.folder.exists()


@needs_painter
@pytest.mark.parametrize(
    "prompt", ["👟🔥", "赤いスニーカー", "<script>", "a" * 2000, "no", "'; DROP TABLE product; --"]
)
def test_words_that_nobody_taught_it(studio: Studio, prompt: str) -> None:
    dream = studio.imagine(prompt, 1)
    assert dream.words == prompt
    assert pictures.recipe_of(studio.session.folder / dream.file) == json.loads(json.dumps(dream.to_json()))
    assert studio.edit(prompt, 2).parent == 1


@needs_painter
def test_undo_and_fork(studio: Studio) -> None:
    studio.imagine("red low-top", 1)
    two = studio.edit("gum sole", 2)
    studio.session.undo()
    three = studio.edit("darker", 3)
    assert three.parent == 1
    studio.session.fork(two.id)
    four = studio.edit("blue toe", 4)
    assert [dream.id for dream, _ in studio.story().dreams] == [1, 2, 4]
    assert four.parent == 2 and set(studio.session.dreams) == {1, 2, 3, 4}


@needs_painter
def test_sizes_and_odd_pictures(studio: Studio) -> None:
    dream, picture = studio.paint("red", 1, size=300)
    assert (dream.size, picture.size) == (300, (300, 300))
    noise = Image.effect_noise((200, 300), 90).convert("RGB")
    for odd in (Image.new("RGB", (1, 1)), Image.new("RGB", (900, 20), "white"), noise):
        edited, result = studio.repaint(odd, "darker", 1)
        assert (edited.size, result.size) == (256, (256, 256))


def test_suggestions_are_edits_that_are_understood(studio: Studio) -> None:
    suggested = studio.suggest(5)
    assert len(set(suggested)) == 5
    assert all(vocabulary.read(text).ignored == () for text in suggested)


# -------------------------------------------------------------------- finding


def test_search_by_picture_words_or_both(studio: Studio, catalogue: Catalogue) -> None:
    by_picture = studio.search(sneaker("red", 0), k=3)
    assert catalogue.in_step(open_encoder().identity)  # it was indexed on the way
    assert [finding.rank for finding in by_picture] == [1, 2, 3]
    assert by_picture[0].product.title == "red shoe" and by_picture[0].score > 0.95
    assert studio.search(text="blue sneaker", k=1)[0].product.title == "blue shoe"
    assert studio.search(sneaker("white", 4), "white sneaker", k=1)[0].product.title == "white shoe"
    assert len(studio.search(text="anything at all", k=99)) == 6
    found = studio.search(text="red", filters=Filters(brand="nike", max_price=Decimal(53)))
    assert sorted(finding.product.title for finding in found) == ["black shoe", "blue shoe"]


def test_a_search_for_nothing(studio: Studio) -> None:
    with pytest.raises(PromptError, match="nothing to search for"):
        studio.search()
    with pytest.raises(PromptError, match="empty"):
        studio.search(text=" ")


def test_a_search_while_another_process_brings_things_in(studio: Studio, catalogue: Catalogue) -> None:
    with Catalogue(catalogue.folder).writing(), pytest.raises(CatalogueBusy):
        studio.search(text="red sneaker")  # there is no index yet
    assert studio.search(text="red sneaker", k=1)
    writer = Catalogue(catalogue.folder)
    with writer.writing():
        writer.keep(sneaker("purple", 9), Listing("Nike", "purple shoe"))
        assert studio.search(text="red sneaker", k=1)[0].product.title == "red shoe"
    assert studio.search(sneaker("purple", 9), k=1)[0].product.title == "purple shoe"
    writer.close()


def test_an_index_of_another_encoder_is_made_anew_unless_somebody_writes(studio: Studio, catalogue: Catalogue) -> None:
    with catalogue.writing():
        catalogue.index(PaletteEncoder())
        with pytest.raises(CatalogueError):
            studio.search(text="red sneaker")
    told: list[tuple[int, int]] = []
    assert len(studio.search(text="red sneaker", on_progress=lambda done, total: told.append((done, total)))) == 6
    assert told == [(0, 6), (6, 6)]


@needs_brands
def test_classify(studio: Studio) -> None:
    nothing = studio.classify(Image.effect_noise((200, 200), 60).convert("RGB"))
    assert not nothing.is_sneaker and nothing.brands == ()
    verdict = studio.classify(sneaker("red", 0))
    assert 0 <= verdict.sneaker_probability <= 1
    if verdict.is_sneaker:
        assert sum(guess.probability for guess in verdict.brands) == pytest.approx(1, abs=1e-5)


@needs_brands
def test_one_process_opens_an_encoder_once(monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    from dreamkicks.encoder import encoder

    made: list[str] = []

    class Counted(encoder.Encoder):
        def __init__(self, name: str, *rest: object) -> None:
            made.append(name)
            super().__init__(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder, "Encoder", Counted)
    encoder._open.cache_clear()
    try:
        studio.search(sneaker())
        studio.classify(sneaker())
        assert made == ["builtin"]
    finally:
        encoder._open.cache_clear()


# -------------------------------------------------------------------- telling


@needs_painter
def test_the_story_is_the_line_that_led_here(studio: Studio) -> None:
    for words in ("red", "blue", "green"):
        studio.edit(words, 1) if studio.session.current else studio.imagine(words, 1)
    story = studio.story()
    assert [dream.words for dream, _ in story.dreams] == ["red", "blue", "green"]
    assert story.verdict is None and story.findings == ()
    assert Studio(settings.load(), Session.open(studio.session.folder)).story().dreams[0][0].words == "red"


def test_nothing_to_tell(studio: Studio) -> None:
    assert studio.story().dreams == []
