"""`output` of several jobs: the n-th record is the n-th job's, empty where it failed or waits.

Rule: the n-th record is the n-th job's, so that results stand beside their inputs. A note on standard error and the
exit code tell of what is missing: 1 where a job was not done, 75 where one has not ended. A record of `--json` tells
that itself: then a program gets 75 where one has not ended, else 0.
"""

from collections.abc import Collection, Iterator

from hybridq.job import State

from .exit_codes import TRY_AGAIN

LINE = b"\n"


def ended(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """One job's output as a record: with a line end, and of none that alone."""
    last = b""
    for last in pieces:
        yield last
    if not last.endswith(LINE):
        yield LINE


def code_of_all(states: Collection[State], *, told: bool = False) -> int:
    """The exit code of several jobs in these states; `told`: each record says how its job ended."""
    if not told and (State.FAILED in states or State.CANCELLED in states):
        return 1
    return TRY_AGAIN if State.QUEUED in states or State.RUNNING in states else 0
