"""What a job has put out so far, or the end of it where that is long: for a view that is drawn again and again.

Rule: as much is read as is shown, however much there is. Reads only.
"""

import os

from msgspec import Struct

from ..home import Home, open_private
from ..job import State
from ..queue.cohorts import state_of
from ..queue.lists import begun_last
from ..queue.outputs import output_path
from ..queue.results import Result, result
from ..queue.store import Store

SHOWN = 32 * 1024  # bytes of an output
JOBS = 20  # of a group
OF_EACH = 1024  # bytes of each of their outputs


class Ending(Struct, frozen=True, kw_only=True):
    """The last bytes of standard output, or a result, and the last bytes of standard error."""

    state: State
    out: bytes
    err: bytes
    before: int = 0  # bytes of the output before these
    value: bool = False  # whether the output is a result, which is JSON and whole
    draft: bool = False  # whether it is an adaptive job's draft: its final is not there
    error: str | None = None  # why it failed


def ending(store: Store, number: int, most: int = SHOWN) -> Ending:
    """The end of a job's output, at most so many bytes of it and of its standard error. Raises NoSuchJob."""
    with store.still():
        state, attempt = state_of(store, number)[:2]
        found = result(store, number)
        first = None if _answers(found) else result(store, number, draft=True)
    shown = first if _answers(first) else found
    if state is not State.RUNNING and found is not None:
        attempt = found.attempt
    err, _ = _last(store.home, number, attempt, 2, most)
    error = found.error if found is not None else None
    if shown is not None and shown.value is not None:
        return Ending(state=state, out=shown.value, err=err, value=True, draft=shown is first, error=error)
    out, before = _last(store.home, number, attempt, 1, most)
    return Ending(state=state, out=out, err=err, before=before, error=error)


def endings(store: Store, name: str) -> list[tuple[int, Ending]]:
    """The jobs of a group that began last, with the end of what each has put out, ascending by id."""
    return [(number, ending(store, number, OF_EACH)) for number in begun_last(store, name, JOBS)]


def _answers(found: Result | None) -> bool:
    return found is not None and found.value is not None


def _last(home: Home, job: int, attempt: int, stream: int, most: int) -> tuple[bytes, int]:
    """The last bytes of a file, from the beginning of a line on, and how many come before them."""
    try:
        descriptor = open_private(output_path(home, job, attempt, stream), os.O_RDONLY)
    except FileNotFoundError:
        return b"", 0
    try:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, most, max(0, size - most))
    finally:
        os.close(descriptor)
    if size <= len(data):
        return data, 0
    whole = data[data.find(b"\n") + 1 :]
    return whole, size - len(whole)
