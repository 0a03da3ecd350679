"""One direction of imports: the brain and the data know nothing of the world, the library nothing of its face."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = {"job", "errors", "seam", "when", "visible", "__init__"}
BRAIN = {"tariff", "estimate", "policy", "settings.llm"}
BRAIN |= {f"brain.{path.stem}" for path in (ROOT / "hybridq" / "brain").glob("*.py")}
BRAIN_MAY = BRAIN | DATA | {"config"}
MEMORY = {"store", "schema"}
MEMORY |= {f"queue.{path.stem}" for path in (ROOT / "hybridq" / "queue").glob("*.py")}
MEMORY_MAY = MEMORY | BRAIN_MAY | {"__version__", "queue", "home", "outputs", "selection", "doorbell"}
SQL = re.compile(r"\b(SELECT|INSERT (OR|INTO)|UPDATE|DELETE FROM|WHERE|ORDER BY|IS (NOT )?NULL|PRAGMA|BEGIN)\b")
CLOCKS = {"time", "random", "sqlite3", "subprocess", "socket", "os", "asyncio"}


def imports(path: Path, package: str) -> tuple[set[str], set[str]]:
    """(modules of the product, other top-level modules) that a file imports, wherever in it."""
    own: set[str] = set()
    other: set[str] = set()
    here = [package, *path.relative_to(ROOT / ("cli" if package == "hybridq_cli" else package)).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(here[: len(here) - node.level + 1])
            names = [node.module] if node.module else [alias.name for alias in node.names]
            own |= {f"{base}.{name}" for name in names}
        elif isinstance(node, ast.ImportFrom) and node.module == "hybridq":
            own |= {f"hybridq.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            (own if node.module.startswith("hybridq") else other).add(node.module or "")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                (own if alias.name.startswith("hybridq") else other).add(alias.name)
    return own, {name.split(".")[0] for name in other}


def statements(path: Path) -> list[str]:
    """The texts of a file that are SQL or a piece of it; what documents it is none."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and id(node) not in documentation and SQL.search(node.value)]  # fmt: skip


LIBRARY = sorted((ROOT / "hybridq").rglob("*.py"))
FACE = sorted((ROOT / "cli").rglob("*.py"))


def name_of(path: Path) -> str:
    """A module's name below its package; of the face with `cli`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("hybridq.")


@pytest.mark.parametrize("path", [p for p in LIBRARY if name_of(p) in BRAIN | DATA - {"seam"}], ids=name_of)
def test_brain_and_data_import_only_each_other(path: Path) -> None:
    """The brain asks no clock, no chance, no file: what it knows is passed in."""
    own, other = imports(path, "hybridq")
    allowed = BRAIN_MAY if name_of(path) in BRAIN else DATA | ({"config"} if name_of(path) == "job" else set())
    assert {name.removeprefix("hybridq.") for name in own if name != "hybridq"} <= allowed
    assert not other & CLOCKS


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_library_knows_nothing_of_its_face(path: Path) -> None:
    """No rich, no typer, no cli, no printing, no exiting in `hybridq/`; processes only by the hands."""
    own, other = imports(path, "hybridq")
    assert not {name for name in own if name.startswith("hybridq_cli")}
    assert not other & {"rich", "typer", "click"}
    # programs of their own, which answer on stdout
    program = name_of(path) in {"demo.digest", "handlers.callee"}
    called = {node.func.id for node in ast.walk(ast.parse(path.read_text()))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    assert program or not called & {"print", "exit", "input"}
    if not name_of(path).startswith("handlers.") and name_of(path) not in {"demo.stage", "demo.play"}:
        assert "subprocess" not in other


@pytest.mark.parametrize("path", [p for p in LIBRARY if name_of(p) in MEMORY], ids=name_of)
def test_memory_knows_no_loop_no_hand_and_no_view(path: Path) -> None:
    """The store and the verbs beside it are told what to keep: they ask no policy, run nothing and draw nothing."""
    own, _ = imports(path, "hybridq")
    assert {name.removeprefix("hybridq.") for name in own if name != "hybridq"} <= MEMORY_MAY


@pytest.mark.parametrize("path", [p for p in LIBRARY + FACE if name_of(p) not in MEMORY], ids=name_of)
def test_only_memory_speaks_sql(path: Path) -> None:
    """Elsewhere stands no statement, nor a piece of one, and nobody opens a database."""
    _, other = imports(path, "hybridq_cli" if path in FACE else "hybridq")
    assert not other & {"sqlite3", "sqlite_utils"}
    assert statements(path) == []


@pytest.mark.parametrize("path", [p for p in LIBRARY if name_of(p).startswith("handlers.")], ids=name_of)
def test_hands_know_no_store_and_no_loop(path: Path) -> None:
    """A handler runs what it is given: it reads and writes no queue."""
    own, _ = imports(path, "hybridq")
    known = {name.removeprefix("hybridq.") for name in own}
    assert not {name for name in known if not name.startswith("handlers.")} - DATA - BRAIN - {"config", "handlers"}


UPWARDS = {  # what no module of a room imports
    "loops": {"views", "reporting", "simulation", "demo", "report", "simulate", "drain"},
    "views": {
        "handlers",
        "reporting",
        "simulation",
        "demo",
        "report",
        "simulate",
        "daemon",
        "drain",
        "stream",
        "batch",
    },
    "reporting": {"loops", "handlers", "views", "simulation", "demo", "daemon", "drain", "stream", "batch"},
    "simulation": {"loops", "handlers", "views", "demo", "daemon", "drain", "stream", "batch"},
}


@pytest.mark.parametrize("path", [p for p in LIBRARY if name_of(p).split(".")[0] in UPWARDS], ids=name_of)
def test_no_room_looks_up(path: Path) -> None:
    """What runs knows nothing of what shows or sums it up; what is shown, reported or simulated runs nothing."""
    own, _ = imports(path, "hybridq")
    room = name_of(path).split(".")[0]
    assert not {name.removeprefix("hybridq.").split(".")[0] for name in own} & UPWARDS[room]


@pytest.mark.parametrize("path", FACE, ids=name_of)
def test_the_face_starts_no_process(path: Path) -> None:
    """The command line parses, calls the library and renders."""
    _, other = imports(path, "hybridq_cli")
    assert "subprocess" not in other


def test_only_the_one_writing_path_begins_a_transaction() -> None:
    """`BEGIN` stands in the store and, for a file that nobody sees yet, in the schema."""
    found = {name_of(path) for path in LIBRARY if '"BEGIN' in path.read_text()}
    assert found == {"store", "schema"}
