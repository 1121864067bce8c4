"""Stores as data, and what they offer."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from dreamkicks import locations
from dreamkicks.errors import StoreError
from dreamkicks.text import clean

_HOST = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9]\d{0,4})?"


def _without_port(host: str) -> str:
    return host.removesuffix(":443")  # as the fetcher reads addresses, to which that port goes without saying


_Host = Annotated[str, StringConstraints(pattern=f"^{_HOST}$", max_length=260), AfterValidator(_without_port)]
_Path = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=500)]
_Word = Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=100)]


class Store(BaseModel):
    """One shop. See stores.toml for what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")
    kind: Literal["shopify", "pages"]
    site: str
    collections: tuple[_Word, ...] = ()
    sitemaps: tuple[_Path, ...] = ("/sitemap.xml",)
    products: str = "/products?/"
    hosts: frozenset[_Host] = frozenset()
    pictures: frozenset[_Host] = frozenset()
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$")
    types: tuple[str, ...] = ()
    delay: float = Field(1.0, ge=0.2, le=600)

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in ("mine", "concepts"):
            raise ValueError("that name is the program's own")
        return name

    @field_validator("site")
    @classmethod
    def _secure(cls, site: str) -> str:
        if not re.fullmatch(f"https://{_HOST}", site):
            raise ValueError("write it as https://www.example.com")
        return _without_port(site)

    @field_validator("products")
    @classmethod
    def _expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _listed(self) -> Store:
        if self.kind == "shopify" and not self.collections:
            raise ValueError("a shopify store needs its collections")
        return self

    @property
    def asked(self) -> frozenset[str]:
        """The hosts that its pages may come from."""
        return self.hosts | {urlsplit(self.site).netloc}

    def sells(self, kind: str) -> bool:
        """Whether a product of that type belongs into the catalogue."""
        return not kind or not self.types or any(word.lower() in kind.lower() for word in self.types)


def stores(own: Path | None = None) -> tuple[dict[str, Store], dict[str, str]]:
    """All stores by name, those that ship and those of the person's own file; and what is wrong with entries that can't be used.

    Raises StoreError when a file can't be read.
    """
    own = own or locations.stores_file()
    found, wrong = _read(Path(__file__).with_name("stores.toml"))
    if own.exists():
        added, wrong_too = _read(own)
        # A mistake does not bring back the store that it was to replace.
        found = {name: store for name, store in (found | added).items() if name not in wrong_too}
        wrong |= wrong_too
    return found, wrong


def _read(file: Path) -> tuple[dict[str, Store], dict[str, str]]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StoreError(f"{file} can't be read: {error}. Mend it or move it away.") from error
    found, wrong = {}, {}
    for name, entry in table.items():
        try:
            found[name] = Store(name=name, **entry) if isinstance(entry, dict) else Store.model_validate(entry)
        except (ValidationError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            field = ".".join(map(str, first["loc"])) or "entry"
            wrong[name] = f"The {field} of store '{clean(name, 40)}' in {file} can't be used: {first['msg']}. Mend it."
    return found, wrong


@dataclass(frozen=True)
class Size:
    label: str
    available: bool


@dataclass(frozen=True)
class Offer:
    """One shoe as a shop offers it, with all its sizes. Texts are clean; `price` is the lowest that can be bought."""

    url: str
    brand: str
    title: str
    price: Decimal | None
    currency: str | None
    available: bool
    sizes: tuple[Size, ...]
    style: str | None
    pictures: tuple[str, ...]

    def fingerprint(self) -> str:
        """Equal for two offers that say the same."""
        return hashlib.sha256(json.dumps(asdict(self), default=str, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A line of a shop's list. `stamp` is when the shop says that it last changed it; None when it does not say.

    `read` gives the offer, or None for what is no product of interest; it may ask the shop.
    """

    url: str
    stamp: str | None
    read: Callable[[], Offer | None]
