"""The outputs of several jobs, each a record at its job's place: what failed or waits leaves an empty one.

Rule: the n-th record is the n-th job's, so that results stand beside their inputs. A note on standard error and the
exit code tell of what is missing: 1 where a job was not done, 75 where one has not ended. A record of `--json` tells
that itself: then a program gets 75 where one has not ended, else 0.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

from hybridq.job import State
from hybridq.queue.cohorts import Result, result, state_of
from hybridq.queue.store import Store

from .exit_codes import TRY_AGAIN
from .tell import document

LINE = b"\n"


def ended(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """One job's output as a record: with a line end, and of none that alone."""
    last = b""
    for last in pieces:
        yield last
    if not last.endswith(LINE):
        yield LINE


def as_json(store: Store, job: int, found: Result | None, pieces: Iterator[bytes], *, draft: bool) -> bytes:
    """One job as a JSON object in a line: its state, its output, and why it failed."""
    state = state_of(store, job)[0]
    output: Any = b"".join(pieces).decode("utf-8", "replace")
    if found is not None and found.value is not None:
        output = _value(found.value)
    elif not output and state is not State.DONE:
        output = None
    told: dict[str, Any] = {"id": job, "state": state, "output": output}
    if draft:
        told["draft"] = True
    if state is State.FAILED and (final := result(store, job)) is not None:
        told |= {"error": final.error, "exit_code": final.exit_code}
    return document(told, one_line=True).encode() + LINE


def code_of_all(states: Collection[State], *, told: bool = False) -> int:
    """The exit code of several jobs in these states; `told`: each record says how its job ended."""
    if not told and (State.FAILED in states or State.CANCELLED in states):
        return 1
    return TRY_AGAIN if State.QUEUED in states or State.RUNNING in states else 0


def _value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")
