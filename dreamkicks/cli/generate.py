"""dreamkicks generate"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import Model, open_studio


def generate(
    context: typer.Context,
    prompt: Annotated[str | None, typer.Argument(help="What it should look like; a random sneaker without.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 1,
    seed: Annotated[
        int | None, typer.Option(help="The same seed paints the same picture; -n counts up from it.")
    ] = None,
    model: Model = None,
    size: Annotated[int | None, typer.Option(min=16, max=2048, help="Pixels a side.")] = None,
    out: Annotated[str | None, typer.Option("-o", help="A PNG file, a folder, or - for stdout.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture.")] = False,
) -> None:
    """Paint a sneaker from words, or a random one."""
    if out == "-" and (as_json or number > 1):
        raise typer.BadParameter("-o - writes one picture to stdout: leave out --json and -n.")
    from dreamkicks import pictures
    from dreamkicks.files import write_atomic
    from dreamkicks.studio import MOST_SEEDS, check_seed, new_seed

    studio = open_studio(context, model=model)
    first = new_seed() if seed is None else check_seed(seed)
    seeds = [(first + place) % MOST_SEEDS for place in range(number)]
    files = [] if out == "-" else output.picture_files(out, [f"dream-{one}" for one in seeds])
    for place, one in enumerate(seeds):
        with output.painting(f"painting {place + 1} of {number}") as on_step:
            dream, picture = studio.paint(prompt, one, size, on_step)
        png = pictures.to_png(picture, dream.to_json())
        if out == "-":
            sys.stdout.buffer.write(png)
            return
        write_atomic(files[place], png)
        if as_json:
            output.json_line(dream.summary(str(files[place])))
        else:
            output.recipe(dream)
            output.path_line(str(files[place]))
