"""The JSON Schema of what each command prints with `--json`, made from the very Structs that are printed.

Rule: types and fields come from the code, so they cannot be wrong; only the sentences stand here. Within a VERSION
fields are added, none changes its type or goes: `tests/docs/json-1.json` is what a program may rely on.
"""

from typing import Any

import msgspec

from hybridq.demo.measured import Measured
from hybridq.queue.restore import Restored
from hybridq.report.report import Report
from hybridq.service.manager import ServiceState
from hybridq.simulate.simulation import Rehearsal
from hybridq.status.detail import Detail, Explanation
from hybridq.status.recurring import Recurring, ScheduleDetail
from hybridq.status.snapshot import Snapshot

from .. import documents as of
from .fields import sentence

VERSION = 1
SHAPES: dict[str, tuple[type[msgspec.Struct], ...]] = {  # by command; any of them
    "submit": (of.Submitted, of.Nothing, of.Planned),
    "pipe": (of.PipedItem, of.Changed, of.Printed, of.Kept, of.Drafted, of.Ended),
    "status": (Snapshot,),
    "show": (Detail,),
    "explain": (Explanation,),
    "output": (of.JobOutput,),
    "follow": (of.Changed, of.Printed, of.Kept, of.Drafted, of.Ended, of.GroupProgress),
    "wait": (of.Awaited,),
    "export": (of.JobRecord,),
    "cancel": (of.Cancelled,),
    "retry": (of.Retried,),
    "schedule": (Recurring,),
    **dict.fromkeys((f"schedule {word}" for word in ("add", "show", "pause", "resume", "edit")), (ScheduleDetail,)),
    "schedule run": (of.Submitted,),
    "schedule remove": (of.Unscheduled,),
    "edit": (of.Edited,),
    "pause": (of.PausedNow,),
    "resume": (of.Resumed,),
    "limit": (of.LimitsNow,),
    "clean": (of.CleanedAway,),
    "daemon": (of.LogLine,),
    "log": (of.LogLine,),
    "drain": (of.Drained,),
    "simulate": (Rehearsal,),
    "report": (Report,),
    "service": (ServiceState,),
    "doctor": (of.Examined,),
    "backup": (of.BackupFile,),
    "restore": (Restored,),
    "handlers": (of.Listed,),
    "hooks": (of.Hook, of.Tried),
    "config": (of.Configuration,),
    "demo": (Measured,),
}
LINES = frozenset({"pipe", "output", "follow", "export", "daemon", "log"})  # print an object a line
ARRAYS = frozenset({"handlers", "hooks", "schedule"})  # print an array of objects
_SPARSE = frozenset({"Listed"})  # leave out what is empty
_REASON = "hybridq.reason.Reason"  # printed as a sentence, with its kind beside it
_TEXT: dict[str, Any] = {"type": "string"}
_NULL: dict[str, Any] = {"type": "null"}


def schema() -> dict[str, Any]:
    """All of it: `$defs` has what each command prints by the command's name, and the parts of that by theirs."""
    kinds = [kind for shapes in SHAPES.values() for kind in shapes]
    _, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    del parts[_REASON]
    told = {name.rpartition(".")[2]: _part(name.rpartition(".")[2], part) for name, part in parts.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:hybridq:json:{VERSION}",
        "title": "What hybridq prints as JSON",
        "version": VERSION,
        "$defs": {**{key(name): _command(name) for name in SHAPES}, **dict(sorted(told.items()))},
    }


def key(command: str) -> str:
    """What stands for a command in `$defs`: `schedule-add`."""
    return command.replace(" ", "-")


def _command(name: str) -> dict[str, Any]:
    refs = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in SHAPES[name]]
    one = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"type": "array", "items": one} if name in ARRAYS else one


def _part(name: str, part: dict[str, Any]) -> dict[str, Any]:
    """A Struct as it is printed: with all its fields, but those that are left out while they are empty."""
    told: dict[str, Any] = {"description": " ".join(part.get("description", "").split())}
    if "enum" in part:
        return {**told, "type": "string", "enum": part["enum"]}
    fields: dict[str, Any] = {}
    for field, found in part["properties"].items():
        shape = _plain(found)
        if found.get("$ref", "").endswith(f"/{_REASON}") or shape == {"anyOf": [{"$ref": f"#/$defs/{_REASON}"}, _NULL]}:
            said = _TEXT if "$ref" in found else {"anyOf": [_TEXT, _NULL]}
            fields |= {field: {**said, "description": sentence(name, field)}}
            fields |= {f"{field}_kind": {**said, "description": f"the kind of `{field}`, in a word or two"}}
        else:
            fields[field] = {**shape, "description": sentence(name, field)}
    needed = part.get("required", []) if name in _SPARSE else list(fields)
    return {**told, "type": "object", "properties": fields, "required": needed}


def _plain(shape: Any) -> Any:
    """Without defaults, which what is printed has no need of, and with the short names of parts."""
    if isinstance(shape, list):
        return [_plain(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    kept = {key: _plain(value) for key, value in shape.items() if key != "default"}
    if "$ref" in kept and not kept["$ref"].endswith(f"/{_REASON}"):
        kept["$ref"] = "#/$defs/" + kept["$ref"].rpartition("/")[2].rpartition(".")[2]
    return kept
