"""The studio: painter, encoder, brands and catalogue behind one door, with no idea of terminals.

The TUI, the demo, the batch and every verb drive this. Models are opened when they are first needed.
"""

from __future__ import annotations

import contextlib
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dreamkicks.brands.classifier import Verdict, open_brands
from dreamkicks.catalogue.catalogue import Catalogue, OnProgress
from dreamkicks.catalogue.product import Filters, Finding
from dreamkicks.encoder.encoder import BUILTIN, open_encoder
from dreamkicks.errors import Cancelled, CatalogueBusy, PromptError, SessionError, WeightsError
from dreamkicks.painter import grammar
from dreamkicks.painter.painter import OnStep, Painter, Painting, open_painter
from dreamkicks.session.dream import Dream
from dreamkicks.session.report import Story, write_report
from dreamkicks.session.session import Session
from dreamkicks.settings import Settings
from dreamkicks.text import LONGEST_PROMPT, check_prompt, clean

if TYPE_CHECKING:
    from dreamkicks.encoder.encoder import Encoder

MOST_SEEDS = 2**31


@dataclass(frozen=True)
class Result:
    """What accepting a dream brings."""

    verdict: Verdict
    findings: list[Finding]


class Studio:
    """One person's studio. Call it from one thread at a time; a callback that raises Cancelled stops what is under way."""

    def __init__(
        self,
        settings: Settings,
        session: Session | None = None,
        open_painter: Callable[[str, str], Painter] = open_painter,
        open_catalogue: Callable[[], Catalogue] = Catalogue.of_user,
    ) -> None:
        self.settings = settings
        self.session = session or Session.create()
        self._open_painter = open_painter
        self._open_catalogue = open_catalogue
        self._draw = random.Random()
        self.remark: str | None = None
        """What the painter remarked when it painted last."""

    @cached_property
    def painter(self) -> Painter:
        return self._open_painter(self.settings.model, self.settings.device)

    @cached_property
    def encoder(self) -> Encoder:
        return open_encoder(self.settings.encoder, self.settings.device)

    @cached_property
    def catalogue(self) -> Catalogue:
        return self._open_catalogue()

    # ---------------------------------------------------------------- painting

    def paint(
        self, prompt: str | None = None, seed: int | None = None, size: int | None = None, on_step: OnStep | None = None
    ) -> tuple[Dream, Image.Image]:
        """A picture outside the session: of the prompt, or of a random sneaker.

        Raises PromptError, PainterError and Cancelled.
        """
        seed = new_seed() if seed is None else check_seed(seed)
        words = check_prompt(prompt) if prompt is not None else grammar.random_prompt(random.Random(seed))
        painting = self.painter.imagine(words, seed, size=size, on_step=on_step)
        self.remark = painting.remark
        return Dream.of(painting, "imagine", words), painting.picture

    def repaint(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int | None = None,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> tuple[Dream, Image.Image]:
        """An edited picture outside the session. Raises PromptError, PainterError and Cancelled."""
        words = check_prompt(instruction)
        if strength is not None and not 0 < strength <= 1:
            raise PromptError(f"The strength {strength} is not between 0 and 1. 1 lets everything change.")
        seed = new_seed() if seed is None else check_seed(seed)
        painting: Painting = self.painter.edit(picture, words, seed, strength=strength, on_step=on_step)
        self.remark = painting.remark
        return Dream.of(painting, "edit", words, strength), painting.picture

    def imagine(self, prompt: str | None = None, seed: int | None = None, on_step: OnStep | None = None) -> Dream:
        """A new dream in the session."""
        seed = new_seed() if seed is None else seed
        with self._noting(prompt or "random sneaker", seed):
            dream, picture = self.paint(prompt, seed, on_step=on_step)
        return self.session.add(dream, picture)

    def edit(self, instruction: str, seed: int | None = None, on_step: OnStep | None = None) -> Dream:
        """A dream that changes the session's current one. Raises SessionError when there is none."""
        parent = self._current()
        seed = new_seed() if seed is None else seed
        with self._noting(instruction, seed):
            dream, picture = self.repaint(self.session.picture(parent), instruction, seed, on_step=on_step)
        return self.session.add(replace(dream, parent=parent.id), picture)

    def suggest(self, count: int = 3) -> list[str]:
        """Edits to try next."""
        return grammar.suggest_edits(self._draw, count)

    # ---------------------------------------------------------------- finding

    def accept(
        self, k: int = 10, on_progress: OnProgress | None = None, check: Callable[[], None] = lambda: None
    ) -> Result:
        """That's it: name the brand of the current dream and find what is like it; what `check` raises on the way stops it."""
        picture = self.session.picture(self._current())
        verdict = self.classify(picture)
        check()
        result = Result(verdict, self.search(picture, k=k, on_progress=on_progress))
        check()
        self.session.accept(
            {
                "brands": [guess.__dict__ for guess in result.verdict.brands],
                "findings": [finding.to_json() for finding in result.findings],
            }
        )
        return result

    def search(
        self,
        picture: Image.Image | None = None,
        text: str | None = None,
        k: int = 10,
        filters: Filters | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Finding]:
        """The k products nearest to a picture, to words, or to the mean of both.

        Indexes the catalogue first when it is out of step with the encoder. Raises PromptError, CatalogueError.
        """
        vectors = []
        if picture is not None:
            vectors.append(self.encoder.pictures([picture])[0])
        if text is not None:
            vectors.append(self.encoder.words([check_prompt(text)])[0])
        if not vectors:
            raise PromptError("There is nothing to search for. Give a picture or --text.")
        if not self.catalogue.in_step(self.encoder.identity):
            try:
                with self.catalogue.writing():
                    self.catalogue.index(self.encoder, on_progress)
            except CatalogueBusy:
                # A refresh indexes what it brings in; what was there before can be searched meanwhile.
                if self.catalogue.indexed_by() != self.encoder.identity:
                    raise
        query = np.mean(vectors, axis=0)
        return self.catalogue.search(query / np.linalg.norm(query), self.encoder.identity, k, filters)

    def classify(self, picture: Image.Image) -> Verdict:
        """The brand a picture looks like, or that it is no sneaker. Always by the built-in encoder, which the head was fitted to."""
        encoder = open_encoder(BUILTIN, self.settings.device)
        brands = open_brands()
        if brands.encoder != encoder.identity:
            raise WeightsError("The brand head does not belong to this encoder. Install dreamkicks again.")
        return brands.classify(encoder.pictures([picture]))[0]

    # ---------------------------------------------------------------- telling

    def story(self, result: Result | None = None) -> Story:
        """The current dream with all it came from."""
        line: list[Dream] = []
        dream = self.session.current
        while dream is not None:
            line.insert(0, dream)
            dream = self.session.dreams.get(dream.parent) if dream.parent is not None else None
        told = [(dream, self.session.picture(dream)) for dream in line]
        return Story(told) if result is None else Story(told, result.verdict, result.findings)

    def write_report(self, path: Path, result: Result | None = None) -> None:
        write_report(path, "A dream sneaker", [self.story(result)])

    def _current(self) -> Dream:
        if self.session.current is None:
            raise SessionError("There is no dream yet. Paint one first.")
        return self.session.current

    @contextlib.contextmanager
    def _noting(self, words: str, seed: int) -> Iterator[None]:
        """Write a cancelled attempt into the session's history with the steps that really ran."""
        try:
            yield
        except Cancelled as cancelled:
            self.session.note_cancelled(clean(words, LONGEST_PROMPT), cancelled.steps, seed)
            raise


def new_seed() -> int:
    return secrets.randbelow(MOST_SEEDS)


def check_seed(seed: int) -> int:
    """Raises PromptError for a seed that torch or NumPy would not take."""
    if not 0 <= seed < MOST_SEEDS:
        raise PromptError(f"The seed {seed} is not between 0 and {MOST_SEEDS - 1}. Choose another.")
    return seed
