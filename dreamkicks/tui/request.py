"""What a line of input asks for: `[new:] words [seed=N]`.

Words alone change the current dream. `new:` imagines them as a new sneaker, and without words a random one. A seed at the
end makes the dream repeatable; a recalled recipe is written this way, so that all of it can be seen and changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dreamkicks.session.dream import Dream
from dreamkicks.text import LONGEST_PROMPT, clean

_NEW = re.compile(r"new\s*:\s*", re.IGNORECASE)
_SEED = re.compile(r"(?<!\S)seed\s*=\s*([0-9]{1,19})$", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """`new`: imagine, do not edit. Without words: a random sneaker, or nothing at all."""

    new: bool
    words: str
    seed: int | None = None

    @classmethod
    def of(cls, dream: Dream) -> Request:
        """What to ask for to have that dream again."""
        return cls(dream.kind == "imagine", clean(dream.words, LONGEST_PROMPT), dream.seed)

    @property
    def empty(self) -> bool:
        return not (self.new or self.words)

    def __str__(self) -> str:
        parts = ["new:" * self.new, self.words, "" if self.seed is None else f"seed={self.seed}"]
        return " ".join(part for part in parts if part)


def parse(line: str) -> Request:
    """Read a line of input; every line can be read."""
    line = line.strip()
    if new := _NEW.match(line):
        line = line[new.end() :]
    if seed := _SEED.search(line):
        line = line[: seed.start()].rstrip()
    return Request(new is not None, line, int(seed[1]) if seed else None)
