"""dreamkicks classify"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import load_picture, open_studio
from dreamkicks.errors import PictureError


def classify(
    context: typer.Context,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Pictures, or - for stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture.")] = False,
) -> None:
    """Name the brand that each picture looks like."""
    studio = open_studio(context)
    failed = False
    for image in images:
        try:
            picture = load_picture(image)
        except PictureError as error:
            output.problem(str(error))
            failed = True
            continue
        with output.quiet():
            verdict = studio.classify(picture)
        if as_json:
            output.json_line({"path": image, "brands": [vars(guess) for guess in verdict.brands]})
        else:
            output.path_line(f"{image}: {output.brands(verdict)}")
    if failed:
        raise typer.Exit(1)
