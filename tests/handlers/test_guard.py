"""Whatever a handler raises is the failure of what it was asked for, never its runner's."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest

from hybridq.errors import HybridqError
from hybridq.handlers.guard import Guarded
from hybridq.handlers.protocol import Handler
from hybridq.job import ENDED, Call, Detached, Event, Failure, Lane, Output, Partial, State
from tests.support.building import until
from tests.support.handling import calls, collect, ends
from tests.support.raising import CALLS, PROBLEMS, Raising, installed
from tests.support.user import Queue


def behind(handler: object) -> Guarded:
    """This handler behind a guard, as a plug-in is."""
    return Guarded("odd", cast("Handler", handler), 10, known=False)


async def use(handler: Guarded) -> list[str]:
    """Call everything that a handler can do; returns what was said of what went wrong."""
    said = []
    handler.cancel(1)
    for what in (collect(handler, calls("a")), handler.check(), resumed(handler)):
        try:
            await what
        except HybridqError as problem:
            said.append(str(problem))
    await handler.tend(time.monotonic())
    await handler.close()
    return said


async def resumed(handler: Guarded) -> list[Event]:
    """What becomes of work that runs elsewhere."""
    return [event async for bunch in handler.resume(Detached(((1, 1),), {"key": "k"})) for event in bunch]


@pytest.mark.parametrize("what", PROBLEMS)
@pytest.mark.parametrize("at", [call for call in CALLS if call not in ("make", "chunk_limit", "shared")])
def test_only_errors_of_ours_leave_a_handler(at: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Any class of exception, at any call: one sentence that names the handler, and nothing else goes on."""
    said = asyncio.run(use(behind(Raising(at, PROBLEMS[what]))))
    told = [*said, *(record.getMessage() for record in caplog.records)]
    assert told
    assert all(sentence.startswith("the handler odd failed: ") for sentence in told)
    assert bool(said) is (at not in ("cancel", "tend", "close"))


PLUGIN = """
[handlers.odd]
kind = "raising"
[handlers.odd.options]
at = "{at}"
what = "{what}"
"""


@pytest.mark.parametrize(("at", "what"), [*product(CALLS, ["SystemExit"]), ("run", "CancelledError")])
def test_a_daemon_lives_through_any_of_them(tmp_path: Path, at: str, what: str) -> None:
    """Its jobs end in either lane, or are held where it cannot be made; another handler's is done, and the daemon stops
    as it was told."""
    queue = Queue(tmp_path, PLUGIN.format(at=at, what=what))
    queue.environment["PYTHONPATH"] = installed(tmp_path / "site")
    for mode in ("stream", "batch"):
        assert queue.run("submit", "odd", "x", "--mode", mode, "--deadline", "1s", "--detach").returncode == 0
    told = f"the handler odd failed: {what}"
    with queue.daemon() as daemon:
        assert queue.run("submit", "--wait", "--mode", "stream", "--", "echo", "fine").returncode == 0
        if at in UNMADE:
            until(lambda: all(told in queue.run("show", job).stdout for job in "12"))
        else:
            until(lambda: all(queue.state(job) in ENDED for job in (1, 2)))
        daemon.terminate()
        assert daemon.wait(30) == 0
    ends = {State.QUEUED} if at in UNMADE else {State.FAILED} if at in BROKEN else {State.DONE}
    assert {queue.state(1), queue.state(2)} == ends
    assert all((told in queue.run("show", job).stdout) is (at in (*UNMADE, *BROKEN)) for job in "12")


UNMADE = ("make", "chunk_limit", "shared")
BROKEN = ("run", "iterate")


def test_a_check_says_what_was_raised(tmp_path: Path) -> None:
    """`handlers --check` of a plug-in that ends Python is one line about that handler."""
    queue = Queue(tmp_path, PLUGIN.format(at="check", what="SystemExit"))
    done = queue.run("handlers", "--check", env={"PYTHONPATH": installed(tmp_path / "site")})
    assert "the handler odd failed: SystemExit: 3" in done.stdout + done.stderr


class Odd:
    """A handler that yields this."""

    def __init__(self, *yields: object) -> None:
        self._yields = yields

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Any, None]:
        """Whatever is called."""
        for bunch in self._yields:
            yield bunch


ODD = {
    "no bunch": 7,
    "not an event": ["done"],
    "an id that is a text": [Output(cast("int", "1"), 1)],
    "an id that is true": [Output(True, 1)],
    "a value that is a text": [Output(1, 1, value=cast("bytes", "x"))],
    "a value that is no JSON": [Output(1, 1, value=b"{")],
    "a cost that is no number": [Output(1, 1, cost=float("nan"))],
    "a third stream": [Partial(1, 1, b"x", 3)],
    "another's job": [Output(2, 1)],
    "another attempt": [Output(1, 2)],
    "elsewhere without a key": [Detached(((1, 1),), {})],
    "elsewhere with what no JSON can say": [Detached(((1, 1),), {"key": "k", "lock": object()})],
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_event_of_its_own_call_is_an_error(what: str) -> None:
    """It is refused before anything of it reaches the store."""
    with pytest.raises(HybridqError, match="the handler odd failed: TypeError"):
        asyncio.run(collect(behind(Odd(ODD[what])), calls("a")))


@pytest.mark.parametrize("made", [None, 7, asyncio.sleep])
def test_what_cannot_be_iterated_is_an_error(made: object) -> None:
    """`run` that gives no iterator."""
    handler = Odd()
    handler.run = lambda calls, lane: made  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(HybridqError, match="the handler odd failed"):
        asyncio.run(collect(behind(handler), calls("a")))


def test_a_call_that_is_left_without_an_end_fails() -> None:
    """No job stays running because its handler said nothing."""
    found = ends(asyncio.run(collect(behind(Odd([Output(1, 1)])), calls("a", "b"))))
    assert isinstance(found[1], Output)
    assert isinstance(found[2], Failure)
    assert "without a result for this job" in found[2].reason


def test_who_is_cancelled_is_cancelled_whatever_the_handler_raises_then() -> None:
    """An error in its `finally` hides no cancellation, and stops no closing."""

    async def main() -> None:
        handler = behind(Raising("finally", ValueError("odd")))
        events = handler.run(calls("a", "b"), Lane.BATCH)
        await anext(events)
        await events.aclose()
        waiting = asyncio.create_task(collect(behind(Waiting()), calls("a")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


class Waiting:
    """Waits for ever, and fails when it is ended."""

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Any, None]:
        """Never anything."""
        try:
            await asyncio.get_running_loop().create_future()
            yield []
        finally:
            raise ValueError("odd")
