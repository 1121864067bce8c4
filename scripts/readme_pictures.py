"""Make the pictures of the README: 64 random seeds, 12 edits of three sneakers, and the studio after it was told "gum sole and wings".

python -m scripts.readme_pictures [--out docs]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import tempfile
from pathlib import Path

from tqdm import tqdm

from dreamkicks.painter.grammar import random_prompt
from dreamkicks.painter.painter import open_painter
from scripts.lib.sheet import sheet

EDITS = (
    "make it red", "navy upper", "gum sole", "black sole", "white sole", "orange stripes",
    "green toe", "yellow heel", "high-top", "low-top", "chunkier sole", "patterned",
)  # fmt: skip
STARTS = (("a white low-top with a white sole", 1), ("a blue high-top with a white sole", 4), ("grey runner", 11))


async def studio(file: Path) -> None:
    """The studio as a terminal with half-cell pictures shows it."""
    from dreamkicks import settings
    from dreamkicks.studio import Studio
    from dreamkicks.tui.app import StudioApp

    with tempfile.TemporaryDirectory() as home:
        os.environ["DREAMKICKS_HOME"] = home
        one = Studio(settings.load())
        one.imagine("a navy mid-top with orange stripes and a white sole", 5)
        one.edit("gum sole and wings", 5)
        app = StudioApp(one, "halfcell")
        async with app.run_test(size=(116, 34)) as pilot:
            await pilot.pause(2)
            shot = app.export_screenshot(title="dreamkicks")
    # Without the web fonts that it names: a picture asks nobody for anything.
    file.write_text(re.sub(r"@font-face \{.*?\}", "", shot, flags=re.DOTALL) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    out = parser.parse_args().out
    out.mkdir(exist_ok=True)
    painter = open_painter()
    dreams = [
        painter.imagine(random_prompt(random.Random(seed)), seed).picture for seed in tqdm(range(64), desc="dreams")
    ]
    sheet([dreams[row * 8 : row * 8 + 8] for row in range(8)]).save(out / "dreams.png", optimize=True)
    rows = []
    for prompt, seed in tqdm(STARTS, desc="edits"):
        start = painter.imagine(prompt, seed).picture
        rows.append([start, *(painter.edit(start, edit, seed).picture for edit in EDITS)])
    sheet(rows, ["", *EDITS]).save(out / "edits.png", optimize=True)
    asyncio.run(studio(out / "studio.svg"))


if __name__ == "__main__":
    main()
