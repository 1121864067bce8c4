"""Time refreshes from a Shopify shop and a shop of pages that stand on this machine, and what a second refresh costs.

    python -m scripts.benchmark_refresh [--products 10000]

Prints a Markdown table for a tenth of the products and for all of them, each measured in a new process; the shops have processes of
their own. Nothing is written outside a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from dreamkicks import pictures
from dreamkicks.catalogue import refresh as refreshing
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.refresh import StoreReport
from dreamkicks.encoder.encoder import BUILTIN, Encoder, open_encoder
from dreamkicks.stores.cache import Cache
from dreamkicks.stores.fetcher import Fetcher
from tests.stores.apart import ShopApart, network_to
from tests.stores.fakeshop import Asked, FakeClock, Shoe, store_at

KINDS = ("shopify", "pages")
SIZE = (960, 640)
DAY = 86_400
FORBIDDEN = "/private/"
"""Where the shops' robots.txt lets nobody in."""
MEGABYTE = 1_000_000
PARTS = ("fetch", "decode", "keep", "embed", "index")
EXPLAINED = f"""\
The pauses that manners ask for pass on a clock of their own and cost nothing here. A real shop is asked about once a second, and the
host of its pictures four times; that, not this machine, is then the limit. Both shops run on this machine and draw their pictures
(JPEG, {SIZE[0]} x {SIZE[1]}, {refreshing.PICTURES} a product) as they are asked for them: they take part of the seconds, and none of
the memory. Shares are of the time that the three threads (one a shop, one that embeds) spend in these parts, which overlap: fetch has
TLS, the wait for the shop and reading its page; decode also comparing pictures; keep makes them smaller, waits until the disk has them,
and has the database. Before each further run a day passes; a page that the sitemap calls unchanged is not asked for within a week.
The last two rows are from the shops' own logs of all three runs: one picture of each shop is forbidden by its robots.txt, and what was
had before should be asked for only if it changed."""


@dataclass(frozen=True)
class Run:
    """One refresh: its requests, the pictures it embedded, and how long it took."""

    requests: int
    embedded: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """Three refreshes of one catalogue, a day apart; of the first also the peak memory (bytes) and the seconds in each part.

    By the shops' own logs of all three: requests for forbidden paths, and those for what was had before, without a condition.
    """

    products: int
    before: int
    peak: int
    parts: dict[str, float]
    first: Run
    unchanged: Run
    changed: Run
    forbidden: int
    again: int


class Stopwatch:
    """Seconds that threads spend in parts of the work. A part inside another one does not count for the outer one."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._guard = threading.Lock()
        self._thread = threading.local()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        outer, self._thread.inner = getattr(self._thread, "inner", 0.0), 0.0
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
            with self._guard:
                self.seconds[name] += took - self._thread.inner
            self._thread.inner = outer + took

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return work(*arguments, **named)

        return timed


class CountingEncoder:
    """The built-in encoder, which also tells how many pictures it saw."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.identity, self.dim, self.seen = encoder.identity, encoder.dim, 0

    def pictures(self, images: list[Image.Image]) -> np.ndarray:
        self.seen += len(images)
        return self._encoder.pictures(images)


