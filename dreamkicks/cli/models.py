"""dreamkicks models list | pull | remove"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import load_settings

app = typer.Typer(help="The presets that paint.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="A name from dreamkicks models list.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a preset.")] = False) -> None:
    """All presets, and which of them are on this machine."""
    from dreamkicks.painter.hub import size_on_disk
    from dreamkicks.painter.painter import BUILTIN
    from dreamkicks.painter.presets import presets

    rows = []
    for preset in presets().values():
        here = 0 if preset.name == BUILTIN else size_on_disk(preset)
        if as_json:
            output.json_line({**vars(preset), "here": here is not None, "bytes": here})
        where = (
            "ships"
            if preset.name == BUILTIN
            else f"here, {here / 1e9:.1f} GB"
            if here
            else f"{preset.download:.1f} GB to pull"
        )
        rows.append([preset.name, where, f"{preset.size} px", f"{preset.memory:g} GB", preset.licence, preset.about])
    if not as_json:
        output.table(["preset", "weights", "size", "memory", "licence", "about"], rows)


@app.command()
def pull(context: typer.Context, name: _Name, yes: _Yes = False) -> None:
    """Download a preset's weights from the hub, after showing their size and licence."""
    from dreamkicks.painter import hub

    preset = hub.hub_preset(name)
    if hub.size_on_disk(preset) is not None and not yes:
        output.note(f"{name} is here already; this looks for what is missing.")
    output.note(f"{preset.repo}: {preset.download:.1f} GB, {preset.licence}")
    if not yes and not output.confirm("Download it?"):
        raise typer.Exit(1)
    with output.progress(f"pulling {name}") as on_progress:
        folder = hub.pull(preset, on_progress, offline=load_settings(context).offline)
    output.path_line(str(folder))


@app.command()
def remove(name: _Name, yes: _Yes = False) -> None:
    """Delete a preset's weights from this machine."""
    from dreamkicks.painter import hub

    preset = hub.hub_preset(name)
    size = hub.bytes_kept(preset) or hub.size_on_disk(preset)
    if not size:
        output.note(f"{name} is not on this machine.")
        return
    if not yes and not output.confirm(f"Delete {size / 1e9:.1f} GB of {preset.repo}?"):
        raise typer.Exit(1)
    output.line(f"{hub.remove(preset)} bytes freed")
