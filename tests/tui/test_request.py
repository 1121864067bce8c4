from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkicks.studio import MOST_SEEDS
from dreamkicks.tui.request import Request, parse


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("gum sole", Request(False, "gum sole")),
        ("  darker  ", Request(False, "darker")),
        ("new: red high-top", Request(True, "red high-top")),
        ("NEW :red", Request(True, "red")),
        ("new:", Request(True, "")),
        ("new: seed=7", Request(True, "", 7)),
        ("darker seed=7", Request(False, "darker", 7)),
        ("darker seed = 7 ", Request(False, "darker", 7)),
        ("new balance look", Request(False, "new balance look")),
        ("poppyseed=7", Request(False, "poppyseed=7")),
        ("seed=7 darker", Request(False, "seed=7 darker")),
        ("", Request(False, "")),
    ],
)
def test_lines_are_read(line: str, asked: Request) -> None:
    assert parse(line) == asked
    assert asked.empty == (line == "")


@settings(max_examples=200)
@given(st.booleans(), st.text("abcdeé -:=0", max_size=20), st.none() | st.integers(0, MOST_SEEDS - 1))
def test_what_is_written_is_read_back(new: bool, words: str, seed: int | None) -> None:
    request = Request(new, " ".join(words.split()), seed)
    assert parse(str(request)) == request


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_line_can_be_read(line: str) -> None:
    request = parse(line)
    assert request.words in line
    assert request.words == request.words.strip()


def test_a_long_line_is_read_quickly() -> None:
    line = "seed=" * 2000 + " " * 2000 + "x"
    assert parse(line).words == line
