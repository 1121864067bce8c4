"""dreamkicks batch"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import STDIN, Model, open_studio


def batch(
    context: typer.Context,
    prompts: Annotated[str, typer.Argument(help='A file, or -: a prompt a line, or JSON {"prompt","edits","seed"}.')],
    out: Annotated[Path, typer.Option("-o", help="The folder to write to.")],
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="Dreams a prompt.")] = 1,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Products a dream.")] = 5,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run was.")] = False,
    model: Model = None,
) -> None:
    """Dream and search for every line of a file; writes pictures, results.jsonl and report.html."""
    from dreamkicks.batch import read_orders, run_batch
    from dreamkicks.session.report import REPORT

    orders = read_orders(sys.stdin.buffer if prompts == STDIN else Path(prompts))
    studio = open_studio(context, model=model)
    with output.progress("dreaming") as on_progress:
        done = run_batch(studio, orders, out, number, k, resume, on_progress)
    output.note(f"{done} dreams")
    output.path_line(str(out / REPORT))
