from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dreamkicks.cli import main
from tests.stores.conftest import clock, shop

__all__ = ["clock", "shop"]


@dataclass(frozen=True)
class Ran:
    """What a command left: its status, what it wrote to stdout and to stderr."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, in an empty folder; models stay open between tests."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts a command in a process of its own, in a folder of its own, with pipes."""

    def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        (tmp_path / "there").mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "dreamkicks", *map(str, arguments)],
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "cwd": tmp_path / "there",
                "env": {**os.environ, "PYTHONUNBUFFERED": "1"},
                **options,
            },
        )

    return start
