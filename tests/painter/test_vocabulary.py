"""Words to blueprints, and the words that nobody has to type."""

from __future__ import annotations

import itertools
import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab, silhouette_name
from dreamkicks.painter.colour import lab_of_hex
from dreamkicks.painter.grammar import random_prompt, suggest_edits
from dreamkicks.painter.vocabulary import colour_name, read, words_file


def parts(text: str, base: Blueprint | None = None) -> dict[str, str]:
    """The parts that a sentence colours, by the plain name nearest to each colour."""
    blueprint = read(text, base).blueprint
    return {part: colour_name(lab) for part in COLOURED_PARTS if (lab := getattr(blueprint, part)) is not None}


@pytest.mark.parametrize(
    ("text", "coloured"),
    [
        ("red", {"upper": "red"}),
        ("RED!!!", {"upper": "red"}),
        ("crimson high-tops with a gum sole", {"upper": "red", "sole": "tan"}),
        ("white sneakers, navy sole", {"upper": "white", "sole": "navy"}),
        ("sole in black", {"sole": "black"}),
        ("make the sole black and the upper orange", {"sole": "black", "upper": "orange"}),
        ("a black shoe with yellow stripes", {"upper": "black", "accent": "yellow"}),
        ("blue and orange runner", {"upper": "blue", "accent": "orange"}),
        ("purple heel", {"heel": "purple"}),
        ("heel tabs in purple, green toe box", {"heel": "purple", "toe": "green"}),
        ("turn it from blue to red", {"upper": "red"}),
        ("all black", dict.fromkeys(COLOURED_PARTS, "black")),
        ("white on white", dict.fromkeys(COLOURED_PARTS, "white")),
        ("red with no white stripes", {"upper": "red"}),
        ("red without stripes", {"upper": "red"}),
        ("navy leather upper", {"upper": "navy"}),
        ("red laces", {}),
        ("grey", {"upper": "grey"}),
        ("gray", {"upper": "grey"}),
        ("robin egg blue", {"upper": colour_name(lab_of_hex("#8af1fe"))}),
        ("", {}),
        ("red toe and heel", {"toe": "red", "heel": "red"}),
        ("red toe, heel and white sole", {"toe": "red", "heel": "red", "sole": "white"}),
        ("red toe, chunky sole", {"toe": "red"}),
        ("make the sole and the heel red", {"sole": "red", "heel": "red"}),
        ("sole, toe in navy", {"sole": "navy", "toe": "navy"}),
        ("sole: white; upper: red", {"sole": "white", "upper": "red"}),
        ("red for the upper and white for the sole", {"upper": "red", "sole": "white"}),
        ("everything black except the sole", dict.fromkeys(("upper", "accent", "toe", "heel"), "black")),
        ("everything but not the sole black", dict.fromkeys(("upper", "accent", "toe", "heel"), "black")),
        ("everything but the sole black", dict.fromkeys(("upper", "accent", "toe", "heel"), "black")),
        ("everything black but the sole", dict.fromkeys(("upper", "accent", "toe", "heel"), "black")),
        ("all black but white soles", dict.fromkeys(COLOURED_PARTS, "black") | {"sole": "white"}),
        ("all black except the toe, heel and sole", dict.fromkeys(("upper", "accent"), "black")),
        ("red toe, everything else white", dict.fromkeys(COLOURED_PARTS, "white") | {"toe": "red"}),
        ("keep the sole, make everything else black", dict.fromkeys(("upper", "accent", "toe", "heel"), "black")),
        ("keep the sole the same and make the upper blue", {"upper": "blue"}),
        ("keep everything the same but make the sole red", {"sole": "red"}),
        ("the whole sole red", {"sole": "red"}),
        ("all white sole", {"sole": "white"}),
        ("make it black and the sole white", {"upper": "black", "sole": "white"}),
        ("make it black and the laces white", {"upper": "black"}),
        ("upper red sole white", {"upper": "red", "sole": "white"}),
        ("sole white heel red toe blue", {"sole": "white", "heel": "red", "toe": "blue"}),
        ("the sole red too and the heel black", {"sole": "red", "heel": "black"}),
        ("add red to the heel", {"heel": "red"}),
        ("don't make the sole white", {}),
        ("white instead of black", {"upper": "white"}),
        ("it is too red", {}),
        ("no stripes white sole", {"sole": "white"}),
        ("charcoal black upper", {"upper": "charcoal"}),
        ("black white low top", {"upper": "black", "accent": "white"}),
        ("neon orange sole", {"sole": "orange"}),
        ("#ff8800 with a #000000 sole", {"upper": "orange", "sole": "black"}),
        ("a lighter shade of blue", {"upper": "blue"}),
        ("turn it back to white", {"upper": "white"}),
    ],
)
def test_a_colour_belongs_to_a_part(text: str, coloured: dict[str, str]) -> None:
    assert parts(text) == coloured


