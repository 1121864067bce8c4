"""Kills a session at random moments: `python -m tests.session.killed FOLDER MOMENTS`.

Prints a line for each moment: how many steps were done, and what was wrong ("" when nothing was).
A process of its own, because it forks.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from dreamkicks import pictures
from dreamkicks.errors import SessionError
from dreamkicks.session.session import RECORD, Session
from tests.session.dreams import dreamt


def work(folder: Path, done: int) -> None:
    """Add, undo and fork without an end; a byte goes into the pipe for each step that is over."""
    session, number = Session.create(folder), 0
    while True:
        number += 1
        parent = session.current.id if session.current else None
        session.add(*dreamt(f"red {number}", number, parent))
        if number % 3 == 0:
            session.undo()
        if number % 5 == 0:
            session.fork(1 + number // 2)
        os.write(done, b".")


def troubles(folder: Path, steps: int) -> str:
    try:
        session = Session.open(folder)
    except SessionError as error:
        return "" if steps == 0 and not (folder / RECORD).exists() else str(error)
    if not steps <= len(session.dreams) <= steps + 1:
        return f"{steps} steps were over and there are {len(session.dreams)} dreams"
    for dream in session.dreams.values():
        session.picture(dream)
        if pictures.recipe_of(folder / dream.file) != {
            **dream.to_json(),
            "understood": ["red"],
            "ignored": [str(dream.id)],
        }:
            return f"dream {dream.id} has another recipe"
    before = dict(session.dreams)
    session.add(*dreamt("blue again", 8))
    return "" if Session.open(folder).dreams == {**before, len(before) + 1: session.current} else "it does not go on"


def main(folder: Path, moments: int) -> None:
    draw = random.Random(0)
    for moment in range(moments):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            work(folder / str(moment), write)
        os.close(write)
        time.sleep(draw.uniform(0, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        steps = 0
        while data := os.read(read, 4096):
            steps += len(data)
        os.close(read)
        print(steps, troubles(folder / str(moment), steps), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
