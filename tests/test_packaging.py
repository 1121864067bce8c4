"""The program finds what ships with it from a clone, from an editable install and from a wheel."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SHIPPED = ("catalog", "dreamkicks", "prompts", "weights", "pyproject.toml", "README.md", "LICENSE")
SCRIPT = """
import sys
sys.path[:] = [path for path in sys.path if path.rstrip("/") != {root!r}]
{enter}
import dreamkicks
from dreamkicks import locations
from dreamkicks.cli import main
print(dreamkicks.__file__, locations.weights(), locations.concepts(), locations.prompts(), sep="\\n")
assert main(["generate", "red high-top", "-o", {out!r}]) == 0
assert main(["search", {out!r}, "-k", "1"]) == 0
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has."""
    folder = tmp_path_factory.mktemp("clone")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_data"))
        else:
            shutil.copy(source, folder / name)
    return folder


def build(clone: Path, kind: str, out: Path) -> Path:
    """A wheel, or the one that stands for an editable install, unpacked."""
    script = f"import hatchling.build as b; print(b.build_{kind}({str(out)!r}))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=clone, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (file,) = out.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        wheel.extractall(out / "site")
    return out / "site"


def where(enter: str, tmp_path: Path) -> list[Path]:
    """Dream and search in a new process; returns where the package and its folders were found."""
    script = SCRIPT.format(root=str(ROOT), enter=enter, out=str(tmp_path / "a.png"))
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [Path(line) for line in ran.stdout.splitlines()[:4]]


def test_from_a_clone(clone: Path, tmp_path: Path) -> None:
    found = where(f"sys.path.insert(0, {str(clone)!r})", tmp_path)
    assert found == [clone / "dreamkicks/__init__.py", clone / "weights", clone / "catalog", clone / "prompts"]


def test_from_an_editable_install(clone: Path, tmp_path: Path) -> None:
    folder = build(clone, "editable", tmp_path)
    assert not (folder / "dreamkicks").exists()
    found = where(f"import site; sys.path[:0] = []; site.addsitedir({str(folder)!r})", tmp_path)
    assert found == [clone / "dreamkicks/__init__.py", clone / "weights", clone / "catalog", clone / "prompts"]


def test_from_a_wheel(clone: Path, tmp_path: Path) -> None:
    folder = build(clone, "wheel", tmp_path)
    found = where(f"sys.path.insert(0, {str(folder)!r})", tmp_path)
    data = folder / "dreamkicks/_data"
    assert found == [folder / "dreamkicks/__init__.py", data / "weights", data / "catalog", data / "prompts"]
    assert not {path.name for path in folder.iterdir()} & {"tests", "scripts", "weights"}


def imported(folder: Path) -> set[str]:
    """Top-level names that the code imports, wherever in a file."""
    names = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"dreamkicks", "scripts", "tests"}


def declared(*extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {plain(requirement.name): requirement for requirement in map(Requirement, lines)}


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


# diffusers imports accelerate for the presets that don't fit into memory; torchvision comes with open_clip.
UNSEEN = {"accelerate"}
BROUGHT = {"torchvision"}


def test_what_the_code_imports_is_declared_and_nothing_else() -> None:
    owners = packages_distributions()
    needed = {plain(owners[name][0]) for name in imported(ROOT / "dreamkicks")}
    assert needed - BROUGHT == declared().keys() - UNSEEN


def test_what_scripts_and_tests_import_is_declared() -> None:
    owners = packages_distributions()
    needed = {plain(owners[name][0]) for folder in ("scripts", "tests") for name in imported(ROOT / folder)}
    assert needed <= declared("train", "test", "lint").keys() | BROUGHT


def test_every_dependency_has_a_lower_bound_that_is_met_here() -> None:
    for name, requirement in declared("test", "lint", "train").items():
        assert requirement.specifier.contains(version(name), prereleases=True), requirement
        assert ">=" in {bound.operator for bound in requirement.specifier}, requirement


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "dreamkicks", "--version"], check=True)
    assert capfd.readouterr().out == f"dreamkicks {version('dreamkicks')}\n"
