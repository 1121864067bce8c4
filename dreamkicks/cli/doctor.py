"""dreamkicks doctor"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import load_settings


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
) -> None:
    """Look at everything that dreaming needs, and say what to do about each problem."""
    from dreamkicks.doctor import examine

    broken = False
    with output.quiet():
        for check in examine(load_settings(context)):
            broken = broken or check.state == "broken"
            if as_json:
                output.json_line(vars(check))
            else:
                mark = {"good": "✓", "odd": "!", "broken": "✗"}[check.state]
                output.line(f"{mark} {check.name}: {check.found}" + (f" → {check.advice}" if check.advice else ""))
    if broken:
        raise typer.Exit(1)
