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

from msgspec import Struct, structs

from hybridq.job import ENDED, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Job, cohort, job
from hybridq.queue.follow import Draft, End, OutputPiece, StateChange, Withheld
from hybridq.queue.outputs import Tail
from hybridq.queue.results import Result, result
from hybridq.sentences import sentence
from hybridq.status.rows import exit_code
from hybridq.status.snapshot import Row

from . import documents
from .documents import Changed, Drafted, Ended, GroupProgress, JobOutput, Kept, Printed


class Outputs:
    """The outputs of jobs, as `output --json` gives them: of one kind (`draft`, `stderr`), else the results."""

    def __init__(self, outlook: Outlook, *, draft: bool, stderr: bool) -> None:
        self._outlook, self._draft, self._stderr = outlook, draft, stderr
        self._handlers: dict[int, str] = {}

    def of(self, number: int) -> JobOutput:
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
        output, encoded = self._value(number, asked, found)
        return JobOutput(
            id=number,
            state=found.state,
            exit_code=code,
            draft=draft,
            output=output,
            base64=encoded,
            error=final.error if final else None,
            dropped=final.dropped if final else 0,
        )

    def _value(self, number: int, found: Result | None, of: Job) -> tuple[Any, str | None]:
        if found is not None and found.value is not None and not self._stderr:
            return _json(found.value), None
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

    def of(self, event: OutputPiece | StateChange | Withheld | Draft | End) -> Iterator[Struct]:
        """The objects for an event, with the job's id."""
        match event:
            case OutputPiece(stream, data):
                if text := self._decoders[stream].decode(data):
                    yield Printed(id=self._job, stream="stdout" if stream == 1 else "stderr", text=text)
            case StateChange(state, attempt, ready):
                yield Changed(id=self._job, state=state, attempt=attempt, not_before=ready or None)
            case Withheld(reason):
                currency = self._outlook.config.policy.currency
                told = sentence(reason, time.time(), currency)
                yield Kept(id=self._job, reason=told, reason_kind=reason.kind)
            case Draft(found, _):
                value = None if found.value is None else _json(found.value)
                yield Drafted(id=self._job, output=value, error=found.error)
            case End():
                ended = Outputs(self._outlook, draft=False, stderr=False).of(self._job)
                yield Ended(**structs.asdict(ended))


def progress(row: Row, *, over: bool) -> GroupProgress:
    """How far a group is, as `follow --json` gives it."""
    return GroupProgress(
        event="end" if over else "progress",
        group=row.group,
        jobs=row.jobs,
        state=row.state,
        counts=row.counts,
        eta=row.eta,
        eta90=row.eta90,
        late=row.late,
        late_by=row.late_by,
        cost=row.cost,
        why=row.why,
        why_kind=row.why_kind,
    )


def awaited(counts: dict[State, int], drafts: int, only: int | None, code: int) -> documents.Awaited:
    """What was waited for, as `wait --json` gives it: `exit_code` is the one that it ends with."""
    return documents.Awaited(
        id=only,
        jobs=sum(counts.values()),
        counts={state: jobs for state, jobs in counts.items() if jobs},
        drafts=drafts,
        exit_code=code,
    )


def _json(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value.decode("utf-8", "backslashreplace")


def text_or_base64(data: bytes, *, over: bool) -> tuple[str | None, str | None]:
    """(text, else base64) of what a job printed; neither while nothing came of one that is not `over`."""
    if not data and not over:
        return None, None
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data).decode()
