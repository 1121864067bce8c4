"""Results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from dreamkicks.files import is_folder
from dreamkicks.text import clean, counted

if TYPE_CHECKING:
    from PIL import Image
    from rich.progress import TaskID

    from dreamkicks.brands.classifier import Verdict
    from dreamkicks.catalogue.product import Finding, Product
    from dreamkicks.catalogue.refresh import StoreReport
    from dreamkicks.painter.painter import OnStep
    from dreamkicks.session.dream import Dream

_LONGEST = 4000


def problem(message: str) -> None:
    """One line on what went wrong."""
    print(f"dreamkicks: {clean(message, _LONGEST)}", file=sys.stderr)


def note(message: str) -> None:
    """One line that is no result."""
    print(clean(message, _LONGEST), file=sys.stderr)


def is_usage_error(error: Exception) -> bool:
    """Whether Typer made it, for arguments that don't fit."""
    return hasattr(error, "format_message") and getattr(error, "exit_code", None) == 2


def usage(error: Any) -> None:
    """Show a usage error, and where help is."""
    context = getattr(error, "ctx", None)
    problem(f"{error.format_message()} See: {context.command_path if context else 'dreamkicks'} --help")


def line(text: str) -> None:
    """A line of results."""
    print(clean(text, _LONGEST))


def path_line(text: str) -> None:
    """A line of results that names a file: as it is, so that programs find it, but for control characters and halves of characters."""
    print("".join(character for character in text if unicodedata.category(character) not in ("Cc", "Cs")))


def json_line(data: dict[str, Any]) -> None:
    """One JSON object on a line of stdout; its texts are clean already, and ASCII on the way."""
    print(json.dumps(data), flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that line up; wide characters count as two."""
    from rich.table import Table
    from rich.text import Text

    sheet = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        sheet.add_column(name, overflow="fold")
    for row in rows:
        sheet.add_row(*(Text(clean(cell, _LONGEST)) for cell in row))
    # Into a pipe a row stays on its line, however long.
    Console(width=None if sys.stdout.isatty() else 3 * _LONGEST, soft_wrap=False, highlight=False).print(sheet)


def findings(found: Sequence[Finding]) -> None:
    """The results of a search, for people."""
    from dreamkicks.catalogue.product import CONCEPTS

    rows = []
    for finding in found:
        product = finding.product
        concept = product.store == CONCEPTS
        price = "concept" if concept else _told(product.price_tag, product)
        where = "not for sale" if concept else product.url or product.store
        rows.append([str(finding.rank), f"{finding.score:.3f}", product.brand, product.title, price, where])
        for offer in finding.also:
            shop = f"also at {offer.store}"
            rows.append(["", "", "", shop, _told(offer.price_tag, offer), offer.url or offer.store])
    table(["#", "score", "brand", "title", "price", "where"], rows)


def _told(price: str, product: Product) -> str:
    """A price, and whether it is too late."""
    return price if product.available else f"{price}, sold out".removeprefix(", ")


def brands(verdict: Verdict) -> str:
    """A verdict in one line."""
    if not verdict.is_sneaker:
        return f"no sneaker (probability of one {verdict.sneaker_probability:.0%})"
    return ", ".join(f"{guess.brand} {guess.probability:.0%}" for guess in verdict.brands[:5])


def recipe(dream: Dream) -> None:
    """How a picture came about, to stderr."""
    ignored = (
        f"; not understood: {', '.join(dream.ignored)} (a hub preset may: dreamkicks models list)"
        if dream.ignored
        else ""
    )
    note(
        f"{dream.words} · seed {dream.seed}, {dream.model}, {counted(dream.steps, 'step')}, {dream.seconds:.2f} s{ignored}"
    )


def show(picture: Image.Image) -> None:
    """Draw a picture where results go, if that is a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    # It asks the terminal what it can do, and raises what it likes where there is no answer.
    with contextlib.suppress(Exception):
        from textual_image.renderable import Image as Renderable

        Console().print(Renderable(picture, width=40, height="auto"))


def confirm(question: str) -> bool:
    """Whether the person says yes; no answer is none."""
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, if that is a terminal: call with how many are done of how many."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with quiet(), Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    ) as bars:  # fmt: skip
        task = bars.add_task(clean(label, 40), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextlib.contextmanager
def painting(label: str) -> Iterator[OnStep]:
    """The same for the steps of a painter."""
    with progress(label) as tell:
        yield lambda step: tell(step.number, step.total)


@contextlib.contextmanager
def stores() -> Iterator[Callable[[StoreReport], None]]:
    """A line for each store on stderr, if that is a terminal: call with a store's report after each product."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with quiet(), Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    ) as bars:  # fmt: skip
        tasks: dict[str, TaskID] = {}

        def tell(report: StoreReport) -> None:
            if report.store not in tasks:
                tasks[report.store] = bars.add_task("")
            said = f"{report.store}: {report.listed} listed, {report.new} new, {report.pictures} pictures, {len(report.failed)} failed"
            bars.update(tasks[report.store], description=said)

        yield tell


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' warnings, which nobody who runs this can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def picture_files(out: str | None, names: Sequence[str]) -> list[Path]:
    """Where pictures of these names go: the file or the folder that `out` names, else the current folder.

    A file that is in the way of a name of ours is left alone; one that was named is replaced.
    """
    target = Path(out) if out else Path()
    if out and not is_folder(target) and not out.endswith(("/", "\\")) and target.suffix:
        if len(names) > 1:
            raise typer.BadParameter(f"{len(names)} pictures don't fit into the one file {out}; name a folder with -o.")
        if target.suffix.lower() != ".png":
            raise typer.BadParameter(
                f"Pictures are PNG, which carries their recipe; name it {target.with_suffix('.png')}."
            )
        return [target]
    files: list[Path] = []
    for name in names:
        file, count = target / f"{name}.png", 1
        while file.exists():
            count += 1
            file = target / f"{name}-{count}.png"
        files.append(file)
    return files