@pytest.mark.parametrize(
    ("text", "coloured"),
    [
        ("make the white sole black", {"sole": "black"}),
        ("change the white sole to black", {"sole": "black"}),
        ("change the sole from white to black", {"sole": "black"}),
        ("change the colour of the sole to black", {"sole": "black"}),
        ("make the red sneaker blue", {"upper": "blue"}),
        ("make the red upper blue", {"upper": "blue"}),
        ("make the red high-top blue", {"upper": "blue"}),
        ("swap the red for blue", {"upper": "blue"}),
        ("replace white with black", {"upper": "black"}),
        ("replace the white sole with gum", {"sole": "tan"}),
        ("replace the white sole with red stripes", {"accent": "red"}),
        ("make the white sole black and the upper red", {"sole": "black", "upper": "red"}),
        ("make it a red shoe, white sole", {"upper": "red", "sole": "white"}),
    ],
)
def test_what_is_there_is_told_from_what_it_shall_be(text: str, coloured: dict[str, str]) -> None:
    assert parts(text) == coloured


def test_a_part_that_gets_nothing_was_named_in_vain() -> None:
    assert read("red laces and toe").ignored == ("red", "laces", "toe")
    assert read("a chunky sole").ignored == read("all red except the sole").ignored == ()
    assert read("thicker stripes").ignored == ("thicker", "stripes")
    assert read("make the stripes thicker").ignored == ("stripes", "thicker")


def test_a_colour_that_finds_no_place_is_ignored() -> None:
    assert read("red, white and blue").ignored == ("blue",)
    assert read("swap red and white").ignored == ("red", "white")


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("make the sole high", "sole_height", 0.18),
        ("a low white sole", "sole_height", 0.07),
        ("a high platform sole", "sole_height", 0.22),
        ("slim sole with thick stripes", "sole_height", 0.06),
        ("thick white stripes", "sole_height", None),
        ("lower the sole", "height", None),
        ("not as high", "height", None),
        ("a low-top instead of a high-top", "height", 0.44),
        ("high quality white sneaker", "height", None),
        ("remove the pattern", "pattern", 0.08),
        ("black high-top white sole", "height", 0.62),
        ("black high-top white sole", "sole_height", None),
        ("red boot gum sole", "height", 0.7),
        ("black chunky high-top red stripes", "sole_height", 0.17),
        ("high white sole", "sole_height", 0.18),
    ],
)
def test_a_size_is_of_what_it_is_said_of(text: str, slot: str, value: float | None) -> None:
    assert getattr(read(text).blueprint, slot) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red high-top with a gum sole", "high top, red, sole in gum"),
        ("make it navy", "could you turn this into navy please?"),
        ("grey hi-tops", "GRAY high top sneaker"),
        ("chunky sole", "thick soles"),
        ("camo", "camouflage print"),
        ("orange three stripes", "stripes in orange"),
        ("navy", "a navy blue one"),
    ],
)
def test_ways_to_say_a_thing_are_one_blueprint(one: str, other: str) -> None:
    assert read(one).blueprint == read(other).blueprint != Blueprint()
    assert read(one).ignored == read(other).ignored == ()


def test_published_names_and_our_own_are_known() -> None:
    from matplotlib.colors import XKCD_COLORS

    ours = words_file("colours.toml")
    names = [*ours["plain"], *ours["sneaker"], *(name.removeprefix("xkcd:") for name in XKCD_COLORS)]
    assert len(names) > 950
    # Six of the published names mean something else of a sneaker.
    other = [name for name in names if read(f"{name} sneaker").blueprint.upper is None]
    assert other == ["camo", "leather", "dark", "velvet", "pale", "denim"]
    for name, code in ours["plain"].items():
        assert read(name).blueprint.upper == lab_of_hex(code)
        assert colour_name(lab_of_hex(code)) == name


def test_understood_and_ignored_are_the_words_as_written() -> None:
    reading = read("Crimson HIGH-tops with glowing suede wings and a gum sole")
    assert reading.understood == ("Crimson", "HIGH tops", "gum", "sole")
    assert reading.ignored == ("glowing", "suede", "wings")


@pytest.mark.parametrize(
    ("text", "slot", "low", "high"),
    [
        ("high-top", "height", 0.58, 0.8),
        ("low-top", "height", 0.3, 0.52),
        ("mid-top", "height", 0.52, 0.58),
        ("platform sole", "sole_height", 0.18, 0.3),
        ("thin sole", "sole_height", 0.03, 0.09),
        ("plain", "pattern", 0, 0.2),
        ("leopard print", "pattern", 0.8, 1),
    ],
)
def test_shapes(text: str, slot: str, low: float, high: float) -> None:
    assert low <= getattr(read(text).blueprint, slot) <= high


RED: Lab = (45.0, 60.0, 35.0)


