"""Brings what shops sell today into a catalogue: list, fetch, clean, embed, index, swap.

A thread for each store lists, fetches and cleans, one product at a time, and keeps each as soon as it is whole; the calling thread
embeds and swaps the index as photos come in. Nothing waits for a whole shop, so memory does not grow with it. What was kept stays
kept: an interrupted run is gone on with by running again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from dreamkicks import pictures
from dreamkicks.catalogue.catalogue import Catalogue, OnProgress, PictureEncoder
from dreamkicks.catalogue.ledger import Known, Ledger, Photo
from dreamkicks.catalogue.likeness import same_picture, signature
from dreamkicks.catalogue.photos import keep_photo
from dreamkicks.errors import BudgetSpent, FetchFailed, NotAllowed, PictureError, StoreClosed, StoreError
from dreamkicks.stores.fetcher import PICTURE, Fetcher, NotAsked
from dreamkicks.stores.listing import entries, trouble
from dreamkicks.stores.store import Entry, Offer, Store
from dreamkicks.text import clean

PICTURES = 3
"""Photos kept of one product: the first ones, which show it from the side and the front."""
_RECHECK = 7 * 86_400
"""A page is asked for again after so many seconds even when the sitemap calls it unchanged: prices move without notice."""
INDEX_EVERY = 512
"""Photos that wait to be embedded until a new index is written; a tenth of those before them where that is more."""
_TOGETHER = 250
"""Offers that had not changed are noted together: each note of its own would wait for the disk."""
_PARTIAL = "?"
"""Before the fingerprint of an offer whose pictures were not all had, so that they are tried again."""


@dataclass
class StoreReport:
    """What came of one store. `failed` holds an address and a reason each; `stopped` says why the list was not read to its end."""

    store: str
    listed: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    pictures: int = 0
    requests: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    stopped: str | None = None

    def fail(self, address: str, reason: object) -> None:
        self.failed.append((clean(address, 300), clean(str(reason), 300)))

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "failed": [{"url": address, "reason": reason} for address, reason in self.failed]}


OnStore = Callable[[StoreReport], None]
"""Told after each product, from the store's own thread. It may raise Cancelled."""


