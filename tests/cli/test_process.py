"""What only shows in a process of its own: start-up, Ctrl-C, pipes, no terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dreamkicks import pictures

Start = Callable[..., "subprocess.Popen[bytes]"]

HEAVY = {
    "torch",
    "diffusers",
    "transformers",
    "open_clip",
    "usearch",
    "textual",
    "sklearn",
    "numpy",
    "PIL",
    "matplotlib",
    "httpx",
    "pyarrow",
    "fsspec",
}
VERBS = [
    [], ["demo"], ["generate"], ["edit"], ["search"], ["classify"], ["batch"], ["doctor"], ["bench"], ["models"],
    *(["catalog", verb] for verb in ("refresh", "import", "add", "stats", "report", "verify", "export", "stores")),
    *(["models", verb] for verb in ("list", "pull", "remove")),
]  # fmt: skip


def test_help_of_every_verb_loads_nothing_heavy() -> None:
    script = f"""
import contextlib, io, sys
from dreamkicks.cli import main
for verb in {VERBS!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*verb, "--help"]) == 0, verb
    assert "Usage" in out.getvalue(), verb
print(*sorted(set(sys.modules) & {HEAVY!r}))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == ""


def test_finding_loads_no_painter_and_painting_no_encoder(tmp_path: Path) -> None:
    script = """
import sys
from dreamkicks.cli import main
assert main(sys.argv[1:]) == 0
print(*sorted(set(sys.modules) & {"diffusers", "open_clip", "textual", "usearch"}))
"""
    for arguments, loaded in (
        (["search", "--text", "red"], "open_clip usearch"),
        (["generate", "red", "-o", "a.png"], "diffusers"),
        (["catalog", "stats"], "usearch"),
    ):
        ran = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[-1] == loaded


def test_ctrl_c_while_painting_keeps_whole_pictures(start: Start, tmp_path: Path) -> None:
    process = start("generate", "red runner", "-n", "500", "-o", "many/")
    assert process.stdout is not None
    first = process.stdout.readline().decode().strip()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().rstrip().endswith("Interrupted.")
    assert b"Traceback" not in err
    names = [first, *out.decode().split()]
    there = sorted((tmp_path / "there" / "many").iterdir())
    assert sorted(tmp_path / "there" / name for name in names) == there
    for file in there:
        assert pictures.recipe_of(file)


@pytest.mark.parametrize("after", [0.05, 0.5, 1.5])
def test_ctrl_c_while_starting(start: Start, after: float) -> None:
    process = start("generate", "red runner", "-n", "500", "-o", "many/")
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    # Before Python has set itself up, the signal itself ends the process.
    assert process.returncode in (130, -signal.SIGINT)
    if process.returncode == 130:
        assert err.decode().rstrip().endswith("Interrupted.")


def test_ctrl_c_while_importing_keeps_what_was_taken(start: Start, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "shop"
    folder.mkdir()
    for number in range(300):
        Image.new("RGB", (400, 300), (number % 256, 255 - number // 2, 90)).save(folder / f"{number}.png")
    database = Path(os.environ["DREAMKICKS_HOME"]) / "catalogue"
    process = start("catalog", "import", folder)
    deadline = time.monotonic() + 120
    before = 0
    while len(list((database / "photos").rglob("*.webp"))) <= before + 3 or not before:
        before = before or len(list((database / "photos").rglob("*.webp")))
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    again = start("catalog", "import", folder)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    added, _, known = out.decode().split(" ")[0:3]
    assert int(known) > 0
    assert int(added) + int(known) == 300
    checked = start("catalog", "verify")
    assert checked.wait(120) == 0


def test_a_reader_that_has_seen_enough_is_no_error(start: Start) -> None:
    process = start("search", "--text", "red", "-k", "400", "--json")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(60) == 0
    assert err == b""


def test_a_full_stdout_is_an_error(start: Start) -> None:
    with open("/dev/full", "wb") as full:
        process = start("catalog", "stats", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.decode().count("\n") == 1


def test_two_writers(start: Start) -> None:
    from dreamkicks.catalogue.catalogue import Catalogue

    catalogue = Catalogue.of_user()
    with catalogue.writing():
        process = start("catalog", "verify", "--repair")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Another dreamkicks is writing" in err.decode()
        reader = start("search", "--text", "red", "-k", "1")
        out, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        assert b"Concept" in out


def test_no_answer_is_no(start: Start) -> None:
    process = start("models", "pull", "sd-turbo")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == b"" and b"Download it? [y/N]" in err and b"Traceback" not in err


def test_a_stdout_that_has_not_all_letters(start: Start) -> None:
    process = start("doctor", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, _ = process.communicate(timeout=120)
    assert process.returncode in (0, 1)
    assert b"? versions" in out


def test_a_reader_that_is_gone_before_anything_was_said(start: Start) -> None:
    process = start("catalog", "stats")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


def test_without_a_terminal_it_is_the_demo(start: Start) -> None:
    process = start()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert b"looks like:" in out
    assert b"\x1b" not in out + err


def test_offline_opens_no_socket() -> None:
    script = """
import socket, sys
def refuse(self, address):
    if self.family != socket.AF_UNIX:
        print("connected to", address); raise OSError("refused")
socket.socket.connect = refuse
socket.getaddrinfo = lambda *a, **k: print("looked up", a) or []
from dreamkicks.cli import main
hub = ["--encoder", "ViT-B-32/laion2b_s34b_b79k", "search", "--text", "x"]
export = ["catalog", "export", "s3://bucket/x.parquet"]
for arguments in (["demo"], ["catalog", "refresh"], export, ["models", "pull", "sd-turbo", "--yes"], hub):
    print(main(["--offline", *arguments]), file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=os.environ["DREAMKICKS_HOME"]
    )
    assert "connected" not in ran.stdout
    assert "looked up" not in ran.stdout
    assert [line for line in ran.stderr.splitlines() if line in "0123"] == ["0", "1", "1", "1", "1"], ran.stderr


def test_only_a_terminal_can_open_a_session(start: Start) -> None:
    process = start("--open", "last")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"needs a terminal" in err
    process = start("--open", "x", "generate")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
