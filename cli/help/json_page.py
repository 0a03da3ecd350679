"""The page `json`: what each command prints with `--json`, field by field, made from the schema."""

from collections.abc import Iterator
from typing import Any

from .schema import ARRAYS, LINES, SHAPES, VERSION, key, schema

_INTRODUCTION = f"""# JSON

`--json` prints one document; `output`, `follow`, `export` and `log` print one object per line. Ids are numbers, times
are epoch seconds (UTC), durations are seconds, and money is a number. An unknown value is null. A reason is a sentence;
its kind (`reason_kind`, `why_kind`) is a word or two that stay the same whatever its numbers are. Errors go to standard
error, and the exit code stays the same.

This is version {VERSION}. Within a version, fields are added, but none changes its type or goes: ignore those that you
do not know. `hybridq help json --schema` prints all of it as a JSON Schema.

In CSV (`export --format csv`) the columns are the fields of `JobRecord`. There, times are text in UTC, such as
`2026-11-30T22:00:00.000Z`, a command is written as you would type it, a text is itself, anything else is JSON, and null
is empty. Fields may be long: Python's `csv` needs `csv.field_size_limit(2**31 - 1)`.

An output that is not UTF-8 text is in `base64`, and `output` is null. If a command printed more than 1,048,576 bytes,
`export` gives only the path, as `output_file`. A file's name that is not UTF-8 is written with escapes such as
`\\udcff`, from which Python's `os.fsencode` makes its bytes again.
"""
_TYPES = {"integer": "number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}


def page() -> str:
    """The whole page, as Markdown."""
    parts = schema()["$defs"]
    commands = {key(name) for name in SHAPES}
    shapes = [f"## {name}\n\n{_section(parts[name])}" for name in parts if name not in commands]
    return "\n".join([_INTRODUCTION, *_commands(), "", *shapes])


def _commands() -> Iterator[str]:
    yield "| command | its JSON |"
    yield "|---|---|"
    for name, kinds in SHAPES.items():
        shapes = ", ".join(f"`{kind.__name__}`" for kind in kinds)
        option = " --json-logs" if name == "daemon" else "" if name == "export" else " --json"
        how = "a list of " if name in ARRAYS else "per line: " if name in LINES else ""
        yield f"| `{name}{option}` | {how}{shapes} |"


def _section(part: dict[str, Any]) -> str:
    said = part["description"].replace("None", "null")
    if "enum" in part:
        return f"{said} One of {', '.join(f'`{word}`' for word in part['enum'])}.\n"
    rows = [
        f"| `{name}` | {_type(field)} | {field['description']} |".replace("  |", " |")
        for name, field in part["properties"].items()
    ]
    return "\n".join([said, "", "| field | type | meaning |", "|---|---|---|", *rows, ""])


def _type(shape: dict[str, Any]) -> str:
    """In words: `number or null`, `list of Row`."""
    if "anyOf" in shape:
        return " or ".join(_type(each) for each in shape["anyOf"])
    if "$ref" in shape:
        return f"`{shape['$ref'].rpartition('/')[2]}`"
    if "enum" in shape:
        return " or ".join(f"`{word}`" for word in shape["enum"])
    kind = shape.get("type", "any JSON")
    if kind == "array":
        items = shape.get("items")
        return f"list of {_type(items)}" if items else f"{len(shape['prefixItems'])} values"
    if kind == "object":
        of = shape.get("additionalProperties")
        return f"object of {_type(of)}" if of else "object"
    return _TYPES.get(kind, str(kind))
