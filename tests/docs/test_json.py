"""What `hybridq help json --schema` promises is what each command prints, and stays so within a version."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hybridq_cli.commands import COMMANDS, within
from hybridq_cli.help import fields
from hybridq_cli.help.schema import LINES, SHAPES, VERSION, schema
from tests.cli.test_output import WORKERS
from tests.support.user import Queue

KEPT = Path(__file__).with_name(f"json-{VERSION}.json")
PRINTED = {  # the command lines, by what they are to show
    "submit a job": ("submit", "--detach", "--mode", "batch", "--", "true"),
    "submit what is there": ("submit", "--key", "k", "--detach", "--mode", "batch", "--", "true"),
    "submit nothing new": ("submit", "echo", "--jsonl", "keyed.jsonl"),
    "foretell": ("submit", "--dry-run", "echo", "x"),
    "status": ("status", "--all"),
    "show a done job": ("show", "1"),
    "show a failed job": ("show", "2"),
    "show a group": ("show", "g"),
    "show one that waits": ("show", "5"),
    "explain a job": ("explain", "1"),
    "explain a group": ("explain", "g"),
    "output": ("output", "g"),
    "output of what is no text": ("output", "1"),
    "follow a job": ("follow", "2"),
    "follow a group": ("follow", "g"),
    "wait": ("wait", "g"),
    "export": ("export",),
    "cancel": ("cancel", "5"),
    "retry": ("retry", "6"),
    "drain": ("drain", "--group", "g"),
    "schedule": ("schedule",),
    "clean": ("clean", "g", "--dry-run"),
    "simulate": ("simulate", "--days", "0.02"),
    "service": ("service", "status"),
    "doctor": ("doctor",),
    "back up": ("backup", "again.tar"),
    "restore": ("restore", "--force", "made.tar"),
    "report": ("report",),
    "list handlers": ("handlers",),
    "check handlers": ("handlers", "--check"),
    "config": ("config",),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Queue:
    """Job 1 is done, 2 failed; of group g (3 and 4) the second failed; 5 waits, 6 is cancelled."""
    made = Queue(tmp_path_factory.mktemp("json"), WORKERS)
    made.run("submit", "--wait", "--", "sh", "-c", "printf '\\377'; echo no >&2")
    made.run("submit", "--wait", "--", "sh", "-c", "echo out; exit 3")
    (made.folder / "keyed.jsonl").write_text('{"input": {"a": 1}, "key": "a"}\n{"input": "bad", "key": "b"}\n')
    made.run("submit", "echo", "--group", "g", "--mode", "batch", "--jsonl", str(made.folder / "keyed.jsonl"))
    made.run("drain")
    made.run("submit", "--detach", "--key", "k", "--mode", "batch", "--deadline", "20h", "--", "true", cwd=made.folder)
    made.run("submit", "--detach", "--mode", "batch", "--deadline", "20h", "--", "true")
    made.run("cancel", "6")
    made.run("schedule", "add", "nightly", "@nightly", "--mode", "batch", "--", "true")
    made.run("schedule", "run", "nightly")
    made.run("backup", "made.tar", cwd=made.folder)
    return made


@cache
def strict() -> dict[str, Any]:
    """The schema, by which a field that it does not name is a mistake."""
    found = schema()
    for part in found["$defs"].values():
        if "properties" in part:
            part["additionalProperties"] = False
    return found


def check(command: str, document: Any) -> None:
    """Fails where this is not what the command is to print."""
    found = strict()
    Draft202012Validator({"$ref": f"#/$defs/{command}", "$defs": found["$defs"]}).validate(document)


@pytest.mark.parametrize("words", PRINTED.values(), ids=PRINTED)
def test_what_is_printed_is_what_is_promised(ran: Queue, words: tuple[str, ...]) -> None:
    """Each document has the fields and types of the schema, all of them and no other."""
    command, *more = words
    done = ran.run(command, *(() if command == "export" else ("--json",)), *more, cwd=ran.folder)
    documents = done.stdout.splitlines() if command in LINES else [done.stdout]
    assert documents, done.stderr
    for document in documents:
        check(command, json.loads(document))


@pytest.mark.parametrize("word", ["show", "pause", "resume", "edit", "run", "remove"])
def test_what_the_commands_of_schedule_print_is_promised(ran: Queue, word: str) -> None:
    """Each has a shape of its own."""
    name = f"of-{word}"
    check("schedule-add", json.loads(ran.run("schedule", "add", name, "@nightly", "--json", "--", "true").stdout))
    more = ("--priority", "1") if word == "edit" else ()
    check(f"schedule-{word}", json.loads(ran.run("schedule", word, name, "--json", *more).stdout))


def test_the_log_of_a_daemon_is_as_promised(tmp_path: Path) -> None:
    """Each line of `daemon --json-logs` is one event."""
    with Queue(tmp_path, "").start("daemon", "--json-logs") as process:
        assert process.stderr
        check("daemon", json.loads(process.stderr.readline()))


def test_each_command_with_json_has_its_shape() -> None:
    """The schema names each command that prints JSON, and no other."""
    assert COMMANDS.keys() - SHAPES.keys() == {"completions", "help", "metrics"}
    inner = {name for command in COMMANDS for name in within(command)}
    assert SHAPES.keys() - COMMANDS.keys() == inner


def test_each_field_is_explained_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field has its sentence; none is left for a field that is gone."""
    found = schema()["$defs"]
    pairs = {(name, field) for name, part in found.items() for field in part.get("properties", ())}
    own = {f"{name}.{field}" for name, field in pairs} & fields.OTHERWISE.keys()
    general = {field for name, field in pairs if f"{name}.{field}" not in own}
    assert own == fields.OTHERWISE.keys()
    assert {field for field in general if not (field.endswith("_kind") and field[:-5] in general)} <= set(fields.FIELDS)
    assert set(fields.FIELDS) <= general


