"""dreamkicks bench"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import Model, open_studio


def bench(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many of each.")] = 10,
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a part.")] = False,
) -> None:
    """Measure the parts of the loop on this machine, warm: median seconds of each."""
    from dreamkicks.benchmark import measure_loop

    with output.progress("measuring") as on_progress:
        timings = measure_loop(open_studio(context, model=model), number, on_progress)
    if as_json:
        for timing in timings:
            output.json_line(vars(timing))
    else:
        output.table(
            ["part", "median s", "slowest s"], [[t.part, f"{t.median:.3f}", f"{t.slowest:.3f}"] for t in timings]
        )