def stock(kind: str, count: int, changed: int = 0) -> list[Shoe]:
    """What a shop sells: so many shoes, of which so many cost less than they did and show another first picture.

    The last picture of the last shoe may not be asked for.
    """
    shoes = [
        Shoe(
            f"{kind}-{number}",
            f"Runner {kind} {number}",
            price=f"{50 + number % 100}.00",
            pictures=[f"/pictures/{kind}-{number}-{view}.jpg" for view in range(refreshing.PICTURES)],
        )
        for number in range(count)
    ]
    shoes[-1].pictures[-1] = f"{FORBIDDEN}{kind}.jpg"
    for number in range(changed):
        shoe = shoes[number * count // changed]
        looks = [f"/pictures/new-{kind}-{number}.jpg", *shoe.pictures[1:]]
        shoes[number * count // changed] = replace(shoe, price="40.00", lastmod="2026-02-02", pictures=looks)
    return shoes


def watch_parts(watch: Stopwatch) -> None:
    """Time the parts of every refresh in this process."""
    for part, owner, name in (
        ("fetch", Fetcher, "get"),
        ("decode", pictures, "load"),
        ("decode", pictures, "digest"),
        ("decode", refreshing, "signature"),
        ("keep", refreshing, "keep_photo"),
        ("embed", CountingEncoder, "pictures"),
        ("index", Catalogue, "index"),
    ):
        setattr(owner, name, watch.timed(part, getattr(owner, name)))
    transaction = Catalogue.transaction

    @contextlib.contextmanager
    def timed(catalogue: Catalogue) -> Iterator[sqlite3.Connection]:
        with watch.part("keep"), transaction(catalogue) as base:
            yield base

    Catalogue.transaction = timed  # type: ignore[assignment, method-assign]


def measure(products: int) -> Figures:
    """Refresh a new catalogue three times, a day apart: everything is new, nothing has changed, 1 % has. Call it in a new process."""
    watch, clock, count = Stopwatch(), FakeClock(), products // 2
    encoder = CountingEncoder(open_encoder(BUILTIN))
    encoder.pictures([Image.new("RGB", SIZE)])
    before = peak_memory()
    watch_parts(watch)
    with contextlib.ExitStack() as shops:
        apart = {kind: shops.enter_context(ShopApart(stock(kind, count), SIZE)) for kind in KINDS}
        folder = Path(shops.enter_context(tempfile.TemporaryDirectory()))
        stores = [store_at(shop.port, kind) for kind, shop in apart.items()]
        catalogue = Catalogue(folder / "catalogue")

        def refresh(label: str) -> Run:
            clock.advance(DAY)
            seen = encoder.seen
            fetcher = Fetcher(Cache(folder / "shops.db", clock.now()), clock=clock, network=network_to(apart.values()))
            with tqdm(total=products, desc=f"{products:,} products, {label}") as bar:
                listed: dict[str, int] = {}

                def on_store(report: StoreReport) -> None:
                    listed[report.store] = report.listed
                    bar.update(sum(listed.values()) - bar.n)

                def on_index(done: int, of: int) -> None:
                    bar.set_postfix_str(f"{done} of {of} embedded")

                begun = time.perf_counter()
                reports = refreshing.refresh(catalogue, encoder, stores, fetcher, on_store, on_index)
                seconds = time.perf_counter() - begun
            fetcher.close()
            failed = [address for report in reports for address, _ in report.failed if FORBIDDEN not in address]
            if failed or any(report.stopped for report in reports):
                raise RuntimeError(f"a refresh that should go well did not: {reports}")
            return Run(sum(report.requests for report in reports), encoder.seen - seen, seconds)

        first = refresh("all new")
        peak, parts = peak_memory(), {part: watch.seconds[part] for part in PARTS}
        unchanged = refresh("unchanged")
        for kind, shop in apart.items():
            shop.sell(stock(kind, count, max(1, count // 100)))
        changed = refresh("1 % changed")
        catalogue.close()
        logs = {kind: shop.log() for kind, shop in apart.items()}
    forbidden = sum(one.path.startswith(FORBIDDEN) for log in logs.values() for one in log)
    again = sum(bare_repeats(log) for log in logs.values())
    return Figures(products, before, peak, parts, first, unchanged, changed, forbidden, again)


def bare_repeats(log: list[Asked]) -> int:
    """How many requests were for an address that had been asked for before, and named no version that is known of it."""
    bare = [(one.host, one.path) for one in log if not one.headers.keys() & {"if-none-match", "if-modified-since"}]
    return len(bare) - len(set(bare))


def peak_memory() -> int:
    """Bytes that this process had at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def apart(products: int) -> Figures:
    """Measure in a process of its own, so that memory of one measurement is not that of the next."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, products).result()


def column(figures: Figures) -> dict[str, str]:
    """The cells of one measurement by the label of their row."""
    first, parts = figures.first, figures.parts
    cells = {
        "pictures": f"{first.embedded:,}",
        "seconds": f"{first.seconds:,.1f}",
        "products a second": f"{figures.products / first.seconds:.1f}",
        "pictures a second": f"{first.embedded / first.seconds:.1f}",
        **{f"share of {part}": f"{seconds / sum(parts.values()):.0%}" for part, seconds in parts.items()},
        "memory before it begins, MB": f"{figures.before / MEGABYTE:.0f}",
        "peak memory, MB": f"{figures.peak / MEGABYTE:.0f}",
    }
    for label, run in (("unchanged", figures.unchanged), ("1 % changed", figures.changed)):
        cells[f"{label}: requests"] = f"{run.requests:,} ({run.requests / first.requests:.2%} of {first.requests:,})"
        cells[f"{label}: pictures embedded"] = f"{run.embedded:,} ({run.embedded / first.embedded:.2%})"
        cells[f"{label}: seconds"] = f"{run.seconds:.1f} ({run.seconds / first.seconds:.2%})"
    cells["forbidden paths asked"] = f"{figures.forbidden:,}"
    cells["asked again without a condition"] = f"{figures.again:,}"
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=10_000)
    products = parser.parse_args().products
    columns = {f"{count:,} products": column(apart(count)) for count in (products // 10, products)}
    print(f"| | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|", sep="\n")
    for label in next(iter(columns.values())):
        print(f"| {label} | {' | '.join(cells[label] for cells in columns.values())} |")
    print(f"\n{EXPLAINED}")


if __name__ == "__main__":
    main()
