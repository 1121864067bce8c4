"""A session: a tree of dreams in a folder, saved after every step."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from dreamkicks import locations, pictures
from dreamkicks.errors import PictureError, SessionError, StorageError
from dreamkicks.files import is_folder, write_atomic
from dreamkicks.session.dream import Dream

RECORD = "session.json"
_SCHEMA = 1


class Session:
    """Dreams by id, and the trail of those that were looked at: undo and redo walk it, a new dream cuts it off behind itself.

    The tree never forgets: a dream that undo left behind can be forked or recalled.
    """

    def __init__(self, folder: Path) -> None:
        """Use `Session.create` or `Session.open`."""
        self.folder = folder
        self.dreams: dict[int, Dream] = {}
        self.accepted: dict[str, Any] | None = None
        self.cancelled: list[dict[str, Any]] = []
        self._trail: list[int] = []
        self._place = -1

    @classmethod
    def create(cls, folder: Path | None = None) -> Session:
        """A new session in `folder`, or in one of its own under the home folder. Nothing is written before the first dream."""
        return cls(folder or locations.sessions() / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}")

    @classmethod
    def open(cls, folder: Path) -> Session:
        """A session as it was left. Raises SessionError."""
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record["schema"] > _SCHEMA:
                raise SessionError(f"{folder} was written by a newer dreamkicks. Update dreamkicks.")
            session = cls(folder)
            session.dreams = {data["id"]: Dream.from_json(data) for data in record["dreams"]}
            session.accepted = record["accepted"]
            session.cancelled = list(record["cancelled"])
            session._trail = [int(number) for number in record["trail"]]
            session._place = int(record["place"])
            session._check()
        except FileNotFoundError:
            raise SessionError(f"{folder} holds no session. Check the path.") from None
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SessionError(f"The session {folder / RECORD} can't be read: {reason}. Start a new one.") from error
        return session

    @classmethod
    def reopen(cls, path: Path) -> Session:
        """The session in a folder as it was left, or a new one that begins with the dream in a PNG of ours.

        Raises SessionError, PictureError.
        """
        if is_folder(path):
            return cls.open(path)
        picture = pictures.load(path)
        recipe = pictures.recipe_of(path)
        if recipe is None:
            raise SessionError(f"{path} carries no recipe. Open a PNG that dreamkicks wrote, or a session's folder.")
        session = cls.create()
        session.add(replace(Dream.from_json(recipe), parent=None), picture)
        return session

    @classmethod
    def latest(cls) -> Session:
        """The session that was used last. Raises SessionError when there is none."""
        records = sorted(locations.sessions().glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
        if not records:
            raise SessionError(f"There is no session in {locations.sessions()} yet. Start with: dreamkicks")
        return cls.open(records[-1].parent)

    @property
    def current(self) -> Dream | None:
        return self.dreams[self._trail[self._place]] if self._place >= 0 else None

    def dream(self, number: int) -> Dream:
        """Raises SessionError when there is no such dream."""
        if number not in self.dreams:
            raise SessionError(f"The session has no dream {number}. It has {len(self.dreams)}.")
        return self.dreams[number]

    def picture(self, dream: Dream) -> Image.Image:
        """Raises SessionError when its file is gone or damaged."""
        try:
            return pictures.load(self.folder / dream.file)
        except PictureError as error:
            raise SessionError(f"The picture of dream {dream.id} is lost: {error}") from error

    def add(self, dream: Dream, picture: Image.Image) -> Dream:
        """Keep a new dream and go to it; its id is given here. It is on disk when this returns."""
        dream = replace(dream, id=max(self.dreams, default=0) + 1)
        # The picture first: a crash in between leaves a file that no record names, never the other way round.
        write_atomic(self.folder / dream.file, pictures.to_png(picture, dream.to_json()))
        self.dreams[dream.id] = dream
        self._go(dream.id)
        return dream

    def note_cancelled(self, words: str, steps: int, seed: int) -> None:
        """Remember that something was begun and stopped after so many steps; on disk once there is a dream."""
        self.cancelled.append(
            {"words": words, "steps": steps, "seed": seed, "after": self.current.id if self.current else None}
        )
        if self.dreams:  # else `latest` would find a session with nothing in it
            self._save()

    def undo(self) -> Dream:
        """Back to the dream before. Raises SessionError at the beginning."""
        return self._walk(-1, "There is nothing to undo.")

    def redo(self) -> Dream:
        """Forward again. Raises SessionError at the end."""
        return self._walk(1, "There is nothing to redo.")

    def fork(self, number: int) -> Dream:
        """Go to any dream; the next edit branches off there."""
        dream = self.dream(number)
        self._go(number)
        return dream

    def accept(self, result: dict[str, Any]) -> None:
        """Remember that the current dream is the one, and what was found for it."""
        if self.current is None:
            raise SessionError("There is no dream to accept yet. Paint one first.")
        self.accepted = {"dream": self.current.id, **result}
        self._save()

    def _check(self) -> None:
        if self._place not in range(-1, len(self._trail)) or not self.dreams.keys() >= set(self._trail):
            raise ValueError("its trail leads nowhere")
        for dream in self.dreams.values():
            if dream.parent is not None and not (dream.parent < dream.id and dream.parent in self.dreams):
                raise ValueError(f"dream {dream.id} has no parent {dream.parent}")

    def _go(self, number: int) -> None:
        self._stand([*self._trail[: self._place + 1], number], self._place + 1)

    def _stand(self, trail: list[int], place: int) -> None:
        before = self._trail, self._place
        self._trail, self._place = trail, place
        try:
            self._save()
        except StorageError:
            self._trail, self._place = before
            raise

    def _walk(self, step: int, otherwise: str) -> Dream:
        if not 0 <= self._place + step < len(self._trail):
            raise SessionError(otherwise)
        self._stand(self._trail, self._place + step)
        dream = self.current
        assert dream is not None
        return dream

    def _save(self) -> None:
        record = {
            "schema": _SCHEMA,
            "dreams": [dream.to_json() for dream in self.dreams.values()],
            "trail": self._trail,
            "place": self._place,
            "accepted": self.accepted,
            "cancelled": self.cancelled,
        }
        write_atomic(self.folder / RECORD, (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())
