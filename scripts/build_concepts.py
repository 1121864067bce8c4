"""Paint the catalogue that ships: concept sneakers by the built-in painter, kept through the ordinary import.

python -m scripts.build_concepts [--count 420] [--out catalog]
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import shutil
import tempfile
from pathlib import Path

from tqdm import tqdm

from dreamkicks.catalogue.catalogue import Catalogue
from dreamkicks.catalogue.importer import COLUMNS, TABLE, import_products
from dreamkicks.catalogue.product import CONCEPTS
from dreamkicks.encoder.encoder import open_encoder
from dreamkicks.painter.grammar import random_prompt
from dreamkicks.painter.painter import open_painter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=420)
    parser.add_argument("--out", type=Path, default=Path("catalog"))
    arguments = parser.parse_args()
    draw = random.Random(2024)
    painter = open_painter()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        with open(folder / TABLE, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for number in tqdm(range(arguments.count), desc="paint"):
                prompt = random_prompt(draw)
                painter.imagine(prompt, number).picture.save(folder / f"{number:04d}.png")
                title = re.sub(r"^an? ", "", prompt)
                title = title[0].upper() + title[1:]
                writer.writerow({"file": f"{number:04d}.png", "brand": "Concept", "title": title, "store": CONCEPTS})
        made = arguments.out.with_suffix(".new")
        shutil.rmtree(made, ignore_errors=True)
        catalogue = Catalogue(made)
        report = import_products(catalogue, open_encoder(), folder / TABLE)
        if report.failed:
            raise SystemExit(f"{len(report.failed)} pictures were not taken: {report.failed[:3]}")
        print(catalogue.stats())
        catalogue.close()  # folds the write-ahead log into the one file that ships
        (made / "lock").unlink(missing_ok=True)
    shutil.rmtree(arguments.out, ignore_errors=True)
    made.rename(arguments.out)


if __name__ == "__main__":
    main()