def test_relative_words_start_from_the_picture() -> None:
    base = Blueprint(upper=RED, sole=(90.0, 0.0, 0.0), height=0.45, sole_height=0.1, pattern=0.5)
    darker, lighter = (read(word, base).blueprint.upper for word in ("darker", "lighter"))
    assert darker is not None and lighter is not None
    assert darker[0] < RED[0] < lighter[0] and darker[1:] == lighter[1:] == RED[1:]
    sole = read("darker sole", base).blueprint
    assert sole.upper is None and sole.sole is not None and sole.sole[0] < 90
    chunkier, thinner = (read(f"{word} sole", base).blueprint.sole_height for word in ("chunkier", "thinner"))
    assert chunkier is not None and thinner is not None and thinner < 0.1 < chunkier
    assert read("make the white sole darker", base).blueprint == sole
    taller = read("taller", base).blueprint.height
    assert taller is not None and taller > 0.45
    assert read("higher sole", base).blueprint.height is None
    everything = read("make everything darker", base).blueprint
    assert (everything.upper, everything.sole, everything.heel) == (darker, sole.sole, None)
    both = read("make it lighter and the sole darker", base).blueprint
    assert (both.upper, both.sole) == (lighter, sole.sole)
    list_of_parts = read("darker sole and upper", base)
    assert (list_of_parts.blueprint.upper, list_of_parts.blueprint.sole) == (darker, sole.sole)
    assert list_of_parts.ignored == ()


def test_shades_of_a_colour() -> None:
    plain, light, dark = (read(f"{word}gum").blueprint.upper for word in ("", "pastel ", "a darker "))
    assert plain is not None and light is not None and dark is not None
    assert dark[0] < plain[0] < light[0]
    assert math.hypot(*light[1:]) < math.hypot(*plain[1:])


def test_brands_are_a_look() -> None:
    assert read("an adidas originals low-top").blueprint.brand == "Adidas"
    assert read("Air Jordan").blueprint.brand == "Jordan"


WORDS = st.sampled_from([
    "red", "sole", "no", "with", "and", "high", "darker", "light", "all", "to", "from", "lace", "suede", ",", "very",
    "chunky", "heel", "xyz", "white", "stripes", "on", "👟", "high-top", "navy", "make", "swap", "for", "except", ":",
])  # fmt: skip


@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=30).map(" ".join)))
def test_any_words_can_be_read(text: str) -> None:
    reading = read(text, Blueprint(upper=RED, sole_height=0.23, height=0.73))
    said = re.findall(r"[^\W_]+", text)
    for told in (reading.understood, reading.ignored):
        words = [word for phrase in told for word in re.findall(r"[^\W_]+", phrase)]
        assert all(word in said for word in words)
    blueprint = reading.blueprint
    for part in COLOURED_PARTS:
        lab = getattr(blueprint, part)
        assert lab is None or 0 <= lab[0] <= 100
    assert blueprint.height is None or 0.3 < blueprint.height < 0.8
    assert blueprint.sole_height is None or 0.04 < blueprint.sole_height < 0.25


@pytest.mark.parametrize(
    ("words", "own", "height"),
    [
        ("high-top", 0.7, 0.7),
        ("high-top", 0.4, 0.62),
        ("low-top", 0.38, 0.38),
        ("low-top", 0.7, 0.44),
        ("mid-top", 0.7, 0.55),
    ],
)
def test_what_is_more_so_than_the_usual_stays(words: str, own: float, height: float) -> None:
    assert read(words, Blueprint(height=own)).blueprint.height == height


@pytest.mark.parametrize(("words", "own"), [("taller", 0.9), ("lower", 0.3)])
def test_what_is_further_than_the_limit_does_not_come_back(words: str, own: float) -> None:
    assert read(words, Blueprint(height=own)).blueprint.height == own


def test_silhouettes_by_height() -> None:
    assert [silhouette_name(height) for height in (0.4, 0.55, 0.65)] == ["low-top", "mid-top", "high-top"]


def test_random_sneakers_are_understood_and_do_not_repeat_soon() -> None:
    prompts = [random_prompt(random.Random(seed)) for seed in range(1000)]
    assert len(set(prompts)) > 970
    last = {}
    for place, prompt in enumerate(prompts):
        assert place - last.get(prompt, -1000) > 20, prompt
        last[prompt] = place
    assert [prompt for prompt in prompts if read(prompt).ignored] == []
    assert all(read(prompt).blueprint.upper for prompt in prompts)
    assert not [prompt for prompt in prompts if re.search(r"\ba [aeio]|  ", prompt)]


def test_suggestions_differ_and_are_understood() -> None:
    suggested = [suggest_edits(random.Random(seed), 5) for seed in range(100)]
    assert all(len(set(five)) == 5 for five in suggested)
    assert all(read(edit).understood and not read(edit).ignored for edit in itertools.chain(*suggested))
