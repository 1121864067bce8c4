"""The verbs together, and what all of them share."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from dreamkicks.cli import batch, bench, catalog, classify, demo, doctor, edit, generate, models, search
from dreamkicks.cli.shared import Model, open_session, open_studio

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dreamkicks import __version__

        print(f"dreamkicks {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def studio(
    context: typer.Context,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"] | None, typer.Option(help="Where the models run.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="builtin, a folder, model/pretrained of open_clip, or hf-hub:owner/name.")
    ] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help="Never open a connection.")] = None,
    graphics: Annotated[
        Literal["auto", "kitty", "sixel", "halfcell", "none"] | None, typer.Option(help="How pictures are drawn.")
    ] = None,
    model: Model = None,
    begin: Annotated[
        str | None,
        typer.Option("--open", help="Go on with a session's folder, a dream's PNG, or the last session: last."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Dream up a sneaker, change it in words, find the nearest one that can be bought. Without a verb: the studio, or the
    demo where there is no terminal."""
    context.obj = {"device": device, "encoder": encoder, "offline": offline, "graphics": graphics, "model": model}
    if context.invoked_subcommand is not None:
        if begin is not None:
            raise typer.BadParameter("--open is for the studio: leave out the verb.")
        return
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))  # Textual draws on stderr
    if begin is None and not terminal:
        demo.demo(context)
        return
    if not terminal:
        raise typer.BadParameter("--open is for the studio, which needs a terminal.")
    session = None if begin is None else open_session(begin)
    if session is not None and session.current is not None and model is None:
        context.obj["model"] = session.current.model  # the recipe says who painted it
    one = open_studio(context, session)
    from dreamkicks.tui.app import run

    raise typer.Exit(run(one, one.settings.graphics))


for verb in (
    demo.demo,
    generate.generate,
    edit.edit,
    search.search,
    classify.classify,
    batch.batch,
    doctor.doctor,
    bench.bench,
):
    app.command()(verb)
app.add_typer(catalog.app, name="catalog")
app.add_typer(models.app, name="models")
