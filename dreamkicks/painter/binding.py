"""Binds the colours of a sentence to the parts of a sneaker, as English does.

A colour belongs to the part right after it ("gum sole"), else to the parts before it ("sole and toe in gum"), else to the upper, and
a second one is an accent. Of what is to change ("make the white sole black", "swap red for blue") the last colour counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab

# Where a relative word starts from when nothing is known of the picture.
_USUAL: dict[str, Any] = {"height": 0.5, "sole_height": 0.11, "pattern": 0.5}
_LIMITS = {"height": (0.36, 0.74), "sole_height": (0.05, 0.24), "pattern": (0.02, 0.98)}


@dataclass(frozen=True)
class Phrase:
    """Words that the lexicon knows as one thing, as they were written; `value` is what that kind of thing holds."""

    kind: str
    value: Any
    written: str


@dataclass
class _Said:
    phrase: Phrase
    understood: bool
    served: bool = False
    """Whether something but a colour was said of this part: "a chunky sole"."""


class Binder:
    """What a sentence asks for, while its phrases come in from left to right."""

    def __init__(self, base: Blueprint) -> None:
        self.base = base
        self.blueprint = Blueprint()
        self._said: list[_Said] = []
        self._colours: list[Lab] = []
        self._parts: list[_Said] = []
        """Named and not coloured yet, or not paintable."""
        self._shared: Lab | None = None
        """What the part before was coloured; more parts may follow: "a red toe and heel"."""
        self._worn: str | None = None
        """What was told by its colour and is about to get another: "make the white sole ..."."""
        self._spared: set[str] = set()
        """Of what everything else gets."""
        self._changing = False
        """A verb was said: what has a colour already may get another."""
        self._leaving = False
        """What comes is what there is now: "from red"."""
        self._sparing = False
        """What comes is spared: "except the sole"."""
        self._modifier: tuple[float, float] | None = None
        self._negated = False
        self._all = False

    def words(self, understood: bool) -> tuple[str, ...]:
        """What was said and understood, or not, as it was written."""
        return tuple(said.phrase.written for said in self._said if said.understood == understood)

    def take(self, phrase: Phrase, later: list[Phrase]) -> None:
        """The next phrase, and all that come after it."""
        if phrase.kind in ("unknown", "material"):
            self._say(phrase, False)
            return
        if phrase.kind == "not":
            self._negated = True
            self._say(phrase, False)
            return
        if phrase.kind == "pause":
            self._negated = False
        if self._negated and phrase.kind not in ("stop", "for", "and"):
            # "no white stripes": the negation reaches to the end of the noun phrase and wants none of it.
            self._say(phrase, False)
            self._negated = phrase.kind in ("colour", "lighter") and _next_is(later, "part", "colour", "unpaintable")
            return
        if phrase.kind not in ("part", "colour", "lighter", "and", "pause", "stop"):
            self._share()
        getattr(self, f"_take_{phrase.kind}")(phrase, later)

    def close(self) -> None:
        """The sentence is over."""
        self._flush()
        self._share()
        for said in self._said:
            if said.phrase.kind == "part" and not said.served:
                said.understood = getattr(self.blueprint, said.phrase.value) is not None

    def _say(self, phrase: Phrase, understood: bool = True) -> _Said:
        self._said.append(_Said(phrase, understood))
        return self._said[-1]

    def _take_colour(self, phrase: Phrase, later: list[Phrase]) -> None:
        said = self._say(phrase)
        colour = _shift(phrase.value, *self._modifier) if self._modifier else phrase.value
        self._modifier = None
        self._sparing = False
        if self._leaving:  # "from blue to red" asks for red
            return
        if self._all:
            self._all = False
            for part in COLOURED_PARTS:
                if part not in self._spared:
                    self._colour_part(part, colour)
            return
        ahead = [other for other in later if other.kind not in ("stop", "for", "material", "unknown")]
        if _next_is(ahead, "part", "unpaintable"):
            self._share()
            self._parts.clear()
            self._colours.append(colour)
        elif self._parts:
            if all(part.phrase.kind == "unpaintable" for part in self._parts):
                said.understood = False
            self._colour_parts(colour)
        elif self._worn and not _next_is(ahead, "shoe", "shape"):
            self._colour_part(self._worn, colour)
            self._worn = None
        else:
            self._colours.append(colour)

    def _take_part(self, phrase: Phrase, later: list[Phrase]) -> None:
        served = bool(self._said) and self._said[-1].phrase.kind in ("shape", "relative")
        said = self._say(phrase)
        said.served = served
        if self._colours:
            self._shared = self._colours.pop()
            self._colour_part(phrase.value, self._shared)
            self._flush()
            self._worn = phrase.value if self._changing else None
        elif self._sparing:
            said.served = True
            self._spared.add(phrase.value)
            self.blueprint = replace(self.blueprint, **{phrase.value: None})
        else:
            self._parts.append(said)

    def _take_unpaintable(self, phrase: Phrase, later: list[Phrase]) -> None:
        if self._colours:  # "red laces": the colour is not for the upper
            self._colours.pop()
            next(said for said in reversed(self._said) if said.phrase.kind == "colour").understood = False
            self._say(phrase, False)
        else:
            self._parts.append(self._say(phrase, False))

    def _take_shoe(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._say(phrase)
        self._flush()

    def _take_shape(self, phrase: Phrase, later: list[Phrase]) -> None:
        slot, value = phrase.value
        self._say(phrase)
        self._serve()
        if slot == "height" and _is_sole(later):  # "a high sole"
            slot, value = "sole_height", 0.18 if value > 0.5 else 0.07
        self.blueprint = replace(self.blueprint, **{slot: value})
        if slot == "height":
            self._flush()

    def _take_relative(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._say(phrase)
        slot, step = phrase.value
        if slot == "lightness" and _next_is(later, "colour", "lighter"):  # "a darker red"
            self._modifier = (step, 1.0)
            return
        self._serve()
        if slot == "lightness":
            if self._changing:  # "make the red darker" tells what is there
                self._colours.clear()
            worn = [self._worn] if self._worn else ["upper"]
            parts = [later[0].value] if _next_is(later, "part") else self._pending() or worn
            for part in parts:
                own = getattr(self.base, part) or (55.0, 0.0, 0.0)
                self._colour_part(part, _shift(own, step, 1.0))
            self._parts.clear()
            return
        if slot == "height" and (_is_sole(later) or "sole" in self._pending()):  # "a higher sole"
            slot, step = "sole_height", step / 2
        own = getattr(self.base, slot)
        low, high = _LIMITS[slot]
        value = (_USUAL[slot] if own is None else own) + step
        self.blueprint = replace(self.blueprint, **{slot: min(high, max(low, value))})

    def _take_lighter(self, phrase: Phrase, later: list[Phrase]) -> None:
        # "light" alone is no colour; it waits for one.
        waits = _next_is(later, "colour", "lighter")
        self._say(phrase, waits)
        if waits:
            self._modifier = phrase.value

    def _take_all(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._say(phrase)
        self._all = True

    def _take_verb(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._changing = True

    def _take_from(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._leaving = True  # "from red to blue", "swap the red for blue"

    def _take_to(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._leaving = False
        if not self._parts and phrase.written.lower() in ("to", "into"):
            self._colours.clear()  # "turn the blue into red"

    def _take_for(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._leaving = False

    def _take_except(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._say(phrase)
        self._flush()
        self._sparing = True

    def _take_break(self, phrase: Phrase, later: list[Phrase]) -> None:
        if self._leaving:  # "replace the sole with gum"
            self._leaving = False
            return
        self._flush()
        self._parts.clear()
        self._worn = None
        self._changing = self._sparing = False

    def _take_pause(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._flush()
        ahead = [other for other in later if other.kind not in ("stop", "and")]
        if not _next_is(ahead, "part", "unpaintable"):  # "toe, heel and sole"
            self._share()
            self._parts.clear()
        self._worn = None
        self._changing = self._leaving = self._sparing = False

    def _take_and(self, phrase: Phrase, later: list[Phrase]) -> None:
        self._worn = None

    def _take_stop(self, phrase: Phrase, later: list[Phrase]) -> None:
        pass

    def _pending(self) -> list[str]:
        return [said.phrase.value for said in self._parts if said.phrase.kind == "part"]

    def _serve(self) -> None:
        for said in self._parts:
            said.served = True

    def _colour_part(self, part: str, colour: Lab) -> None:
        self.blueprint = replace(self.blueprint, **{part: colour})  # type: ignore[arg-type]

    def _colour_parts(self, colour: Lab) -> None:
        for part in self._pending():
            self._colour_part(part, colour)
        self._parts.clear()

    def _share(self) -> None:
        """The list of parts is over: those that got no colour have that of the first, if it has one."""
        if self._shared is not None:
            self._colour_parts(self._shared)
        self._shared = None

    def _flush(self) -> None:
        if self._colours and self._changing:
            self._worn = "upper"
        for colour in self._colours:
            for part in ("upper", "accent"):
                if getattr(self.blueprint, part) is None:
                    self._colour_part(part, colour)
                    break
        self._colours.clear()


def _next_is(later: list[Phrase], *kinds: str) -> bool:
    return bool(later) and later[0].kind in kinds


def _is_sole(later: list[Phrase]) -> bool:
    return _next_is(later, "part") and later[0].value == "sole"


def _shift(colour: Lab, lightness: float, chroma: float) -> Lab:
    return min(99.0, max(3.0, colour[0] + lightness)), colour[1] * chroma, colour[2] * chroma
