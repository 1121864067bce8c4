from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "refresh_catalog.py"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, cwd=cwd)


def test_it_is_the_refresh(tmp_path: Path) -> None:
    shown = run("--help", cwd=tmp_path)
    assert shown.returncode == 0 and "--dry-run" in shown.stdout and "--strict" in shown.stdout
    unknown = run("no-such-shop", "--strict", cwd=tmp_path)
    assert unknown.returncode != 0 and "no-such-shop" in unknown.stderr and not unknown.stdout
