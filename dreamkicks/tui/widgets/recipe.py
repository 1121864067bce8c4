"""How a dream came about."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from dreamkicks.painter.painter import BUILTIN
from dreamkicks.session.dream import Dream
from dreamkicks.text import LONGEST_PROMPT, clean, counted


class Recipe(Static):
    """Words, what was made of them, and the numbers that bring the dream back."""

    def tell(self, dream: Dream | None, remark: str | None = None) -> None:
        """Show a dream's recipe, and what the painter remarked on it."""
        self.update(Content("") if dream is None else recipe(dream, remark))

    def expect(self, words: str) -> None:
        """Show what is being painted."""
        self.update(Content.styled(clean(words, LONGEST_PROMPT), "bold $soft"))


def recipe(dream: Dream, remark: str | None = None) -> Content:
    """A dream's recipe as text."""
    origin = "" if dream.parent is None else f", from dream {dream.parent}"
    lines = [
        Content.styled(clean(dream.words, LONGEST_PROMPT), "bold $foreground"),
        Content.styled(f"seed {dream.seed}{origin}", "$soft"),
        Content.styled(f"{clean(dream.model, 60)}, {counted(dream.steps, 'step')}, {dream.seconds:.2f} s", "$soft"),
        Content(""),
    ]
    if dream.understood:
        lines.append(Content.assemble(("understood ", "$soft"), (_list(dream.understood), "$text-success")))
    if dream.ignored:
        lines.append(Content.assemble(("ignored ", "$soft"), (_list(dream.ignored), "$soft strike")))
        if dream.model == BUILTIN:
            lines.append(Content.styled("The hub presets know more words: dreamkicks models list", "$soft italic"))
    if remark:
        lines += [Content(""), Content.styled(clean(remark, 400), "$text-warning")]
    return Content("\n").join(lines)


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(clean(word, 80) for word in words)