def refresh(
    catalogue: Catalogue,
    encoder: PictureEncoder,
    stores: Sequence[Store],
    fetcher: Fetcher,
    on_store: OnStore | None = None,
    on_index: OnProgress | None = None,
) -> list[StoreReport]:
    """Refresh a catalogue from stores, all at once; a report each, in their order.

    A store that can't be read, or only in part, for whatever reason, says so in its report, and the others go on; nothing that it
    did not list is then called gone. Raises CatalogueBusy, StorageError, Cancelled.
    """
    reports = [StoreReport(store.name) for store in stores]
    held, embedded = Ledger(catalogue).held(), 0
    with catalogue.writing(), ThreadPoolExecutor(max(1, len(stores))) as pool:
        try:
            waiting: set[Future[None]] = {
                pool.submit(_Visit(catalogue, fetcher, store, report, on_store).run)
                for store, report in zip(stores, reports, strict=True)
            }
            while waiting:
                done, waiting = wait(waiting, timeout=0.2)
                for future in done:
                    future.result()
                fresh = sum(report.pictures for report in reports)
                if waiting and fresh - embedded >= max(INDEX_EVERY, (held + embedded) // 10):
                    catalogue.index(encoder, on_index)
                    embedded = fresh
            catalogue.index(encoder, on_index)
        except BaseException:
            fetcher.stop()  # the threads end at their next request; leaving the pool waits for them
            raise
    return reports


def rehearse(catalogue: Catalogue, stores: Sequence[Store], fetcher: Fetcher) -> list[StoreReport]:
    """Walk through a refresh with a fetcher that only tells what it would ask, as far as the answers are known; nothing is written.

    Raises StorageError.
    """
    reports = [StoreReport(store.name) for store in stores]
    for store, report in zip(stores, reports, strict=True):
        _Visit(catalogue, fetcher, store, report, None).rehearse()
    return reports


# The largest picture that is allowed, of 40 million pixels, takes 160 MB to decode, and 620 MB if any of it can be seen through:
# one at a time bounds it for all stores.
_decoding = threading.Lock()


class _Visit:
    """One run through one store."""

    def __init__(
        self, catalogue: Catalogue, fetcher: Fetcher, store: Store, report: StoreReport, on_store: OnStore | None
    ) -> None:
        self._catalogue = catalogue
        self._ledger = Ledger(catalogue)
        self._fetcher = fetcher
        self._store = store
        self._report = report
        self._on_store = on_store
        self._unchanged: dict[str, Known] = {}

    def run(self) -> None:
        report, listed, dead = self._report, set[str](), set[str]()
        self._fetcher.begin(self._store)
        try:
            try:
                for entry in entries(self._store, self._fetcher):
                    if entry.url in listed:  # products move between pages while they are read
                        continue
                    report.listed += 1
                    listed.add(entry.url)
                    if not self._take(entry):
                        dead.add(entry.url)
                    self._tell()
            finally:
                self._note_unchanged()
            if not listed - dead:
                raise StoreError(f"{self._store.name} listed nothing; what it sold before is left as it is")
            report.gone = self._ledger.retire(self._store.name, self._gone(listed, dead))
            self._fetcher.finish(self._store)
        except Exception as error:
            report.stopped = trouble(error)
        self._tell()

    def _gone(self, listed: set[str], dead: set[str]) -> set[str]:
        """What the store sold when it was last read, and does not list any more."""
        missing = self._ledger.listed(self._store.name) - listed
        if missing:
            # What moved to a page that had been read was missed, and is not gone: a second look at the list tells.
            self._fetcher.look_again(self._store)
            missing -= {entry.url for entry in entries(self._store, self._fetcher)}
        return missing | dead

    def rehearse(self) -> None:
        self._fetcher.begin(self._store)
        try:
            for entry in entries(self._store, self._fetcher):
                self._report.listed += 1
                try:
                    if self._due(entry) and (offer := _read(entry)) and self._differs(offer):
                        self._photos(offer)
                except NotAsked:
                    continue
                except (FetchFailed, NotAllowed) as error:
                    self._report.fail(entry.url, error)
        except NotAsked:
            pass  # what else the shop lists only a real run can tell
        except Exception as error:
            self._report.stopped = trouble(error)

    def _take(self, entry: Entry) -> bool:
        """Bring one product up to date; False when the shop no longer has it."""
        name, report = self._store.name, self._report
        if not self._due(entry):
            report.unchanged += 1
            return True
        now = self._fetcher.now()
        try:
            offer = _read(entry)
        except (FetchFailed, NotAllowed) as error:
            if isinstance(error, FetchFailed) and error.status in (404, 410):
                return False
            report.fail(entry.url, error)
            known = self._ledger.known(name, entry.url) or Known(None, "", now)
            # What failed for now is looked at again, and is then as new as it was.
            known = Known(entry.stamp, "", now) if _lasts(error) else replace(known, stamp=None)
            self._ledger.note(name, {entry.url: known})
            return True
        if offer is None:
            self._ledger.dismiss(name, entry.url, Known(entry.stamp, "nothing", now))
        elif not self._differs(offer):
            report.unchanged += 1
            self._unchanged[entry.url] = Known(entry.stamp, offer.fingerprint(), now)
            if len(self._unchanged) >= _TOGETHER:
                self._note_unchanged()
        else:
            self._keep(entry, offer, now)
        return True

    def _note_unchanged(self) -> None:
        self._ledger.note(self._store.name, self._unchanged)
        self._unchanged.clear()

    def _keep(self, entry: Entry, offer: Offer, now: float) -> None:
        name, report = self._store.name, self._report
        before, print_of = self._ledger.known(name, offer.url), offer.fingerprint()
        photos, whole = self._photos(offer)
        known = Known(entry.stamp, print_of, now) if whole else Known(None, _PARTIAL + print_of, now)
        if not photos and not self._ledger.addresses(name, offer.url):
            report.fail(offer.url, "no picture of it could be used; it is left out")
            self._ledger.note(name, {offer.url: known})
        elif self._ledger.keep(name, offer, photos, known):
            report.new += 1
        elif photos or before is None or before.fingerprint.removeprefix(_PARTIAL) != print_of:
            report.changed += 1
        else:
            report.unchanged += 1
        report.pictures += len(photos)

    def _photos(self, offer: Offer) -> tuple[list[Photo], bool]:
        """The photos of an offer that are not kept yet; and whether all were had that can be."""
        kept: list[Photo] = []
        whole = True
        have = self._ledger.addresses(self._store.name, offer.url)
        for address in offer.pictures:
            if address in have:
                continue
            try:
                data = self._fetcher.get(self._store, address, PICTURE)
                with _decoding:
                    picture = pictures.load(data, name="the picture")
                    seen = signature(picture)
                    known = [*kept, *self._ledger.photos(self._store.name, offer.url)]
                    same = same_picture(seen, [photo.signature for photo in known])
                    if same.any():  # another file of a photo that is there: that photo now comes from this address
                        kept.append(replace(known[int(same.argmax())], address=address))
                    else:
                        hash_of_file = keep_photo(self._catalogue.folder, picture)
                        kept.append(Photo(address, pictures.digest(picture), hash_of_file, seen))
            except NotAsked:
                continue
            except BudgetSpent:
                raise
            except (FetchFailed, NotAllowed, PictureError, StoreClosed) as error:
                # A host that shows the pictures of several shops may have closed for another one's; prices can still be read.
                self._report.fail(address, error)
                whole = whole and _lasts(error)
        return kept, whole

    def _due(self, entry: Entry) -> bool:
        """Whether an entry has to be looked at: not when the shop stamped it as it did last time, and not long ago."""
        if entry.stamp is None:
            return True
        known = self._ledger.known(self._store.name, entry.url)
        return known is None or known.stamp != entry.stamp or self._fetcher.now() - known.checked >= _RECHECK

    def _differs(self, offer: Offer) -> bool:
        known = self._ledger.known(self._store.name, offer.url)
        return known is None or known.fingerprint != offer.fingerprint()

    def _tell(self) -> None:
        self._report.requests = self._fetcher.requests.get(self._store.name, 0)
        if self._on_store:
            self._on_store(self._report)


def _read(entry: Entry) -> Offer | None:
    """The offer with the pictures that are kept of it: when one beyond them comes or goes, it is the same."""
    offer = entry.read()
    return offer and replace(offer, pictures=offer.pictures[:PICTURES])


def _lasts(error: Exception) -> bool:
    """Whether asking again soon would be no use."""
    # What is not allowed costs no request to try again, and the person may have mended the store's entry.
    return isinstance(error, PictureError) or (isinstance(error, FetchFailed) and error.lasting)
