"""generate, edit, demo"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dreamkicks import pictures

from .conftest import Run

FIELDS = ["path", "prompt", "seed", "model", "steps", "size", "seconds", "understood", "ignored"]


def test_generate_prints_what_other_programs_count_on(run: Run) -> None:
    ran = run("generate", "crimson high-tops with a gum sole and wings", "--seed", "7", "--json")
    assert (ran.status, ran.err) == (0, "")
    (found,) = ran.objects
    assert list(found) == FIELDS
    assert (found["seed"], found["model"], found["size"]) == (7, "builtin", 256)
    assert "crimson" in found["understood"]
    assert found["ignored"] == ["wings"]
    assert pictures.load(Path(found["path"])).size == (256, 256)


def test_the_same_seed_gives_the_same_bytes(run: Run) -> None:
    for name in ("a.png", "b.png"):
        assert run("generate", "blue runner", "--seed", "5", "-o", name).out == f"{name}\n"
    one, two = (pictures.load(Path(name)).tobytes() for name in ("a.png", "b.png"))
    assert one == two
    run("generate", "blue runner", "--seed", "6", "-o", "b.png")
    assert pictures.load(Path("b.png")).tobytes() != one


def test_a_path_is_printed_as_it_is(run: Run) -> None:
    name = "my  dreams/caf\u0065\u0301 \u3000\u200d.png"
    assert run("generate", "red", "--size", "64", "-o", name).out == f"{name}\n"
    assert Path(name).exists()
    assert run("edit", name, "blue", "-o", "my  dreams/b.png").out == "my  dreams/b.png\n"
    assert run("generate", "red", "--size", "64", "-o", "a\x1b[31m\n\x9b.png").out == "a[31m.png\n"


def test_a_picture_carries_its_recipe(run: Run) -> None:
    run("generate", "blue runner", "--seed", "5", "-o", "a.png")
    recipe = pictures.recipe_of(Path("a.png"))
    assert recipe is not None
    assert (recipe["words"], recipe["seed"], recipe["kind"]) == ("blue runner", 5, "imagine")


def test_several_into_a_folder(run: Run) -> None:
    found = run("generate", "-n", "3", "--seed", "10", "-o", "many/", "--json").objects
    assert [one["seed"] for one in found] == [10, 11, 12]
    assert sorted(Path("many").iterdir()) == sorted(Path(one["path"]) for one in found)


def test_a_picture_that_is_there_is_not_written_over_unless_named(run: Run) -> None:
    first = run("generate", "red", "--seed", "1").out
    second = run("generate", "green", "--seed", "1").out
    assert first != second
    assert all(Path(name.strip()).exists() for name in (first, second))


def test_size(run: Run) -> None:
    run("generate", "red", "--size", "96", "-o", "a.png")
    assert pictures.load(Path("a.png")).size == (96, 96)


def test_a_random_one_is_understood(run: Run) -> None:
    (found,) = run("generate", "--json").objects
    assert found["prompt"]
    assert found["ignored"] == []


def test_to_stdout_and_from_stdin(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    out, err = start("generate", "red low-top", "--seed", "1", "-o", "-").communicate()
    assert Image.open(io.BytesIO(out)).size == (256, 256), err
    edited, err = start("edit", "-", "make it green", "--seed", "1", "-o", "-", stdin=subprocess.PIPE).communicate(out)
    assert Image.open(io.BytesIO(edited)).size == (256, 256), err
    assert edited != out


def test_edit(run: Run) -> None:
    run("generate", "red low-top", "--seed", "1", "-o", "a.png")
    before = Path("a.png").read_bytes()
    (found,) = run("edit", "a.png", "gum sole", "--seed", "3", "-o", "b.png", "--json").objects
    assert list(found) == ["instruction" if name == "prompt" else name for name in FIELDS]
    assert found["path"] == "b.png"
    assert Path("a.png").read_bytes() == before
    recipe = pictures.recipe_of(Path("b.png"))
    assert recipe is not None
    assert recipe["kind"] == "edit"


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "empty"),
        (" \t\n", "empty"),
        ("\x1b[31m\x07", "empty"),
        ("shoe " * 2000, "10,000 characters"),
        ("\u202e\u200b", "empty"),
    ],
)
def test_prompts_that_cannot_be_used(run: Run, prompt: str, says: str) -> None:
    ran = run("generate", prompt)
    assert ran.status == 1
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "prompt", ["🥿👟🔥", "赤いスニーカー", "кроссовки", "red\x1b[31m\x00 high-top", "'; DROP TABLE--", "../../x"]
)
def test_prompts_of_any_script_paint(run: Run, prompt: str) -> None:
    ran = run("generate", prompt, "--json", "-o", "a.png")
    assert ran.status == 0
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["generate", "x", "--model", "nope"], 1, "builtin, sd-turbo"),
        (["generate", "x", "--model", "sd-turbo"], 1, "dreamkicks models pull sd-turbo"),
        (["generate", "x", "--seed", "-1"], 1, "seed"),
        (["generate", "x", "--seed", str(2**31)], 1, "seed"),
        (["generate", "x", "--seed", "one"], 2, "--seed"),
        (["generate", "x", "-n", "0"], 2, "-n"),
        (["generate", "x", "-n", "2", "-o", "a.png"], 2, "folder"),
        (["generate", "x", "-o", "a.jpg"], 2, "a.png"),
        (["generate", "x", "-o", "-", "--json"], 2, "--json"),
        (["generate", "x", "-o", "/proc/nowhere/a.png"], 1, "Can't write"),
        (["edit", "nowhere.png", "red"], 1, "does not exist"),
        (["edit", ".", "red"], 1, "folder"),
        (["edit"], 2, "--help"),
        (["nonsense"], 2, "--help"),
        (["--device", "tpu", "generate", "x"], 2, "--device"),
        (["--encoder", "nope", "search", "--text", "x"], 1, "names no encoder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Run, arguments: list[str], status: int, says: str) -> None:
    ran = run(*arguments)
    assert ran.status == status
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("strength", ["0", "-1", "1.5", "nan"])
def test_strength_out_of_range(run: Run, strength: str) -> None:
    Image.new("RGB", (64, 64), "white").save("a.png")
    ran = run("edit", "a.png", "red", "--strength", strength)
    assert ran.status == 1
    assert "strength" in ran.err


def test_demo_tells_the_whole_story(run: Run) -> None:
    ran = run("demo", "--seed", "4", "-o", "demo")
    assert ran.status == 0
    assert "looks like:" in ran.out
    assert "not for sale" in ran.out
    page = Path("demo/report.html").read_text()
    assert page.count("<figure>") == 3
    assert page.count("<article>") == 5
    again = run("demo", "--seed", "4", "-o", "demo2")
    assert again.out.replace("demo2", "demo") == ran.out
    # A second demo into the same folder keeps what is there.
    assert run("demo", "--seed", "5", "-o", "demo").status == 0
    assert len(list(Path("demo").glob("dream-*.png"))) == 6


@pytest.mark.parametrize("status", [0, 1])
def test_a_studio_that_broke_is_no_success(run: Run, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("dreamkicks.tui.app.run", lambda studio, graphics: status)
    assert run().status == status
