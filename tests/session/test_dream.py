from __future__ import annotations

import json
from typing import Any

import pytest

import dreamkicks
from dreamkicks.errors import SessionError
from dreamkicks.session.dream import Dream
from tests.session.dreams import dreamt


def test_a_recipe_comes_back_as_it_was() -> None:
    for dream in (dreamt("crimson high-top")[0], dreamt("make 赤 it 👟", 3, parent=1)[0]):
        assert Dream.from_json(json.loads(json.dumps(dream.to_json()))) == dream


def test_a_dream_says_how_it_came_about() -> None:
    dream, picture = dreamt("crimson glitter", 11)
    assert (dream.kind, dream.words, dream.seed, dream.model, dream.steps) == (
        "imagine",
        "crimson glitter",
        11,
        "builtin",
        20,
    )
    assert (dream.size, dream.seconds, dream.understood, dream.ignored) == (
        picture.width,
        0.512,
        ("crimson",),
        ("glitter",),
    )
    assert dream.versions["dreamkicks"] == dreamkicks.__version__
    assert {"torch", "diffusers"} <= dream.versions.keys()


def test_the_summary_names_prompt_or_instruction() -> None:
    imagined, edited = dreamt("red shoe")[0].summary("a.png"), dreamt("gum sole", parent=1)[0].summary("b.png")
    rest = {"seed", "model", "steps", "size", "seconds", "understood", "ignored", "path"}
    assert imagined.keys() == rest | {"prompt"} and edited.keys() == rest | {"instruction"}
    assert (imagined["prompt"], edited["instruction"], edited["path"]) == ("red shoe", "gum sole", "b.png")
    json.dumps(imagined)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"},
        {"id": True},
        {"id": None},
        {"parent": "x"},
        {"kind": "edited"},
        {"kind": None},
        {"words": None},
        {"seed": 1.5},
        {"steps": "20"},
        {"seconds": "long"},
        {"size": []},
        {"strength": "all"},
        {"understood": "red"},
        {"ignored": None},
        {"versions": []},
        {"model": 3},
    ],
)
def test_a_record_with_a_wrong_field(change: dict[str, Any]) -> None:
    data = {**dreamt("red")[0].to_json(), "understood": [], "ignored": []}
    Dream.from_json(data)
    with pytest.raises(SessionError, match="record can't be read"):
        Dream.from_json({**data, **change})


@pytest.mark.parametrize("data", [[], "text", None, 7, {}])
def test_what_is_no_record(data: Any) -> None:
    with pytest.raises(SessionError, match="record can't be read"):
        Dream.from_json(data)
