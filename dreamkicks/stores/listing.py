"""What a shop lists, in whichever way it lists; and a check whether it shows any product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreamkicks.errors import (
    BudgetSpent,
    Cancelled,
    CatalogueError,
    DreamkicksError,
    FetchFailed,
    NotAllowed,
    StorageError,
    StoreError,
)
from dreamkicks.stores import pages, shopify
from dreamkicks.stores.fetcher import Fetcher
from dreamkicks.stores.store import Entry, Offer, Store
from dreamkicks.text import clean


def entries(store: Store, fetcher: Fetcher) -> Iterator[Entry]:
    """The list of a store. Raises StoreError."""
    return shopify.entries(store, fetcher) if store.kind == "shopify" else pages.entries(store, fetcher)


@dataclass(frozen=True)
class Checked:
    """The first product that a store showed, or the reason why it showed none."""

    store: str
    offer: Offer | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        said = {name: getattr(self.offer, name, None) for name in ("brand", "title", "price", "currency", "url")}
        price = None if said["price"] is None else str(said["price"])
        return {"store": self.store, "ok": self.offer is not None, **said, "price": price, "reason": self.reason}


def check(store: Store, fetcher: Fetcher) -> Checked:
    """Ask a store until it shows a product, as far as the fetcher's budget goes. Raises StorageError, Cancelled."""
    try:
        return Checked(store.name, _first(store, fetcher), None)
    except Exception as error:
        return Checked(store.name, None, trouble(error))


def _first(store: Store, fetcher: Fetcher) -> Offer:
    listed, last = 0, ""
    try:
        for entry in entries(store, fetcher):
            listed += 1
            try:
                if (offer := entry.read()) is not None:
                    return offer
            except (FetchFailed, NotAllowed) as error:
                last = f" ({error})"
    except BudgetSpent:
        pass
    asked = fetcher.requests.get(store.name, 0)
    fields = "collections" if store.kind == "shopify" else "sitemaps, products"
    raise StoreError(
        f"{asked} requests found {listed} entries and no product{last}; check {fields} and types of the store's entry"
    )


def trouble(error: Exception) -> str:
    """Why a store can't be read, in a line. What would hit the other stores too is raised again."""
    if isinstance(error, StorageError | CatalogueError | Cancelled):
        raise error
    if isinstance(error, DreamkicksError):
        return str(error)
    return f"the program stumbled while it was read; report this mistake of the program: {clean(repr(error), 200)}"
