"""dreamkicks edit"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import Model, load_picture, open_studio


def edit(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A picture, or - for stdin.")],
    instruction: Annotated[str, typer.Argument(help='What to change: "gum sole".')],
    seed: Annotated[int | None, typer.Option(help="The same seed paints the same picture.")] = None,
    strength: Annotated[float | None, typer.Option(help="Above 0, up to 1: how far the picture may move.")] = None,
    model: Model = None,
    out: Annotated[str | None, typer.Option("-o", help="A PNG file, or - for stdout.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Change a picture of a sneaker as the instruction says."""
    if out == "-" and as_json:
        raise typer.BadParameter("-o - writes the picture to stdout: leave out --json.")
    from dreamkicks import pictures
    from dreamkicks.files import write_atomic
    from dreamkicks.studio import check_seed, new_seed

    studio = open_studio(context, model=model)
    seed = new_seed() if seed is None else check_seed(seed)
    picture = load_picture(image)
    files = [] if out == "-" else output.picture_files(out, [f"edit-{seed}"])
    with output.painting("editing") as on_step:
        dream, painted = studio.repaint(picture, instruction, seed, strength, on_step)
    if studio.remark:
        output.note(studio.remark)
    png = pictures.to_png(painted, dream.to_json())
    if out == "-":
        sys.stdout.buffer.write(png)
        return
    write_atomic(files[0], png)
    if as_json:
        output.json_line(dream.summary(str(files[0]), studio.remark))
    else:
        output.recipe(dream)
        output.path_line(str(files[0]))
