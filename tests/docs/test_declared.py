"""What is imported is declared, so that the README's commands work on a machine that holds nothing else."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {
    "hybridq",
    "hybridq_cli",
    "tests",
    *(path.stem for path in (ROOT / "tests" / "support" / "workers").glob("*.py")),
}
BRINGS = packages_distributions()
FLOOR = re.compile(r"^([\w-]+)(?:\[.*\])?(?:.*?>=([\w.]+))?")


def wanted(*extras: str) -> dict[str, str]:
    """The distributions that an installation with these extras asks for itself, with their lowest releases."""
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            inner = re.fullmatch(r"([\w-]+)\[(.*)\]", line)
            if inner and plain(inner[1]) == plain(PROJECT["name"]):
                lines += [f"{name}>={low}" for name, low in wanted(*inner[2].split(",")).items()]
            else:
                lines.append(line)
    return {plain(found[1]): found[2] or "" for line in lines if (found := FLOOR.match(line))}


def plain(name: str) -> str:
    """A distribution's name, one of its spellings (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> set[str]:
    """The top-level modules of others that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - OURS - set(sys.stdlib_module_names)


def undeclared(path: Path, *extras: str) -> set[str]:
    """What a file imports that an installation with these extras does not bring by its own words."""
    known = wanted(*extras).keys()
    return {name for name in imported(path) if not known & set(map(plain, BRINGS.get(name, [name])))}


def files(folder: str) -> list[Path]:
    """The Python files of a folder of this repository."""
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", ["hybridq", "cli"])
def test_the_product_imports_what_it_asks_for(folder: str) -> None:
    """Its dependencies and its own extras, not what those happen to bring."""
    extras = [name for name in PROJECT["optional-dependencies"] if name != "test"]
    assert {str(path): names for path in files(folder) if (names := undeclared(path, *extras))} == {}


def test_the_tests_import_what_they_ask_for() -> None:
    """The extra `test` names all that they import; the measurements of others' programs are no tests."""
    paths = [path for path in files("tests") if "bench" not in path.parts]
    assert {str(path): names for path in paths if (names := undeclared(path, "test"))} == {}


def test_an_undeclared_import_is_seen(tmp_path: Path) -> None:
    """Also inside a function, and when something else happens to bring the module."""
    path = tmp_path / "x.py"
    path.write_text(
        "import json\ndef f():\n    import httpx2._client\n    from nowhere.at.all import it\nimport rich.text\n"
    )
    assert undeclared(path) == {"httpx2", "nowhere"}


def test_the_lowest_releases_are_those_that_are_allowed() -> None:
    """Each lower bound of pyproject.toml is a release of `constraints.txt`, with which CI runs the tests."""
    lines = (ROOT / "tests" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    lowest = {name: low for name, low in wanted("test").items() if low}
    assert {name: f"{low}.0.0".startswith(f"{lowest[name]}.") for name, low in pinned.items()} == dict.fromkeys(
        lowest, True
    )
