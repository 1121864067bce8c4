"""A dream: one picture's recipe."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from types import NoneType
from typing import Any, Literal, get_args

from dreamkicks import __version__
from dreamkicks.errors import SessionError
from dreamkicks.painter.painter import Painting

Kind = Literal["imagine", "edit"]
_TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "parent": (int, NoneType),
    "kind": (str,),
    "words": (str,),
    "seed": (int,),
    "model": (str,),
    "strength": (int, float, NoneType),
    "steps": (int,),
    "size": (int,),
    "seconds": (int, float),
    "understood": (list,),
    "ignored": (list,),
    "versions": (dict,),
}


@dataclass(frozen=True)
class Dream:
    """How a picture came about; `steps` are those that really ran. `words` is the prompt, or the instruction of an edit."""

    id: int
    parent: int | None
    kind: Kind
    words: str
    seed: int
    model: str
    strength: float | None
    steps: int
    size: int
    seconds: float
    understood: tuple[str, ...]
    ignored: tuple[str, ...]
    versions: dict[str, str]

    @classmethod
    def of(cls, painting: Painting, kind: Kind, words: str, strength: float | None = None) -> Dream:
        """A dream by itself; its session gives it another id, and the studio its parent."""
        return cls(
            id=1,
            parent=None,
            kind=kind,
            words=words,
            seed=painting.seed,
            model=painting.model,
            strength=strength,
            steps=painting.steps,
            size=painting.picture.width,
            seconds=round(painting.seconds, 3),
            understood=painting.understood,
            ignored=painting.ignored,
            versions=_versions(),
        )

    @property
    def file(self) -> str:
        """The name of its picture in the session's folder."""
        return f"dream-{self.id:04d}.png"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Dream:
        """Raises SessionError when a field is missing or of the wrong type."""
        try:
            for name, kinds in _TYPES.items():
                if not isinstance(data[name], kinds) or isinstance(data[name], bool):
                    raise TypeError(f"its {name} is wrong")
            if data["kind"] not in get_args(Kind):
                raise TypeError("its kind is wrong")
            values = {field.name: data[field.name] for field in fields(cls)}
            values |= {name: tuple(map(str, data[name])) for name in ("understood", "ignored")}
        except (KeyError, TypeError) as error:
            raise SessionError(
                f"A dream's record can't be read ({error}). The session was changed by something else."
            ) from error
        return cls(**values)

    def summary(self, path: str, remark: str | None = None) -> dict[str, Any]:
        """What `generate`, `edit` and `batch` tell of it in JSON, with the painter's remark if there was one."""
        told = {
            "path": path,
            "prompt" if self.kind == "imagine" else "instruction": self.words,
            "seed": self.seed,
            "model": self.model,
            "steps": self.steps,
            "size": self.size,
            "seconds": self.seconds,
            "understood": list(self.understood),
            "ignored": list(self.ignored),
        }
        return told | {"remark": remark} if remark else told


@functools.cache
def _versions() -> dict[str, str]:
    found = {"dreamkicks": __version__}
    for package in ("torch", "diffusers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
