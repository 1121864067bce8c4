"""The studio in a real terminal, at the other end of a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamkicks.session.session import Session

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

PATIENCE = 60
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
ASKED_WHAT_IT_CAN = b"\x1b[c"


class Terminal:
    """A pseudo-terminal that keeps all that is written to it, and answers what it is taught to answer."""

    def __init__(
        self, folder: Path, *arguments: str, size: tuple[int, int] = (100, 30), answer: bytes = b"", **extra: str
    ):
        self._answer = answer
        self.output = b""
        self._main, child = os.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(child)
        environment = {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "DREAMKICKS_HOME": str(folder / "home"),
            **extra,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.play", str(folder), *arguments],
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._child = child
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 65536)
            except OSError:
                return
            self.output += data
            if self._answer and ASKED_WHAT_IT_CAN in data:
                os.write(self._main, self._answer)

    @property
    def text(self) -> str:
        """What was written, without control sequences."""
        plain = re.sub(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()=>78]", b"", self.output)
        return plain.decode(errors="replace")

    def wait_for(self, happened: str | Callable[[], bool]) -> None:
        last = time.monotonic() + PATIENCE
        while not (happened in self.text if isinstance(happened, str) else happened()):
            if self.process.poll() is not None:
                last = min(last, time.monotonic() + 1)  # what it wrote last may still be on its way
            assert time.monotonic() < last, f"{happened!r} never came; the end of what did:\n{self.text[-3000:]}"
            time.sleep(0.05)

    def send(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def left(self) -> int:
        """Wait for the end, and check that the terminal is as it was; returns the exit status."""
        status = self.process.wait(PATIENCE)
        self.wait_for(lambda: LEAVE in self.output)
        assert self.output.count(ENTER) == self.output.count(LEAVE) == 1
        assert self.output.rindex(b"\x1b[?25h") > self.output.rindex(b"\x1b[?25l")  # the cursor shows
        assert termios.tcgetattr(self._child) == self.before
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._child)
        os.close(self._main)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str, **options: object) -> Terminal:
        opened.append(Terminal(tmp_path, *arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_dream_change_and_leave(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    studio = terminal("auto")
    studio.wait_for("dream 1 of 1")
    studio.wait_for("understood")
    studio.send("gum sole\r")
    studio.wait_for("dream 2 of 2")
    studio.send("\x11")  # ctrl+q
    assert studio.left() == 0
    studio.wait_for(f"your dreams are in {tmp_path / 'session'}")
    dream = Session.open(tmp_path / "session").current
    assert dream is not None and dream.words == "gum sole"
    assert "▀" in studio.text


def test_ctrl_c_leaves(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    studio = terminal("none", size=(80, 24))
    studio.wait_for("dream 1 of 1")
    studio.send("half a sentence\x03")
    assert studio.left() == 0
    assert len(Session.open(tmp_path / "session").dreams) == 1


def test_a_bug_is_told_and_no_success(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("none", "broken")
    assert studio.left() == 1
    studio.wait_for("ZeroDivisionError: a bug")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_a_tidy_terminal(terminal: Callable[..., Terminal], tmp_path: Path, number: int) -> None:
    studio = terminal("none")
    studio.wait_for("dream 1 of 1")
    studio.process.send_signal(number)
    assert studio.left() == 0
    assert len(Session.open(tmp_path / "session").dreams) == 1


def test_a_terminal_that_draws_sixels_gets_them(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("auto", answer=b"\x1b[?62;4;22c")
    studio.wait_for("dream 1 of 1")
    studio.wait_for(lambda: re.search(rb"\x1bP[0-9;]*q", studio.output) is not None)
    assert "▀" not in studio.text
    studio.send("\x11")
    assert studio.left() == 0


def test_kitty_pictures_when_asked_for(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("kitty")
    studio.wait_for("dream 1 of 1")
    studio.wait_for(lambda: b"\x1b_G" in studio.output and "\U0010eeee".encode() in studio.output)
    studio.send("\x11")
    assert studio.left() == 0


def test_a_terminal_of_no_size_is_no_reason_to_fail(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("auto", size=(0, 0), COLUMNS="90", LINES="28")
    studio.wait_for("dream 1 of 1")
    studio.send("\x11")
    assert studio.left() == 0


def test_no_colour_where_none_is_wanted(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("auto", NO_COLOR="1")
    studio.wait_for("dream 1 of 1")
    studio.send("\x11")
    assert studio.left() == 0
    colours = set(re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", studio.output))
    assert colours and all(red == green == blue for red, green, blue in colours)


def test_a_hostile_title_moves_nothing_in_the_terminal(terminal: Callable[..., Terminal]) -> None:
    studio = terminal("none", "hostile")
    studio.wait_for("Shoe [bold]sale[/]")
    studio.send("\x11")
    assert studio.left() == 0
    for bad in (b"\x1b]0;", b"evil", "\x9b".encode(), "\u202e".encode()):
        assert bad not in studio.output
