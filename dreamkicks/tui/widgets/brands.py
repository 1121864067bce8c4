"""Which brands a dream looks like."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from dreamkicks.brands.classifier import Verdict
from dreamkicks.text import clean
from dreamkicks.tui.widgets.bar import bar

_MOST = 5


class BrandBars(Widget):
    """A bar for each of the likeliest brands, or that it is no sneaker."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self._verdict = verdict

    def render(self) -> Content:
        verdict = self._verdict
        if not verdict.is_sneaker:
            return Content.assemble(
                ("No sneaker.\n", "bold $foreground"),
                (f"It is one with a probability of {verdict.sneaker_probability:.0%}.", "$soft"),
            )
        guesses = verdict.brands[:_MOST]
        names = [clean(guess.brand, 14) for guess in guesses]
        longest = max(map(len, names))
        room = max(4, self.size.width - longest - 6)
        rows = [Content.styled("looks like", "$soft")]
        for name, guess in zip(names, guesses, strict=True):
            share = guess.probability
            rows.append(Content.assemble(f"{name:{longest}} ", bar(share, room), f" {share:4.0%}"))
        return Content("\n").join(rows)
