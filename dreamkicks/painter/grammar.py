"""Random sneakers and suggestions for edits, in words that the vocabulary understands."""

from __future__ import annotations

import functools
import random
import re
from typing import Any

from dreamkicks.painter.vocabulary import words_file


@functools.cache
def _grammar() -> dict[str, Any]:
    return words_file("grammar.toml")


def random_prompt(draw: random.Random) -> str:
    """A sneaker nobody asked for: "a chunky navy high-top with a gum sole"."""
    grammar = _grammar()
    of_upper, of_accent = draw.choice(grammar["harmonies"])
    upper = draw.choice(grammar[of_upper])
    prompt = draw.choice(grammar["templates"]).format(
        upper=upper,
        accent=draw.choice([colour for colour in grammar[of_accent] if colour != upper]),
        sole=draw.choice(grammar["soles"]),
        shape=draw.choice(grammar["shapes"]),
        build=draw.choice(grammar["builds"]),
    )
    return re.sub(r"\ba (?=[aeio])", "an ", prompt)


def suggest_edits(draw: random.Random, count: int) -> list[str]:
    """Different instructions to try next."""
    grammar = _grammar()
    return [
        template.format(
            bright=draw.choice(grammar["brights"]),
            neutral=draw.choice(grammar["neutrals"]),
            sole=draw.choice(grammar["soles"]),
        )
        for template in draw.sample(grammar["edits"], count)
    ]
