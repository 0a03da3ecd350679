"""One direction of imports: each room stands above what it imports, and no two files import each other.

The table is the house: a room is a folder of `hybridq/`, or a file that stands alone; `cli` is the face.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"hybridq": "hybridq", "hybridq_cli": "cli"}  # package: folder
GROUND = {
    "__init__",
    "job",
    "reason",
    "sentences",
    "happenings",
    "errors",
    "when",
    "visible",
    "selection",
    "home",
    "seam",
    "audience",
    "lineage",
    "tmux",
    "installed",
    "files",
    "scrub",
}
MAY = {  # what a room imports besides itself and the ground
    "ground": set(),
    "config": set(),
    "brain": {"config"},
    "queue": {"brain", "config"},
    "handlers": {"brain", "config"},
    "outlook": {"queue", "brain", "config"},
    "report": {"queue", "brain"},
    "money": {"outlook", "queue", "brain", "config"},
    "simulate": {"report", "outlook", "queue", "brain", "config"},
    "status": {"money", "outlook", "queue", "brain", "config"},
    "hooks": {"report", "status", "handlers", "outlook", "queue", "brain", "config"},
    "pipe": {"submit", "money", "handlers", "outlook", "queue", "config"},
    "runner": {"hooks", "pipe", "submit", "status", "money", "handlers", "outlook", "queue", "brain", "config"},
    "service": {"config"},
    "metrics": {"money", "outlook", "queue", "brain", "config"},
    "doctor": {"hooks", "service", "queue", "brain", "config"},
    "submit": {"status", "money", "outlook", "queue", "brain", "config"},
    "demo": {"submit", "handlers", "outlook", "queue"},
    "asking": {"queue", "config"},
    "client": {"submit", "asking", "outlook", "queue", "brain", "config"},
}
PURE = {
    "brain",
    "job",
    "reason",
    "sentences",
    "happenings",
    "errors",
    "when",
    "visible",
}  # no clock, no chance, no file: what they know is passed in
CLOCKS = {"time", "random", "sqlite3", "subprocess", "socket", "os", "asyncio"}
SQL = re.compile(r"\b(SELECT|INSERT (OR|INTO)|UPDATE|DELETE FROM|WHERE|ORDER BY|IS (NOT )?NULL|PRAGMA|BEGIN)\b")


def name_of(path: Path) -> str:
    """A module's dotted name, as it is imported."""
    package, *parts = path.relative_to(ROOT).with_suffix("").parts
    package = {folder: name for name, folder in FOLDERS.items()}[package]
    return ".".join((package, *parts)).removesuffix(".__init__")


def room_of(name: str) -> str:
    """The room of a module: its folder, or itself."""
    package, *rest = name.split(".")
    if package == "hybridq_cli":
        return "cli"
    return "ground" if not rest or rest[0] in GROUND else rest[0]


FILES = {name_of(path): path for folder in FOLDERS.values() for path in sorted((ROOT / folder).rglob("*.py"))}
LIBRARY = [name for name in FILES if room_of(name) != "cli"]
FACE = [name for name in FILES if room_of(name) == "cli"]


def nodes(name: str) -> Iterator[ast.AST]:
    """Everything in a file."""
    return ast.walk(ast.parse(FILES[name].read_text()))


def imports(name: str) -> tuple[set[str], set[str]]:
    """(modules of the product, other top-level modules) that a file imports, wherever in it."""
    own: set[str] = set()
    other: set[str] = set()
    here = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
    for node in nodes(name):
        if isinstance(node, ast.Import):
            other |= {alias.name.split(".")[0] for alias in node.names}
        if not isinstance(node, ast.ImportFrom):
            continue
        base = here[: len(here) - node.level + 1] if node.level else []
        target = ".".join([*base, *([node.module] if node.module else [])])
        if target.split(".")[0] not in FOLDERS:
            other.add(target.split(".")[0])
            continue
        own |= {inner if (inner := f"{target}.{alias.name}") in FILES else target for alias in node.names}
    return own - {name}, other


def statements(name: str) -> list[str]:
    """The texts of a file that are SQL or a piece of it; what documents it is none."""
    documentation = {id(node.value) for node in nodes(name) if isinstance(node, ast.Expr)}
    texts = [node for node in nodes(name) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node.value for node in texts if id(node) not in documentation and SQL.search(node.value)]


@pytest.mark.parametrize("name", LIBRARY)
def test_each_room_stands_above_what_it_imports(name: str) -> None:
    """A module imports its own room, the ground, and the rooms that the table names: no arrow points back up."""
    room = room_of(name)
    assert {room_of(other) for other in imports(name)[0]} <= {room, "ground", *MAY[room]}


def test_the_table_has_no_circle() -> None:
    """The rooms can be put in one order, each after what it may import; each stands in the table."""
    assert list(TopologicalSorter(MAY).static_order())
    assert {room_of(name) for name in LIBRARY} == set(MAY)


def test_no_two_files_import_each_other() -> None:
    """Nor does any file import itself by way of others, also where the import stands inside a function."""
    assert list(TopologicalSorter({name: imports(name)[0] for name in FILES}).static_order())


@pytest.mark.parametrize("name", [name for name in LIBRARY if [*name.split("."), ""][1] in PURE])
def test_what_is_pure_asks_no_clock(name: str) -> None:
    """The brain and the plain data ask no clock, no chance, no file: what they know is passed in."""
    assert not imports(name)[1] & CLOCKS


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_knows_nothing_of_its_face(name: str) -> None:
    """No rich, no typer, no printing, no exiting in `hybridq/`; processes only by the hands and the service."""
    other = imports(name)[1]
    assert not other & {"rich", "typer", "click"}
    # programs of their own, which answer on stdout
    program = name in {"hybridq.demo.digest", "hybridq.handlers.worker.callee"}
    called = {node.func.id for node in nodes(name) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert program or not called & {"print", "exit", "input"}
    if room_of(name) not in {"handlers", "demo", "service"}:
        assert "subprocess" not in other


@pytest.mark.parametrize("name", [name for name in FILES if room_of(name) != "queue"])
def test_only_the_queue_speaks_sql(name: str) -> None:
    """Elsewhere stands no statement, nor a piece of one, and nobody opens a database."""
    assert not imports(name)[1] & {"sqlite3", "sqlite_utils"}
    assert statements(name) == []


@pytest.mark.parametrize("name", FACE)
def test_the_face_starts_no_process(name: str) -> None:
    """The command line parses, calls the library and renders."""
    assert "subprocess" not in imports(name)[1]


def test_only_the_one_writing_path_begins_a_transaction() -> None:
    """`BEGIN` stands in the store and, for a file that nobody sees yet, in the schema."""
    found = {name for name in LIBRARY if '"BEGIN' in FILES[name].read_text()}
    assert found == {"hybridq.queue.store", "hybridq.queue.schema"}