def test_the_schema_is_one_and_is_printed(ran: Queue) -> None:
    """`help json --schema` prints the very schema, which is a valid one; no other topic has one."""
    printed = json.loads(ran.run("help", "json", "--schema").stdout)
    Draft202012Validator.check_schema(printed)
    assert printed == schema()
    assert ran.run("help", "words", "--schema").returncode == 64


def test_within_a_version_nothing_is_taken_away() -> None:
    """Whatever a program reads by the schema that was released is there still, and of no other type."""
    now = schema()["$defs"]
    for name, part in json.loads(KEPT.read_text())["$defs"].items():
        assert name in now
        if "properties" not in part:
            assert name not in SHAPES or words_of(part) <= words_of(now[name])
            continue
        for field, shape in part["properties"].items():
            assert types_of(now[name]["properties"][field]) <= types_of(shape), f"{name}.{field}"
        assert set(part["required"]) <= set(now[name]["required"])


def test_what_is_kept_of_a_version_knows_all_of_it() -> None:
    """A new field is promised from its release on: python -m tests.docs.test_json writes what is kept."""
    assert bare(json.loads(KEPT.read_text())) == bare(schema())


def types_of(shape: dict[str, Any]) -> set[str]:
    """What a value may be."""
    return {json.dumps(bare(each), sort_keys=True) for each in shape.get("anyOf", [bare(shape)])}


def words_of(part: dict[str, Any]) -> set[str]:
    """The parts that one refers to."""
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(part)))


def bare(shape: Any) -> Any:
    """Without descriptions, which may be worded anew."""
    if isinstance(shape, list):
        return [bare(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    return {key: bare(value) for key, value in shape.items() if key != "description" or isinstance(value, dict)}


if __name__ == "__main__":
    KEPT.write_text(json.dumps(bare(schema()), indent=1, sort_keys=True) + "\n")
