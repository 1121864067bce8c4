"""Binds the colours of a sentence to the parts of a sneaker, as English does.

A colour belongs to the part right after it ("gum sole"), else to the parts before it ("sole and toe in gum"), else to the upper, and
a second one is an accent; a third is ignored. Of what is to change ("make the white sole black", "swap red for blue") the last counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab, silhouette_name

# Where a relative word starts from when nothing is known of the picture.
_USUAL: dict[str, Any] = {"height": 0.5, "sole_height": 0.11, "pattern": 0.5}
_LIMITS = {"height": (0.36, 0.74), "sole_height": (0.05, 0.24), "pattern": (0.02, 0.98)}
_OF_SOLES = ("high", "low", "mid", "tall")
"""Heights that may be said of a sole. All others, "high-top" and "boot", name the shoe."""
_NAMED = ("part", "unpaintable")
_TINTS = ("colour", "lighter")


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
        self._colours: list[tuple[Lab, _Said]] = []
        self._parts: list[_Said] = []
        """Named and not coloured yet, or not paintable."""
        self._shared: Lab | None = None
        """What the part before was coloured; more parts may follow: "a red toe and heel"."""
        self._worn: str | None = None
        """What was told by its colour and is about to get another: "make the white sole ..."."""
        self._spared: set[str] = set()
        """Of what everything else gets."""
        self._left: list[_Said] = []
        """Colours said to be there now, for which others must come."""
        self._changing = False
        """A verb was said: what has a colour already may get another."""
        self._leaving = False
        """What comes is what there is now: "from red"."""
        self._sparing = False
        """What comes is spared: "except the sole", "keep the sole"."""
        self._modifier: tuple[float, float] | None = None
        self._negated = False
        self._all = False

    def words(self, understood: bool) -> tuple[str, ...]:
        """What was said and understood, or not, as it was written."""
        return tuple(said.phrase.written for said in self._said if said.understood == understood)

    def take(self, phrase: Phrase, later: list[Phrase]) -> None:
        """The next phrase, and all that come after it."""
        ahead = [other for other in later if other.kind not in ("stop", "for", "to", "material", "unknown")]
        if phrase.kind in ("unknown", "material"):
            self._say(phrase, False)
            return
        if phrase.kind == "not":
            # "Too" may also mean "as well".
            self._negated = phrase.written.lower() != "too" or _next_is(later, "shape", *_TINTS)
            self._say(phrase, False)
            return
        if phrase.kind == "pause":
            self._negated = False
        if self._negated and phrase.kind not in ("stop", "for", "to", "and", "verb"):
            # "no white stripes", "don't make the sole white": the negation reaches to the end of the noun phrase and wants none of it.
            self._say(phrase, False)
            if phrase.kind in _NAMED:
                self._negated = _next_is(ahead, *_TINTS) and not _next_is(ahead[1:], *_NAMED)
            else:
                self._negated = phrase.kind in ("shape", *_TINTS) and _next_is(ahead, "colour", *_NAMED)
            return
        if phrase.kind not in ("part", "colour", "lighter", "and", "pause", "stop"):
            self._share()
        getattr(self, f"_take_{phrase.kind}")(phrase, ahead)

    def close(self) -> None:
        """The sentence is over."""
        self._flush()
        self._share()
        if self._leaving:  # "swap red and white"
            for said in self._left:
                said.understood = False
        for said in self._said:
            if said.phrase.kind == "part" and not said.served:
                said.understood = getattr(self.blueprint, said.phrase.value) is not None

    def _say(self, phrase: Phrase, understood: bool = True) -> _Said:
        self._said.append(_Said(phrase, understood))
        return self._said[-1]

    # What comes after a phrase is given without what has no say in it ("the", "of", "leather"): `ahead`.

    def _take_colour(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        said = self._say(phrase)
        colour = _shift(phrase.value, *self._modifier) if self._modifier else phrase.value
        self._modifier = None
        self._sparing = False
        if self._leaving:  # "from blue to red" asks for red
            self._left.append(said)
        elif self._all:
            self._all = False
            for part in COLOURED_PARTS:
                if part not in self._spared and getattr(self.blueprint, part) is None:
                    self._colour_part(part, colour)
        elif _next_is(ahead, *_NAMED) and not (
            self._parts and _next_is(ahead[1:], *_TINTS)
        ):  # but "upper red sole white"
            self._share()
            self._parts.clear()
            self._colours.append((colour, said))
        elif self._parts:
            said.understood = bool(self._pending())
            self._colour_parts(colour)
        elif self._worn and not _next_is(ahead, "shoe", "shape"):
            self._colour_part(self._worn, colour)
            self._worn = None
        else:
            self._colours.append((colour, said))

    def _take_part(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        before = self._said[-1] if self._said else None
        served = before is not None and before.understood and before.phrase.kind in ("shape", "relative")
        said = self._say(phrase)
        said.served = served or self._sparing
        if self._colours:
            self._shared, _ = self._colours.pop()
            self._colour_part(phrase.value, self._shared)
            self._flush()
            self._worn = phrase.value if self._changing else None
            return
        if self._sparing:
            self._spared.add(phrase.value)
            self.blueprint = replace(self.blueprint, **{phrase.value: None})
        self._parts.append(said)

    def _take_unpaintable(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        said = self._say(phrase, False)
        if self._colours:  # "red laces": the colour is not for the upper
            _, colour = self._colours.pop()
            colour.understood = False
        else:
            self._parts.append(said)

    def _take_shoe(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._say(phrase)
        self._flush()

    def _take_shape(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        slot, value = phrase.value
        sized = self._sized(phrase, ahead)
        self._say(phrase, sized is not None)
        if sized is None:
            return
        self._serve()
        if sized != slot:
            value = 0.18 if value > 0.5 else 0.07
        if sized == "height":
            value = _no_less_so(value, self.base.height)
        self.blueprint = replace(self.blueprint, **{sized: value})
        if sized == "height":
            self._flush()

    def _take_relative(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        slot, step = phrase.value
        sized = self._sized(phrase, ahead)
        self._say(phrase, sized is not None)
        if slot == "lightness" and _next_is(ahead, *_TINTS):  # "a darker red"
            self._modifier = (step, 1.0)
            return
        if sized is None:
            return
        self._serve()
        if slot == "lightness":
            if self._changing:  # "make the red darker" tells what is there
                self._colours.clear()
            for part in self._shaded(ahead):
                own = getattr(self.base, part) or (55.0, 0.0, 0.0)
                self._colour_part(part, _shift(own, step, 1.0))
            self._parts.clear()
            return
        own = getattr(self.base, sized)
        start = _USUAL[sized] if own is None else own
        low, high = _LIMITS[sized]
        value = min(high, max(low, start + (step if sized == slot else step / 2)))
        # What is beyond the limit already does not go back for it.
        self.blueprint = replace(self.blueprint, **{sized: max(start, value) if step > 0 else min(start, value)})

    def _take_lighter(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        # "light" alone is no colour; it waits for one.
        waits = _next_is(ahead, *_TINTS)
        self._say(phrase, waits)
        if waits:
            self._modifier = phrase.value

    def _take_all(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._say(phrase)
        whole = _next_is(ahead, "part") or (
            _next_is(ahead, "colour") and _next_is(ahead[1:], "part") and not _next_is(ahead[2:], *_TINTS)
        )
        self._all = not whole and not self._sparing  # neither "the whole sole" nor "keep everything"

    def _take_verb(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._changing = True
        if self._sparing:  # "keep the sole the same and make ..."
            self._parts.clear()
            self._sparing = False

    def _take_from(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._leaving = True  # "from red to blue", "swap the red for blue"

    def _take_to(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._leaving = False
        if not self._parts and phrase.written.lower() in ("to", "into") and not _next_is(ahead, *_NAMED):
            self._colours.clear()  # "turn the blue into red", but "add red to the heel"

    def _take_for(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._leaving = False

    def _take_except(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._say(phrase)
        self._flush()
        self._sparing = True

    def _take_keep(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._flush()
        self._sparing = True

    def _take_but(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        spares = _next_is(ahead, "part") and (self._all or not _next_is(ahead[1:], "shape", "relative", *_TINTS))
        if spares:  # "everything but the sole", and not "but the sole in white"
            self._take_except(phrase, ahead)
        else:
            self._take_break(phrase, ahead)

    def _take_break(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        if self._leaving:  # "replace the sole with gum"
            self._leaving = False
            return
        self._flush()
        self._parts.clear()
        self._worn = None
        self._changing = self._sparing = False

    def _take_pause(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._flush()
        named = _next_is([other for other in ahead if other.kind != "and"], *_NAMED)
        if not named:  # "toe, heel and sole"
            self._share()
            self._parts.clear()
        self._worn = None
        self._sparing = self._sparing and named
        self._changing = self._leaving = self._all = False

    def _take_and(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        self._worn = None
        if _next_is(ahead, *_NAMED):  # "black and the sole white"
            self._flush()

    def _take_stop(self, phrase: Phrase, ahead: list[Phrase]) -> None:
        pass

    def _sized(self, size: Phrase, ahead: list[Phrase]) -> str | None:
        """The slot that a size is of, given the part it is said of: "a high sole" is the sole's, "thick stripes" nobody's."""
        slot, _ = size.value
        if _is_silhouette(size):
            return "height"
        before = takewhile(lambda one: not _is_silhouette(one), ahead)
        named = [phrase for phrase in before if phrase.kind not in ("shape", *_TINTS)]
        part = named[0].value or "" if _next_is(named, *_NAMED) else next(iter(self._pending()), None)
        if slot == "height" and part == "sole":
            return "sole_height"
        return None if slot == "sole_height" and part not in (None, "sole", "upper") else slot

    def _shaded(self, ahead: list[Phrase]) -> list[str]:
        """The parts that shall be darker or lighter."""
        if self._all:
            self._all = False
            return [part for part in COLOURED_PARTS if part not in self._spared and getattr(self.base, part)] or [
                "upper"
            ]
        if _next_is(ahead, "part"):  # "darker toe and heel"
            return [one.value for one in takewhile(lambda one: one.kind in ("part", "and"), ahead) if one.value]
        return self._pending() or [self._worn or "upper"]

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
        for colour, said in self._colours:
            free = next((part for part in ("upper", "accent") if getattr(self.blueprint, part) is None), None)
            if free is None:
                said.understood = False
            else:
                self._colour_part(free, colour)
        self._colours.clear()


def _next_is(ahead: list[Phrase], *kinds: str) -> bool:
    return bool(ahead) and ahead[0].kind in kinds


def _is_silhouette(phrase: Phrase) -> bool:
    """Whether a phrase names the shoe by its height."""
    return phrase.kind == "shape" and phrase.value[0] == "height" and phrase.written.lower() not in _OF_SOLES


def _no_less_so(height: float, own: float | None) -> float:
    """The height that a silhouette's name asks for: a boot stays as high when a high-top is asked for, and a flat low-top as low."""
    extreme = {"high-top": max, "low-top": min}.get(silhouette_name(height))
    return height if own is None or extreme is None else extreme(height, own)


def _shift(colour: Lab, lightness: float, chroma: float) -> Lab:
    return min(99.0, max(3.0, colour[0] + lightness)), colour[1] * chroma, colour[2] * chroma
