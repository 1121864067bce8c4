"""Many dreams from a file: paint, edit, classify, search, and write a line for each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dreamkicks import pictures
from dreamkicks.brands.classifier import Verdict
from dreamkicks.catalogue.catalogue import OnProgress
from dreamkicks.catalogue.product import Finding
from dreamkicks.errors import DreamkicksError, PromptError, SessionError
from dreamkicks.files import storage, write_atomic
from dreamkicks.session.dream import Dream
from dreamkicks.session.report import Story, write_report
from dreamkicks.studio import MOST_SEEDS, Studio, check_seed, new_seed
from dreamkicks.text import check_prompt

RESULTS = "results.jsonl"
REPORT = "report.html"
_MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Order:
    """What a line asks for; without a seed one is drawn."""

    prompt: str
    edits: tuple[str, ...] = ()
    seed: int | None = None


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
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise PromptError(f"The prompts {name} can't be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"The prompts {name} are not UTF-8 text. Save them as UTF-8.") from error
    if len(data) > _MOST_BYTES:
        raise PromptError(f"The prompts {name} are over {_MOST_BYTES // 1_000_000} MB. Split them.")
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

    A line of results.jsonl is written when its pictures are, so that an interrupted run can be resumed.
    Raises SessionError when the folder holds other results, PainterError, StorageError, Cancelled.
    """
    wanted = [(line, turn, order) for line, order in enumerate(orders, start=1) for turn in range(number)]
    results = folder / RESULTS
    lines = _done(results, wanted) if resume else []
    if not resume and results.exists():
        raise SessionError(f"{results} is there already. Use --resume to go on with it, or another folder.")
    write_atomic(results, "".join(line + "\n" for line in lines).encode())
    dreamt: list[_Dreamt] = []
    for place, (line, turn, order) in enumerate(wanted):
        if on_progress:
            on_progress(place, len(wanted))
        if place < len(lines):
            dreamt.append(_recall(studio, folder, json.loads(lines[place]), k))
            continue
        record, one = _dream(studio, folder, f"{line:04d}-{turn + 1}", turn, order, k)
        with storage(results), open(results, "ab") as file:
            file.write((json.dumps(record) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        dreamt.append(one)
    write_report(folder / REPORT, f"{len(wanted)} dream sneakers", _stories(folder, dreamt))
    if on_progress:
        on_progress(len(wanted), len(wanted))
    return len(wanted)


def _dream(studio: Studio, folder: Path, name: str, turn: int, order: Order, k: int) -> tuple[dict[str, Any], _Dreamt]:
    seed = new_seed() if order.seed is None else (order.seed + turn) % MOST_SEEDS
    dream, picture = studio.paint(order.prompt, seed)
    files = [f"{name}.png"]
    write_atomic(folder / files[0], pictures.to_png(picture, dream.to_json()))
    record: dict[str, Any] = {"dream": dream.summary(files[0]) | _remark(studio), "edits": []}
    for count, instruction in enumerate(order.edits, start=1):
        edit, picture = studio.repaint(picture, instruction, seed)
        files.append(f"{name}-edit-{count}.png")
        write_atomic(folder / files[-1], pictures.to_png(picture, edit.to_json()))
        record["edits"].append(edit.summary(files[-1]) | _remark(studio))
    verdict, found = studio.classify(picture), studio.search(picture, k=k)
    record["brands"] = [vars(guess) for guess in verdict.brands]
    record["findings"] = [finding.to_json() for finding in found]
    return record, _Dreamt(tuple(files), verdict, found)


def _remark(studio: Studio) -> dict[str, str]:
    return {"remark": studio.remark} if studio.remark else {}


def _done(results: Path, wanted: list[tuple[int, int, Order]]) -> list[str]:
    """The whole lines that an earlier run wrote. Raises SessionError when they belong to other prompts."""
    if not results.exists():
        return []
    with storage(results):
        lines = results.read_bytes().split(b"\n")[:-1]  # what follows the last line's end was cut short
    other = SessionError(f"{results} was made from other prompts. Use another folder.")
    if len(lines) > len(wanted):
        raise other
    for line, (_, _, order) in zip(lines, wanted, strict=False):
        try:
            record = json.loads(line)
            said = (record["dream"]["prompt"], tuple(edit["instruction"] for edit in record["edits"]))
        except (ValueError, KeyError, TypeError):
            raise SessionError(f"{results} is damaged. Use another folder.") from None
        if said != (order.prompt, order.edits):
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
