"""The door for foreign text: what people type, and what shops write."""

from __future__ import annotations

import re
import unicodedata

from dreamkicks.errors import PromptError

LONGEST_PROMPT = 2000

# Escape sequences go whole, so that "\x1b[31mred" leaves "red" and not "[31mred".
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?"
)


def clean(text: str, limit: int = 300) -> str:
    """One line of printable text: no control, escape, bidirectional or zero-width character, at most `limit` long."""
    text = _ESCAPES.sub("", text[: limit * 20])
    kept = "".join(
        character if (category := unicodedata.category(character))[0] != "C" else " " if category == "Cc" else ""
        for character in text
    )
    line = " ".join(unicodedata.normalize("NFC", kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def check_prompt(text: str) -> str:
    """A prompt that can be used, cleaned.

    Raises PromptError when nothing is left of it or it is longer than LONGEST_PROMPT characters.
    """
    if len(text) > LONGEST_PROMPT:
        raise PromptError(f"The prompt has {len(text):,} characters; {LONGEST_PROMPT:,} is the most. Say it shorter.")
    prompt = clean(text, LONGEST_PROMPT)
    if not prompt:
        raise PromptError("The prompt is empty. Say what the sneaker should look like, for example: red high-top.")
    return prompt


def reason(error: BaseException) -> str:
    """What another library's error says in its first line, or its type where it says nothing; without a full stop."""
    first, *more = str(error).strip().splitlines() or [""]
    said = f"{first} {more[0]}" if more and first.endswith(":") else first
    return clean(said, 200).rstrip(".") or type(error).__name__


def counted(number: int, thing: str) -> str:
    """Such a number of things: 1 step, 8 steps."""
    return f"{number:,} {named(number, thing)}"


def named(number: int, thing: str) -> str:
    """What so many of a thing are called: step for 1, steps for 8."""
    return thing if number == 1 else f"{thing}s"
