"""Kills refreshes at random moments: `python -m tests.catalogue.killed_refresh FOLDER MOMENTS [SEED]`.

Each begins with yesterday's catalogue, is killed, read, and gone on with. Prints a line of JSON for each moment: how much of a
whole run was done, how many searches were made meanwhile, and what was wrong. A process of its own, because it forks.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from dreamkicks.catalogue import refresh as refreshing
from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.stores.cache import Cache
from dreamkicks.stores.fetcher import Fetcher
from tests.catalogue.ledgers import ledger_of
from tests.catalogue.palette import PaletteEncoder, patchwork
from tests.stores.apart import ShopApart, network_to
from tests.stores.fakeshop import FakeClock, Shoe, store_at

DAY = 86_400
IN_FLIGHT = 10
"""Requests that a kill may waste: of each of two shops one that was under way, and a product's pictures."""


def stock(day: int) -> list[Shoe]:
    """40 shoes; a day later some are gone, some are new, some cost or look different."""
    shoes = [Shoe(f"shoe-{n}", f"Runner {n}", price=f"{100 + n}") for n in range(40)]
    if day == 0:
        return shoes[:34]
    for n in range(5, 40, 4):
        shoes[n] = replace(shoes[n], price="77", lastmod="2026-02-02")
    for n in range(6, 40, 4):
        shoes[n] = replace(shoes[n], pictures=[f"/pictures/new-{n}.jpg", *shoes[n].pictures], lastmod="2026-02-02")
    return shoes[5:]


def bring_in(folder: Path, shop: ShopApart, day: int) -> int:
    """Refresh from both layouts of the shop; returns the requests that it took."""
    refreshing.INDEX_EVERY = 8
    clock = FakeClock(day * DAY)
    catalogue = Catalogue(folder / "catalogue")
    fetcher = Fetcher(Cache(folder / "shops.db", clock.now()), clock=clock, network=network_to([shop]))
    stores = [store_at(shop.port, kind) for kind in ("shopify", "pages")]
    reports = refreshing.refresh(catalogue, PaletteEncoder(), stores, fetcher)
    fetcher.close()
    catalogue.close()
    if any(report.stopped or report.failed for report in reports):
        raise RuntimeError(f"a refresh that should go well did not: {reports}")
    return sum(report.requests for report in reports)


def look(folder: Path) -> str:
    """Search as a reader does; what was wrong with it."""
    encoder = PaletteEncoder()
    try:
        catalogue = Catalogue(folder / "catalogue")
        found = catalogue.search(encoder.pictures([patchwork(0)])[0], encoder.identity, 20)
        missing = [finding.product.title for finding in found if not finding.product.photo.is_file()]
        catalogue.close()
    except Exception as error:  # whatever a reader meets is what is looked for
        return f"a reader failed: {error!r}"
    return "" if len(found) == 20 and not missing else f"a reader found {len(found)}, without a photo: {missing}"


def read(folder: Path) -> tuple[dict[str, list[tuple[object, ...]]], list[str]]:
    """The content, and what is wrong with it; an index that is behind is not, before the next run."""
    catalogue = Catalogue(folder / "catalogue")
    content, problems = ledger_of(catalogue), [problem.what for problem in catalogue.verify()]
    catalogue.close()
    return content, problems


def main(folder: Path, moments: int, seed: int) -> None:
    draw = random.Random(seed)
    with ShopApart(stock(0)) as shop:
        bring_in(folder / "yesterday", shop, 0)
        shop.sell(stock(1))
        shutil.copytree(folder / "yesterday", folder / "whole")
        requests = bring_in(folder / "whole", shop, 1)
        whole, problems = read(folder / "whole")
        shop.log()
        for number in range(moments):
            place = folder / str(number)
            shutil.copytree(folder / "yesterday", place)
            goal, asked, searches, trouble = draw.uniform(0, requests), 0, 0, set(problems)
            child = os.fork()
            if child == 0:
                bring_in(place, shop, 1)
                os._exit(0)
            while asked < goal and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                trouble.add(look(place))
                searches += 1
                asked += len(shop.log())
                time.sleep(0.01)  # somebody reads what was found; where processors are few, the refresh has its turn
            time.sleep(draw.uniform(0, 0.1))  # so that it falls anywhere between two requests, or after the last one
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            asked += len(shop.log())
            trouble |= {look(place)} | {problem for problem in read(place)[1] if "not indexed" not in problem}
            again = bring_in(place, shop, 1)
            shop.log()
            content, after = read(place)
            trouble |= set(after) | {f"{name} differs" for name in whole if content[name] != whole[name]}
            if asked + again > requests + IN_FLIGHT:
                trouble.add(f"asked {asked} + {again} times where {requests} are enough")
            done = {"done": asked / requests, "searches": searches, "trouble": sorted(trouble - {""})}
            print(json.dumps(done), flush=True)
            shutil.rmtree(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
