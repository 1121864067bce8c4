"""Reads what people say of sneakers: words in, a blueprint out, and which words were understood.

The longest phrases that are known are looked up; what they say of each other is `binding.py`'s to tell.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any

from dreamkicks import locations
from dreamkicks.painter.binding import Binder, Phrase
from dreamkicks.painter.blueprint import Blueprint, Lab
from dreamkicks.painter.colour import lab_of_hex

_WORD = re.compile(r"#[0-9a-fA-F]{6}\b|[^\W_]+(?:['’][^\W_]+)?|[,;.:!?]")
_LONGEST_PHRASE = 4
_ALIKE = 45
"""Distance (CIE76) of two colours up to which one may be a kind of the other."""


@dataclass(frozen=True)
class Reading:
    """What was made of a sentence. `understood` and `ignored` are words as the person wrote them, in their order."""

    blueprint: Blueprint
    understood: tuple[str, ...]
    ignored: tuple[str, ...]


def read(text: str, base: Blueprint | None = None) -> Reading:
    """Read a prompt or an instruction. Relative words ("darker", "chunkier sole") start from `base` where it knows more."""
    phrases = _phrases(text)
    binder = Binder(base or Blueprint())
    for place, phrase in enumerate(phrases):
        binder.take(phrase, phrases[place + 1 :])
    binder.close()
    return Reading(binder.blueprint, binder.words(True), binder.words(False))


def colour_name(lab: Lab) -> str:
    """The plain name nearest to a measured colour. Hue counts more than lightness, which shading moves."""
    name, _ = min(
        _plain_colours(), key=lambda entry: math.dist((lab[0] * 0.7, *lab[1:]), (entry[1][0] * 0.7, *entry[1][1:]))
    )
    return name


@functools.cache
def words_file(name: str) -> dict[str, Any]:
    """One file of the prompts folder."""
    return tomllib.loads((locations.prompts() / name).read_text(encoding="utf-8"))


def _phrases(text: str) -> list[Phrase]:
    words = [match.group() for match in _WORD.finditer(text)]
    keys = [_key(word) for word in words]
    lexicon = _lexicon()
    found, place = [], 0
    while place < len(words):
        for length in range(min(_LONGEST_PHRASE, len(words) - place), 0, -1):
            entry = lexicon.get(" ".join(keys[place : place + length]))
            if entry is not None:
                found.append(Phrase(*entry, written=" ".join(words[place : place + length])))
                place += length
                break
        else:
            found.append(_unlisted(words[place]))
            place += 1
    return _doubled(_compound(found))


def _unlisted(word: str) -> Phrase:
    """A word that the lexicon does not have: the code of a colour, a mark, or a word that nobody knows."""
    if word.startswith("#"):
        return Phrase("colour", lab_of_hex(word), word)
    return Phrase("unknown" if word[0].isalnum() else "stop" if word == ":" else "pause", None, word)


def _compound(phrases: list[Phrase]) -> list[Phrase]:
    """Two like colours in a row are one, which the first tells more closely: "charcoal black". "Black white" are two."""
    joined = phrases[:1]
    for phrase in phrases[1:]:
        last = joined[-1]
        if last.kind == phrase.kind == "colour" and 0 < math.dist(last.value, phrase.value) < _ALIKE:
            joined[-1] = replace(last, written=f"{last.written} {phrase.written}")
        else:
            joined.append(phrase)
    return joined


def _doubled(phrases: list[Phrase]) -> list[Phrase]:
    """Of "white on white" only one stays: all of it is white."""
    for place, (one, on, two) in enumerate(zip(phrases, phrases[1:], phrases[2:], strict=False)):
        if on.written.lower() == "on" and one.kind == two.kind == "colour" and one.value == two.value:
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
    for kind in ("material", "unpaintable", "shoe"):
        for phrase in words[kind]["words"]:
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
