from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkicks.errors import PromptError
from dreamkicks.text import LONGEST_PROMPT, check_prompt, clean

wild = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Mn"]),
        st.sampled_from("\x1b\x9b\x9d\x07[];m0\u202e\u200d\u2028e\u0301"),
    ),
    max_size=80,
)


@given(wild, st.integers(1, 60))
def test_nothing_is_left_that_a_terminal_acts_on(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert len(line) <= limit
    assert not [c for c in line if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp")]
    assert line == line.strip() and "  " not in line
    line.encode("utf-8")


@given(wild, st.integers(1, 60))
def test_clean_text_stays_as_it_is(text: str, limit: int) -> None:
    assert clean(clean(text, limit), limit) == clean(text, limit)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\x1b[31mred\x1b[0m shoe", "red shoe"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07red", "red"),
        ("\x1b]8;;http://a.example\x1b\\red", "red"),
        ("\x1bcred", "red"),
        ("red\x00\x08\x7f\x85shoe", "red shoe"),
        ("red\r\n\tshoe", "red shoe"),
        ("\u202eder\u202c \u200bsho\u00ade", "der shoe"),
        ("red \udcff shoe", "red shoe"),
        ("caf\u0065\u0301", "café"),
        ("赤いスニーカー 👟", "赤いスニーカー 👟"),
    ],
)
def test_what_is_left(text: str, line: str) -> None:
    assert clean(text) == line


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean("a" * 50, 10) == "a" * 9 + "…"
    assert clean("a" * 10, 10) == "a" * 10


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t", "\x1b[31m", "\u200b\u202e", "\x00"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(PromptError, match="empty"):
        check_prompt(prompt)


def test_a_long_prompt_is_refused_and_not_cut() -> None:
    with pytest.raises(PromptError, match="10,000 characters; 2,000 is the most"):
        check_prompt("x" * 10_000)
    assert check_prompt("x" * LONGEST_PROMPT) == "x" * LONGEST_PROMPT


def test_a_prompt_is_cleaned() -> None:
    assert check_prompt("  \x1b[1mred\x1b[0m\nhigh-top 👟 ") == "red high-top 👟"
