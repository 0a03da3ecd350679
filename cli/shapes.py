"""What `output`, `follow` and `wait` print with `--json`: each a stable shape of plain data.

Rule: ids are numbers, times epoch seconds (UTC), money a number, and what is not known is null. Bytes that are no
UTF-8 are given as base64, so that nothing is lost. What goes wrong is told on standard error, as without it.
"""

import base64
import codecs
import json
import time
from collections.abc import Iterator
from typing import Any

from hybridq.job import ENDED, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Job, cohort, job
from hybridq.queue.follow import Draft, End, OutputPiece, StateChange, Withheld
from hybridq.queue.outputs import Tail
from hybridq.queue.results import Result, result
from hybridq.sentences import sentence
from hybridq.status.rows import exit_code
from hybridq.status.snapshot import Row

Shape = dict[str, Any]


class Outputs:
    """The outputs of jobs, as `output --json` gives them: of one kind (`draft`, `stderr`), else the results."""

    def __init__(self, outlook: Outlook, *, draft: bool, stderr: bool) -> None:
        self._outlook, self._draft, self._stderr = outlook, draft, stderr
        self._handlers: dict[int, str] = {}

    def of(self, number: int) -> Shape:
        """One job: where it stands, and what it has put out; `output` is null where that is nothing yet."""
        store = self._outlook.store
        found, asked = job(store, number), result(store, number, draft=self._draft)
        final, draft = asked, self._draft
        if not (draft or self._stderr) and (asked is None or asked.value is None) and found.state not in ENDED:
            first = result(store, number, draft=True)
            draft, asked = first is not None, first or asked
        if found.cohort not in self._handlers:
            self._handlers[found.cohort] = cohort(store, found.cohort).handler
        ended = None if final is None else final.exit_code
        code = exit_code(self._outlook.config, self._handlers[found.cohort], found.state, ended)
        return {
            "id": number,
            "state": found.state,
            "exit_code": code,
            "draft": draft,
            **self._value(number, asked, found),
            "error": final and final.error,
            "dropped": final.dropped if final else 0,
        }

    def _value(self, number: int, found: Result | None, of: Job) -> Shape:
        if found is not None and found.value is not None and not self._stderr:
            return {"output": _json(found.value), "base64": None}
        tail = Tail(self._outlook.store.home, number, found.attempt if found else of.attempt, 2 if self._stderr else 1)
        try:
            return text_or_base64(b"".join(tail.more()), over=of.state in ENDED)
        finally:
            tail.close()


class Events:
    """What follows of a job, as `follow --json` gives it: an object for each event, one a line."""

    def __init__(self, outlook: Outlook, number: int) -> None:
        self._outlook, self._job = outlook, number
        self._decoders = {n: codecs.getincrementaldecoder("utf-8")("backslashreplace") for n in (1, 2)}

    def of(self, event: OutputPiece | StateChange | Withheld | Draft | End) -> Iterator[Shape]:
        """The objects for an event, with the job's id."""
        match event:
            case OutputPiece(stream, data):
                if text := self._decoders[stream].decode(data):
                    yield self._told("output", stream="stdout" if stream == 1 else "stderr", text=text)
            case StateChange(state, attempt, ready):
                yield self._told("state", state=state, attempt=attempt, not_before=ready or None)
            case Withheld(reason):
                currency = self._outlook.config.policy.currency
                yield self._told("held", reason=sentence(reason, time.time(), currency), reason_kind=reason.kind)
            case Draft(found, _):
                value = None if found.value is None else _json(found.value)
                yield self._told("draft", output=value, error=found.error)
            case End():
                ended = Outputs(self._outlook, draft=False, stderr=False).of(self._job)
                yield {"event": "end", **ended}

    def _told(self, event: str, **more: object) -> Shape:
        return {"event": event, "id": self._job, **more}


def progress(row: Row, *, over: bool) -> Shape:
    """How far a group is, as `follow --json` gives it."""
    return {
        "event": "end" if over else "progress",
        "group": row.group,
        "jobs": row.jobs,
        "state": row.state,
        "counts": row.counts,
        "eta": row.eta,
        "eta90": row.eta90,
        "late": row.late,
        "late_by": row.late_by,
        "cost": row.cost,
        "why": row.why,
        "why_kind": row.why_kind,
    }


def awaited(counts: dict[State, int], drafts: int, only: int | None, code: int) -> Shape:
    """What was waited for, as `wait --json` gives it: `exit_code` is the one that it ends with."""
    return {
        "id": only,
        "jobs": sum(counts.values()),
        "counts": {state: jobs for state, jobs in counts.items() if jobs},
        "drafts": drafts,
        "exit_code": code,
    }


def _json(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value.decode("utf-8", "backslashreplace")


def text_or_base64(data: bytes, *, over: bool) -> dict[str, str | None]:
    """The output that a job printed, as text or else as base64; null while nothing came of one that is not `over`."""
    if not data and not over:
        return {"output": None, "base64": None}
    try:
        return {"output": data.decode(), "base64": None}
    except UnicodeDecodeError:
        return {"output": None, "base64": base64.b64encode(data).decode()}
