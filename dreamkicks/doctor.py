"""Looks at everything that dreaming needs, one part at a time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from dreamkicks import __version__, locations
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.device import choose
from dreamkicks.errors import DreamkicksError, ModelMissing
from dreamkicks.files import verify_checksums, write_atomic
from dreamkicks.painter.painter import BUILTIN
from dreamkicks.painter.presets import find_preset
from dreamkicks.settings import Settings
from dreamkicks.text import reason

_PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "usearch",
    "textual",
    "textual-image",
)


@dataclass(frozen=True)
class Check:
    """What was found of one part; `odd` works and could be better."""

    name: str
    state: Literal["good", "odd", "broken"]
    found: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Every check in turn; one that breaks is a finding, never an error."""
    checks: list[tuple[str, Callable[[Settings], Check]]] = [
        ("versions", _versions),
        ("packages", _packages),
        ("device", _device),
        ("built-in models", _weights),
        ("painter", _painter),
        ("encoder", _encoder),
        ("files", _files),
        ("catalogue", _catalogue),
        ("terminal", _terminal),
    ]
    for name, check in checks:
        try:
            yield check(settings)
        except DreamkicksError as error:
            what, _, advice = str(error).partition(". ")
            yield Check(name, "broken", what, advice)
        except Exception as error:  # a package that is broken raises what it likes where it is imported
            yield Check(name, "broken", reason(error), "Install dreamkicks again.")


def _versions(_: Settings) -> Check:
    return Check(
        "versions",
        "good",
        f"dreamkicks {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )


def _packages(_: Settings) -> Check:
    found, missing = [], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        return Check("packages", "broken", f"missing: {', '.join(missing)}", "Install dreamkicks again.")
    try:
        import torchvision  # noqa: F401 - one built for another torch fails here, and takes transformers with it
    except (ImportError, RuntimeError) as error:
        return Check(
            "packages", "broken", f"torchvision does not fit torch: {error}", "Install torch and torchvision together."
        )
    return Check("packages", "good", ", ".join(found))


def _device(settings: Settings) -> Check:
    import torch

    device = choose(settings.device)
    threads, cores = (
        torch.get_num_threads(),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )
    found = (
        f"{device.name}, {str(device.dtype).removeprefix('torch.')} for hub presets, {threads} threads on {cores} cores"
    )
    if device.name == "cpu" and threads > cores:
        return Check(
            "device", "odd", found, f"More threads than cores slow painting down: set OMP_NUM_THREADS={cores}."
        )
    return Check("device", "good", found)


def _weights(_: Settings) -> Check:
    for part in ("painter", "encoder", "brands"):
        verify_checksums(locations.weights() / part)
    return Check("built-in models", "good", "painter, encoder and brands are whole")


def _painter(settings: Settings) -> Check:
    preset = find_preset(settings.model)
    if preset.name == BUILTIN:
        return Check("painter", "good", BUILTIN)
    if not preset.is_folder:
        from dreamkicks.painter.hub import local_folder

        try:
            local_folder(preset)
        except ModelMissing:
            return Check(
                "painter", "broken", f"{preset.name} is not here", f"Get it: dreamkicks models pull {preset.name}"
            )
    return Check("painter", "good", f"{preset.name}, needs {preset.memory:g} GB")


def _encoder(settings: Settings) -> Check:
    from dreamkicks.encoder.encoder import open_encoder

    encoder = open_encoder(settings.encoder, settings.device)
    return Check("encoder", "good", f"{encoder.name}, {encoder.dim} dimensions")


def _files(_: Settings) -> Check:
    probe = locations.home() / ".probe"
    write_atomic(probe, b"dreamkicks")
    probe.unlink()
    return Check("files", "good", f"{locations.home()} can be written to")


def _catalogue(settings: Settings) -> Check:
    from dreamkicks.encoder.encoder import open_encoder

    catalogue = Catalogue.of_user()
    problems = catalogue.verify()
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        return Check("catalogue", "broken", f"{problems[0].what}{more}", problems[0].advice)
    stats = catalogue.stats()
    found = f"{stats.products} products, {stats.photos} photos, {stats.bytes / 1e6:.0f} MB in {catalogue.folder}"
    if stats.photos == 0:
        return Check(
            "catalogue", "odd", found, "Fill it: dreamkicks catalog refresh, or dreamkicks catalog import FOLDER"
        )
    if not catalogue.in_step(open_encoder(settings.encoder, settings.device).identity):
        return Check(
            "catalogue",
            "odd",
            f"{found}; indexed by another encoder",
            "The next search indexes it anew, which takes a while.",
        )
    return Check("catalogue", "good", found)


def _terminal(settings: Settings) -> Check:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Check(
            "terminal",
            "odd",
            "none is attached",
            "Start dreamkicks in a terminal for the studio; all other commands work.",
        )
    from textual_image.renderable import Image  # it asks the terminal what it can do

    kind = {"tgp": "kitty", "halfcell": "half-cell", "unicode": "unicode"}.get(
        Image.__module__.rpartition(".")[2], Image.__module__.rpartition(".")[2]
    )
    found = f"{os.environ.get('TERM', 'unknown')}, pictures drawn by {kind} (setting: {settings.graphics})"
    size = os.get_terminal_size()
    if size.columns < 80 or size.lines < 24:
        return Check("terminal", "odd", f"{found}, {size.columns} x {size.lines}", "Make it 80 x 24 or larger.")
    if kind in ("half-cell", "unicode"):
        return Check(
            "terminal", "odd", found, "Pictures are coarse; kitty, WezTerm, Ghostty, iTerm2 or foot draw them sharp."
        )
    return Check("terminal", "good", found)
