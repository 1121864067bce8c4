"""Many dreams from a file: paint, edit, classify, search, and write a line for each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from dreamkicks import pictures
from dreamkicks.brands.classifier import Verdict
from dreamkicks.catalogue.catalogue import OnProgress
from dreamkicks.catalogue.product import Finding
from dreamkicks.errors import DreamkicksError, PromptError, SessionError
from dreamkicks.files import storage, write_atomic
from dreamkicks.session.dream import Dream
from dreamkicks.session.report import REPORT, Story, write_report
from dreamkicks.studio import MOST_SEEDS, Studio, check_seed
from dreamkicks.text import check_prompt

RESULTS = "results.jsonl"
_KEYS = ("prompt", "edits", "seed")
_MOST_BYTES = 50_000_000
_MOST_TOLD = 500  # in the report: at about 85 KB a dream a page of some 40 MB, which is made in memory


@dataclass(frozen=True)
class Order:
    """What a line asks for; without a seed one is drawn."""

    prompt: str
    edits: tuple[str, ...] = ()
    seed: int | None = None

    def turn(self, number: int) -> Order:
        """The same with its seed, if it has one, counted up."""
        return self if self.seed is None else replace(self, seed=(self.seed + number) % MOST_SEEDS)


def read_orders(source: Path | BinaryIO) -> list[Order]:
    """Lines of text, or of JSON {"prompt", "edits", "seed"}; empty lines are left out.

    Raises PromptError that names the first line that can't be used: nothing is painted until all can.
    """
    name = str(source) if isinstance(source, Path) else "stdin"
    try:
        if isinstance(source, Path):
            with open(source, "rb") as file:
                data = file.read(_MOST_BYTES + 1)
        else:
            data = source.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PromptError(f"The prompts {name} can't be read: {error.strerror}. Check the path.") from error
    if len(data) > _MOST_BYTES:
        raise PromptError(f"The prompts {name} are over {_MOST_BYTES // 1_000_000} MB. Split them.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PromptError(f"The prompts {name} are not UTF-8 text. Save them as UTF-8.") from error
    orders = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            orders.append(_order(line.strip()))
        except (PromptError, ValueError, TypeError) as error:
            raise PromptError(f"Line {number} of {name} can't be used: {error}") from error
    if not orders:
        raise PromptError(f"{name} holds no prompt. Write one a line.")
    return orders


def _order(line: str) -> Order:
    if not line.startswith("{"):
        return Order(check_prompt(line))
    try:
        said = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    prompt, edits, seed = said.get("prompt"), said.get("edits", []), said.get("seed")
    if not isinstance(prompt, str) or not isinstance(edits, list) or not all(isinstance(edit, str) for edit in edits):
        raise ValueError(
            'it needs {"prompt": "...", "edits": ["...", ...], "seed": 7}; edits and seed may be left out.'
        )
    if unknown := [key for key in said if key not in _KEYS]:
        raise ValueError(f"it has {', '.join(unknown)}; the keys are {', '.join(_KEYS)}.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ValueError("its seed is no whole number.")
    return Order(check_prompt(prompt), tuple(map(check_prompt, edits)), None if seed is None else check_seed(seed))


@dataclass(frozen=True)
class _Dreamt:
    """What is kept in memory of a finished line; its pictures stay on disk."""

    files: tuple[str, ...]
    verdict: Verdict
    findings: list[Finding]


def run_batch(
    studio: Studio,
    orders: list[Order],
    folder: Path,
    number: int,
    k: int,
    resume: bool,
    on_progress: OnProgress | None = None,
) -> int:
    """Dream `number` times for each order into `folder`; returns how many dreams are there now.

    A line of results.jsonl is written when its pictures are, so that an interrupted run can be resumed. The report
    tells of the first 500. Raises SessionError when the folder holds other results, PainterError, StorageError, Cancelled.
    """
    wanted = [
        (f"{line:04d}-{turn + 1}", order.turn(turn))
        for line, order in enumerate(orders, start=1)
        for turn in range(number)
    ]
    results = folder / RESULTS
    lines = _done(results, wanted, studio.settings.model) if resume else []
    if not resume and results.exists():
        raise SessionError(f"{results} is there already. Use --resume to go on with it, or another folder.")
    write_atomic(results, "".join(line + "\n" for line in lines).encode())
    dreamt: list[_Dreamt] = []
    for place, (name, order) in enumerate(wanted):
        if on_progress:
            on_progress(place, len(wanted))
        if place < len(lines):
            if place < _MOST_TOLD:
                dreamt.append(_recall(studio, folder, json.loads(lines[place]), k))
            continue
        record, one = _dream(studio, folder, name, order, k)
        with storage(results), open(results, "ab") as file:
            file.write((json.dumps(record) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        if place < _MOST_TOLD:
            dreamt.append(one)
    title = f"{len(wanted):,} dream sneakers"
    if len(wanted) > len(dreamt):
        title = f"The first {len(dreamt):,} of {title}; {RESULTS} has them all"
    write_report(folder / REPORT, title, _stories(folder, dreamt))
    if on_progress:
        on_progress(len(wanted), len(wanted))
    return len(wanted)


def _dream(studio: Studio, folder: Path, name: str, order: Order, k: int) -> tuple[dict[str, Any], _Dreamt]:
    dream, picture = studio.paint(order.prompt, order.seed)
    files = [f"{name}.png"]
    write_atomic(folder / files[0], pictures.to_png(picture, dream.to_json()))
    record: dict[str, Any] = {"dream": dream.summary(files[0], studio.remark), "edits": []}
    for count, instruction in enumerate(order.edits, start=1):
        edit, picture = studio.repaint(picture, instruction, dream.seed)
        files.append(f"{name}-edit-{count}.png")
        write_atomic(folder / files[-1], pictures.to_png(picture, edit.to_json()))
        record["edits"].append(edit.summary(files[-1], studio.remark))
    verdict, found = studio.classify(picture), studio.search(picture, k=k)
    record["brands"] = [vars(guess) for guess in verdict.brands]
    record["findings"] = [finding.to_json() for finding in found]
    return record, _Dreamt(tuple(files), verdict, found)


def _done(results: Path, wanted: list[tuple[str, Order]], model: str) -> list[str]:
    """The whole lines that an earlier run wrote. Raises SessionError when this run would have painted something else."""
    if not results.exists():
        return []
    with storage(results):
        lines = results.read_bytes().split(b"\n")[:-1]  # what follows the last line's end was cut short
    other = SessionError(
        f"{results} was made from other prompts, seeds or numbers, or by another model. Resume with the same ones, or use another folder."
    )
    if len(lines) > len(wanted):
        raise other
    for line, (name, order) in zip(lines, wanted, strict=False):
        try:
            record = json.loads(line)
            dream, edits = record["dream"], tuple(edit["instruction"] for edit in record["edits"])
            said = (dream["path"], dream["prompt"], edits, dream["seed"], dream["model"])
        except (ValueError, KeyError, TypeError):
            raise SessionError(f"{results} is damaged. Use another folder.") from None
        seed = dream["seed"] if order.seed is None else order.seed
        if said != (f"{name}.png", order.prompt, order.edits, seed, model):
            raise other
    return [line.decode() for line in lines]


def _recall(studio: Studio, folder: Path, record: dict[str, Any], k: int) -> _Dreamt:
    # Asking again is quicker than it is to keep all that a report shows in the results.
    files = [Path(record["dream"]["path"]).name, *(Path(edit["path"]).name for edit in record["edits"])]
    picture = pictures.load(folder / files[-1])
    return _Dreamt(tuple(files), studio.classify(picture), studio.search(picture, k=k))


def _stories(folder: Path, dreamt: list[_Dreamt]) -> Iterator[Story]:
    for one in dreamt:
        told = []
        for file in one.files:
            recipe = pictures.recipe_of(folder / file)
            if recipe is None:
                raise DreamkicksError(f"{folder / file} has lost its recipe. Run the batch again in another folder.")
            told.append((Dream.from_json(recipe), pictures.load(folder / file)))
        yield Story(told, one.verdict, one.findings)
