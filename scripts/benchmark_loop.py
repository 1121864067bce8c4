"""Time the whole loop as a person meets it: cold commands in new processes, then the parts warm in one.

    python -m scripts.benchmark_loop [--runs 5]

Prints a Markdown table. Run it in an environment where dreamkicks is installed; nothing is written outside a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from tqdm import tqdm

from dreamkicks import settings
from dreamkicks.benchmark import measure_loop, timed
from dreamkicks.studio import Studio


def cold(arguments: list[str], folder: str, runs: int) -> float:
    """Median seconds of a command in a process of its own, after one run that fills the disk's cache."""
    command, home = [sys.executable, "-m", "dreamkicks", *arguments], {"DREAMKICKS_HOME": folder}
    return statistics.median(
        timed(
            lambda _: subprocess.run(command, cwd=folder, env=os.environ | home, check=True, capture_output=True), runs
        )
    )


def accepting(runs: int) -> float:
    """Median seconds from accept to findings, warm."""
    studio = Studio(settings.load())
    studio.imagine("red high-top", 1)
    return statistics.median(timed(lambda _: studio.accept(), runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each cold command; what is warm runs 20 times")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMKICKS_HOME"] = folder
        commands = {
            "`dreamkicks --help`, cold": ["--help"],
            "`dreamkicks generate`, cold": ["generate", "red high-top", "--seed", "1", "-o", "a.png"],
            "`dreamkicks search`, cold": ["search", "--text", "red high-top"],
            "`dreamkicks demo`, cold": ["demo", "--seed", "1"],
        }
        rows = {label: cold(arguments, folder, runs) for label, arguments in tqdm(commands.items())}
        rows |= {f"{timing.part}, warm": timing.median for timing in measure_loop(Studio(settings.load()), 20)}
        rows["accept to findings, warm"] = accepting(20)
    print("| step | median seconds |\n|---|---|")
    for label, seconds in rows.items():
        print(f"| {label} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
