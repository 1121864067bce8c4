"""Random sneakers and suggestions for edits, in words that the vocabulary understands."""

from __future__ import annotations

import random
import re

from dreamkicks.painter.vocabulary import words_file


def random_prompt(draw: random.Random) -> str:
    """A sneaker nobody asked for: "a chunky navy high-top with a gum sole"."""
    grammar = words_file("grammar.toml")
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
    grammar = words_file("grammar.toml")
    return [
        template.format(
            bright=draw.choice(grammar["brights"]),
            neutral=draw.choice(grammar["neutrals"]),
            sole=draw.choice(grammar["soles"]),
        )
        for template in draw.sample(grammar["edits"], count)
    ]
