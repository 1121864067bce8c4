"""The command line: one file a verb; each parses, calls and prints."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from dreamkicks.errors import Cancelled, DreamkicksError
from dreamkicks.text import reason


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 done, 1 could not do it, 2 bad usage, 130 interrupted."""
    for name, value in {
        # Threads that wait by spinning starve each other: beside another program on both of two cores, one picture was seen to
        # take 44 s, and about 1 s without.
        "OMP_WAIT_POLICY": "PASSIVE",
        # The libraries' chatter would stand between a person and the one line that matters.
        "TRANSFORMERS_VERBOSITY": "error",
        "DIFFUSERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }.items():
        os.environ.setdefault(name, value)
    from dreamkicks.cli import output
    from dreamkicks.cli.app import app

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # titles are of all scripts, and not every terminal is
    try:
        # Typer turns its own exits, a KeyboardInterrupt among them, into a status.
        status = app(arguments, prog_name="dreamkicks", standalone_mode=False)
        sys.stdout.flush()
    except DreamkicksError as error:
        output.problem(str(error))
        return 1
    except (Cancelled, KeyboardInterrupt):
        status = 130
    except (SystemExit, BrokenPipeError):
        # When stdout was closed, Typer's way out or ours: whoever read the results has seen enough, as `head` does.
        _silence(sys.stdout)
        return 0
    except OSError as error:
        _silence(sys.stdout)
        what = f"{error.filename} can't be used" if error.filename else "Can't write the results"
        advice = "Check it and its rights." if error.filename else "Send them elsewhere."
        output.problem(f"{what}: {error.strerror or reason(error)}. {advice}")
        return 1
    except Exception as error:
        if not output.is_usage_error(error):
            raise
        output.usage(error)
        return 2
    if status == 130:
        output.problem("Interrupted.")
    return int(status or 0)


def _silence(stream: TextIO) -> None:
    """Keep the interpreter from flushing once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
