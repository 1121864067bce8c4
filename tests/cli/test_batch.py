from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dreamkicks import batch, pictures

from .conftest import Run

LINES = 'red high-top\n\n{"prompt": "blue runner", "edits": ["gum sole", "make it glow"], "seed": 7}\n'


def test_a_line_a_dream_in_the_order_of_the_prompts(run: Run) -> None:
    Path("prompts.txt").write_text(LINES)
    ran = run("batch", "prompts.txt", "-o", "out", "-n", "2", "-k", "3")
    assert (ran.status, ran.out) == (0, "out/report.html\n")
    records = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    assert [one["dream"]["prompt"] for one in records] == ["red high-top"] * 2 + ["blue runner"] * 2
    assert [one["dream"]["seed"] for one in records[2:]] == [7, 8]
    for one in records:
        assert list(one) == ["dream", "edits", "brands", "findings"]
        assert [finding["rank"] for finding in one["findings"]] == [1, 2, 3]
        for picture in [one["dream"], *one["edits"]]:
            assert pictures.load(Path("out") / picture["path"])
    assert [edit["instruction"] for edit in records[2]["edits"]] == ["gum sole", "make it glow"]
    assert ["remark" in edit for edit in records[2]["edits"]] == [False, True]
    page = Path("out/report.html").read_text()
    assert page.count("<h2>The dream</h2>") == 4
    assert page.count("<figure>") == 2 + 2 * 3


def test_another_run_never_writes_over_results(run: Run) -> None:
    Path("prompts.txt").write_text('{"prompt": "red", "seed": 1}\n')
    run("batch", "prompts.txt", "-o", "out")
    before = Path("out/results.jsonl").read_bytes()
    ran = run("batch", "prompts.txt", "-o", "out")
    assert ran.status == 1
    assert "--resume" in ran.err
    for number, other in enumerate(("blue", '{"prompt": "red", "seed": 99}', '{"prompt": "red", "edits": ["blue"]}')):
        Path(f"{number}.txt").write_text(other)
        assert "other prompts, seeds or numbers" in run("batch", f"{number}.txt", "-o", "out", "--resume").err
    assert "another model" in run("batch", "prompts.txt", "-o", "out", "--resume", "--model", "sd-turbo").err
    assert Path("out/results.jsonl").read_bytes() == before
    Path("unseeded.txt").write_text("red")
    assert run("batch", "unseeded.txt", "-o", "out", "--resume").status == 0
    Path("twice.txt").write_text("red\nred\n")
    assert run("batch", "twice.txt", "-o", "twice").status == 0
    assert "numbers" in run("batch", "twice.txt", "-o", "twice", "-n", "2", "--resume").err
    assert Path("out/results.jsonl").read_bytes() == before


def test_the_report_of_many_dreams_tells_of_the_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_MOST_TOLD", 2)
    Path("prompts.txt").write_text("red\nblue\ngreen\n")
    for again in ([], ["--resume"]):
        assert run("batch", "prompts.txt", "-o", "out", *again).status == 0
        assert Path("out/results.jsonl").read_text().count("\n") == 3
        page = Path("out/report.html").read_text()
        assert "The first 2 of 3 dream sneakers; results.jsonl has them all" in page
        assert page.count("<h2>The dream</h2>") == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no prompt"),
        (b"\n \n", "no prompt"),
        (b"red\n" + b"x" * 3000, "Line 2"),
        (b"red\n{", "Line 2"),
        (b'{"edits": []}', "Line 1"),
        (b'{"prompt": "a", "edits": "b"}', "Line 1"),
        (b'{"prompt": "a", "seed": -1}', "Line 1"),
        (b'{"prompt": "a", "seed": true}', "Line 1"),
        (b'{"prompt": ""}', "Line 1"),
        (b'{"prompt": "a", "edit": ["b"], "Seed": 3}', "edit, Seed; the keys are prompt, edits, seed"),
        (b'{"prompt": ' + b"[" * 100_000, "Line 1"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_nothing_is_painted_before_every_line_is_good(run: Run, text: bytes, says: str) -> None:
    Path("prompts.txt").write_bytes(text)
    ran = run("batch", "prompts.txt", "-o", "out")
    assert ran.status == 1
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("out").exists()


def test_missing_prompts(run: Run) -> None:
    assert run("batch", "nowhere.txt", "-o", "out").status == 1


def test_an_interrupted_batch_goes_on(start: Callable[..., subprocess.Popen[bytes]], run: Run, tmp_path: Path) -> None:
    out = tmp_path / "there" / "out"
    prompts = tmp_path / "prompts.txt"
    colours = ("red", "blue", "green", "black", "pink", "grey")
    prompts.write_text(
        "".join(f"{colour} {shape}\n" for shape in ("runner", "low-top", "high-top") for colour in colours)
    )
    process = start("batch", prompts, "-o", "out")
    deadline = time.monotonic() + 120
    while not (out / "results.jsonl").exists() or not (out / "results.jsonl").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().count("\n") == 1
    done = (out / "results.jsonl").read_text()
    assert 0 < done.count("\n") < 18
    # A crash may leave half a line; it is dropped.
    (out / "results.jsonl").write_text(done + '{"dream": {"pro')
    assert run("batch", prompts, "-o", out, "--resume").status == 0
    lines = (out / "results.jsonl").read_text()
    assert lines.startswith(done)
    assert lines.count("\n") == 18
    assert (out / "report.html").read_text().count("<h2>The dream</h2>") == 18
