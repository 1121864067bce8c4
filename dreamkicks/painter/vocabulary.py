"""Reads what people say of sneakers: words in, a blueprint out, and which words were understood.

The reader looks phrases up (the longest first), then binds colours to parts as English does: a colour belongs to the part
right after it ("gum sole"), else to the part before it ("sole in gum"), else to the upper, and a second one is an accent.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from dreamkicks import locations
from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab
from dreamkicks.painter.colour import lab_of_hex

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[,;.:!?]")
_LONGEST_PHRASE = 4
# Where a relative word starts from when nothing is known of the picture.
_USUAL: dict[str, Any] = {"height": 0.5, "sole_height": 0.11, "pattern": 0.5}
_LIMITS = {"height": (0.36, 0.74), "sole_height": (0.05, 0.24), "pattern": (0.02, 0.98)}


@dataclass(frozen=True)
class Reading:
    """What was made of a sentence. `understood` and `ignored` are words as the person wrote them, in their order."""

    blueprint: Blueprint
    understood: tuple[str, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class _Phrase:
    kind: str
    value: Any
    written: str


def read(text: str, base: Blueprint | None = None) -> Reading:
    """Read a prompt or an instruction. Relative words ("darker", "chunkier sole") start from `base` where it knows more."""
    phrases = _phrases(text)
    binder = _Binder(base or Blueprint())
    for place, phrase in enumerate(phrases):
        binder.take(phrase, phrases[place + 1 :])
    binder.close()
    return Reading(binder.blueprint, tuple(binder.understood), tuple(binder.ignored))


def colour_name(lab: Lab) -> str:
    """The plain name nearest to a measured colour. Hue counts more than lightness, which shading moves."""
    name, _ = min(
        _plain_colours(), key=lambda entry: math.dist((lab[0] * 0.7, *lab[1:]), (entry[1][0] * 0.7, *entry[1][1:]))
    )
    return name


def silhouette_name(height: float) -> str:
    """low-top, mid-top or high-top for a height over width."""
    return "low-top" if height < 0.52 else "high-top" if height > 0.58 else "mid-top"


def words_file(name: str) -> dict[str, Any]:
    """One file of the prompts folder."""
    return tomllib.loads((locations.prompts() / name).read_text(encoding="utf-8"))


class _Binder:
    """Binds colours to parts while phrases come in from left to right."""

    def __init__(self, base: Blueprint) -> None:
        self.base = base
        self.blueprint = Blueprint()
        self.understood: list[str] = []
        self.ignored: list[str] = []
        self._colours: list[Lab] = []
        self._part: str | None = None
        self._modifier: tuple[float, float] | None = None
        self._negated = False
        self._all = False

    def take(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        if phrase.kind in ("unknown", "material"):
            self.ignored.append(phrase.written)
            return
        if phrase.kind == "not":
            self._negated = True
            self.ignored.append(phrase.written)
            return
        if phrase.kind == "pause":
            self._negated = False
        if self._negated and phrase.kind not in ("stop", "and"):
            # "no white stripes": the negation reaches to the end of the noun phrase and wants none of it.
            self.ignored.append(phrase.written)
            self._negated = phrase.kind in ("colour", "lighter") and _next_is(later, "part", "colour", "unpaintable")
            return
        getattr(self, f"_take_{phrase.kind}")(phrase, later)

    def close(self) -> None:
        self._flush()

    def _take_colour(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.understood.append(phrase.written)
        colour = _shift(phrase.value, *self._modifier) if self._modifier else phrase.value
        self._modifier = None
        if self._all:
            self._all = False
            self.blueprint = replace(self.blueprint, **dict.fromkeys(COLOURED_PARTS, colour))  # type: ignore[arg-type]
            return
        ahead = [other for other in later if other.kind not in ("stop", "material", "unknown")]
        if self._part is None or _next_is(ahead, "part", "unpaintable"):
            self._colours.append(colour)
        elif self._part == "unpaintable":
            self.ignored.append(self.understood.pop())
            self._part = None
        else:
            self._colour_part(self._part, colour)
            self._part = None

    def _take_part(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.understood.append(phrase.written)
        if self._colours:
            self._colour_part(phrase.value, self._colours.pop())
            self._part = None
            self._flush()
        else:
            self._part = phrase.value

    def _take_unpaintable(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.ignored.append(phrase.written)
        if self._colours:  # "red laces": the colour is not for the upper
            self._colours.pop()
            self.ignored.append(self.understood.pop())
        else:
            self._part = "unpaintable"

    def _take_shoe(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.understood.append(phrase.written)
        self._flush()

    def _take_shape(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        slot, value = phrase.value
        self.understood.append(phrase.written)
        if slot == "height" and _is_sole(later):  # "a high sole"
            slot, value = "sole_height", 0.18 if value > 0.5 else 0.07
        self.blueprint = replace(self.blueprint, **{slot: value})
        if slot == "height":
            self._flush()

    def _take_relative(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.understood.append(phrase.written)
        slot, step = phrase.value
        if slot == "lightness":
            part = (
                later[0].value if _next_is(later, "part") else self._part if self._part in COLOURED_PARTS else "upper"
            )
            own = getattr(self.base, part) or (55.0, 0.0, 0.0)
            self._colour_part(part, _shift(own, step, 1.0))
            self._part = None
            return
        if slot == "height" and (_is_sole(later) or self._part == "sole"):  # "a higher sole"
            slot, step = "sole_height", step / 2
        own = getattr(self.base, slot)
        low, high = _LIMITS[slot]
        value = (_USUAL[slot] if own is None else own) + step
        self.blueprint = replace(self.blueprint, **{slot: min(high, max(low, value))})

    def _take_lighter(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        # "light" alone is no colour; it waits for one.
        if _next_is(later, "colour", "lighter"):
            self.understood.append(phrase.written)
            self._modifier = phrase.value
        else:
            self.ignored.append(phrase.written)

    def _take_all(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self.understood.append(phrase.written)
        self._all = True

    def _take_to(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        if self._part is None and phrase.written.lower() in ("to", "into"):
            self._colours.clear()  # "from blue to red" asks for red

    def _take_break(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        self._flush()
        self._part = None

    def _take_and(self, phrase: _Phrase, later: list[_Phrase]) -> None:
        pass

    _take_stop = _take_and
    _take_pause = _take_break

    def _colour_part(self, part: str, colour: Lab) -> None:
        self.blueprint = replace(self.blueprint, **{part: colour})  # type: ignore[arg-type]

    def _flush(self) -> None:
        for colour in self._colours:
            for part in ("upper", "accent"):
                if getattr(self.blueprint, part) is None:
                    self._colour_part(part, colour)
                    break
        self._colours.clear()


def _next_is(later: list[_Phrase], *kinds: str) -> bool:
    return bool(later) and later[0].kind in kinds


def _is_sole(later: list[_Phrase]) -> bool:
    return _next_is(later, "part") and later[0].value == "sole"


def _shift(colour: Lab, lightness: float, chroma: float) -> Lab:
    return min(99.0, max(3.0, colour[0] + lightness)), colour[1] * chroma, colour[2] * chroma


def _phrases(text: str) -> list[_Phrase]:
    words = [match.group() for match in _WORD.finditer(text)]
    keys = [_key(word) for word in words]
    lexicon = _lexicon()
    found, place = [], 0
    while place < len(words):
        for length in range(min(_LONGEST_PHRASE, len(words) - place), 0, -1):
            entry = lexicon.get(" ".join(keys[place : place + length]))
            if entry is not None:
                found.append(_Phrase(*entry, written=" ".join(words[place : place + length])))
                place += length
                break
        else:
            found.append(_Phrase("unknown" if words[place][0].isalnum() else "pause", None, words[place]))
            place += 1
    return _doubled(found)


def _doubled(phrases: list[_Phrase]) -> list[_Phrase]:
    """Of "white on white" only one stays: all of it is white."""
    content = [phrase for phrase in phrases if phrase.kind != "stop"]
    for one, two in pairwise(content):
        if one.kind == two.kind == "colour" and one.value == two.value:
            place = phrases.index(one)
            return [*phrases[:place], replace(one, kind="all"), *phrases[place + 1 :]]
    return phrases


def _key(word: str) -> str:
    """A word as the lexicon has it: lower case, one spelling, singular."""
    word = word.lower().replace("’", "'").replace("gray", "grey")
    if (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "'s", "us"))
        and word not in ("adidas", "minus")
    ):
        return word[:-1]
    return word


@functools.cache
def _plain_colours() -> list[tuple[str, Lab]]:
    return [(name, lab_of_hex(code)) for name, code in words_file("colours.toml")["plain"].items()]


@functools.cache
def _lexicon() -> dict[str, tuple[str, Any]]:
    """Phrases (as `_key` writes them) to what they are. Later entries win: sneaker words over general colour names."""
    from matplotlib.colors import CSS4_COLORS, XKCD_COLORS  # 0.2 s, and only when something is read

    ours, words = words_file("colours.toml"), words_file("words.toml")
    lexicon: dict[str, tuple[str, Any]] = {}

    def enter(phrase: str, kind: str, value: Any) -> None:
        lexicon[" ".join(_key(word) for word in _WORD.findall(phrase))] = (kind, value)

    for published in (CSS4_COLORS, XKCD_COLORS, ours["plain"], ours["sneaker"]):
        for name, code in published.items():
            enter(name.removeprefix("xkcd:").replace("/", " "), "colour", lab_of_hex(code))
    for kind, section in (("material", "material"), ("unpaintable", "unpaintable"), ("shoe", "shoe")):
        for phrase in words[section]["words"]:
            enter(phrase, kind, None)
    for part, names in words["parts"].items():
        for phrase in names:
            enter(phrase, "part", part)
    for slot in ("height", "sole_height", "pattern"):
        for value, names in words[slot].items():
            for phrase in names:
                enter(phrase, "shape", (slot, float(value)))
    for brand, names in words["brand"].items():
        for phrase in names:
            enter(phrase, "shape", ("brand", brand))
    for kind in ("lighter", "relative"):
        for phrase, value in words[kind]["words"].items():
            enter(phrase, kind, tuple(value))
    for kind, names in words["grammar_words"].items():
        for phrase in names:
            enter(phrase, kind, None)
    return lexicon
