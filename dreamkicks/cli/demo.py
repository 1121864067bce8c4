"""dreamkicks demo"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import open_studio


def demo(
    context: typer.Context,
    seed: Annotated[int | None, typer.Option(help="The same seed dreams the same dream.")] = None,
    out: Annotated[Path | None, typer.Option("-o", help="The folder to write to.")] = None,
) -> None:
    """The whole loop without a screen: a random sneaker, two edits, accept, the nearest products, the brand."""
    from dreamkicks.painter.grammar import suggest_edits
    from dreamkicks.session.report import REPORT
    from dreamkicks.session.session import RECORD, Session
    from dreamkicks.studio import check_seed, new_seed

    seed = new_seed() if seed is None else check_seed(seed)
    # A second demo into the same folder grows the tree that is there.
    studio = open_studio(context, Session.open(out) if out and (out / RECORD).exists() else Session.create(out))
    for words in (None, *suggest_edits(random.Random(seed), 2)):
        with output.painting("dreaming" if words is None else words) as on_step:
            dream = studio.imagine(None, seed, on_step) if words is None else studio.edit(words, seed, on_step=on_step)
        if studio.settings.graphics != "none":
            output.show(studio.session.picture(dream))
        output.recipe(dream)
        if studio.remark:
            output.note(studio.remark)
    with output.progress("searching") as on_progress:
        result = studio.accept(5, on_progress)
    report = studio.session.folder / REPORT
    studio.write_report(report, result)
    output.line(f"looks like: {output.brands(result.verdict)}")
    output.findings(result.findings)
    output.path_line(f"report: {report}")
