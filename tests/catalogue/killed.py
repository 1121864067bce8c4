"""Kills imports at random moments: `python -m tests.catalogue.killed FOLDER MOMENTS`, with pictures in FOLDER/pictures.

Prints a line for each moment: how many products were there after the kill, and what was wrong ("" when nothing was).
A process of its own, because it forks.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import import_products
from tests.catalogue.palette import PaletteEncoder, content, patchwork


def bring_in(folder: Path, pictures: Path) -> None:
    catalogue = Catalogue(folder)
    import_products(catalogue, PaletteEncoder(), pictures)
    catalogue.close()


def troubles(folder: Path, pictures: Path, whole: list[tuple[object, ...]]) -> tuple[int, str]:
    catalogue, encoder = Catalogue(folder), PaletteEncoder()
    kept = content(catalogue)
    if not set(kept) <= set(whole):
        return len(kept), "holds something else"
    if bad := [problem.what for problem in catalogue.verify() if "not indexed" not in problem.what]:
        return len(kept), "; ".join(bad)
    catalogue.search(encoder.pictures([patchwork(0)])[0], encoder.identity, 3)
    catalogue.close()
    bring_in(folder, pictures)
    catalogue = Catalogue(folder)
    if content(catalogue) != whole or catalogue.verify() or not catalogue.in_step(encoder.identity):
        return len(kept), "the next import did not finish it"
    catalogue.close()
    return len(kept), ""


def main(folder: Path, moments: int) -> None:
    pictures, draw = folder / "pictures", random.Random(0)
    bring_in(folder / "whole", pictures)
    begun = time.perf_counter()
    bring_in(folder / "timed", pictures)  # the first one also imported modules, which took longer than all the rest
    seconds = time.perf_counter() - begun
    catalogue = Catalogue(folder / "whole")
    whole = content(catalogue)
    catalogue.close()
    for moment in range(moments):
        child = os.fork()
        if child == 0:
            bring_in(folder / str(moment), pictures)
            os._exit(0)
        time.sleep(seconds * draw.uniform(0, 1.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(*troubles(folder / str(moment), pictures, whole), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
