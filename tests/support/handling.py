"""Builders for tests of handlers: make one, run inputs through it, and look at how each call ended."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers import make_handler
from hybridq.job import Call, Event, Failure, Lane, Output, Partial

WORKERS = Path(__file__).parent / "workers"
DEADLINE = 30.0  # seconds that anything here may take


def program(name: str, *arguments: object) -> tuple[str, ...]:
    """The command of one of our worker scripts; without `site`, which takes longest to start."""
    return (sys.executable, "-S", str(WORKERS / f"{name}.py"), *map(str, arguments))


def worker(*command: str, runner: RunnerConfig | None = None, **settings: Any) -> Any:
    """A worker handler called `w`."""
    config = HandlerConfig(command=command, **settings)
    return make_handler("w", config, runner=runner or RunnerConfig(output_limit=1_000_000))


def items(**settings: Any) -> Any:
    """A worker handler that does what its inputs say."""
    return worker(*program("items"), **settings)


def calls(*inputs: object, first: int = 1, **settings: Any) -> list[Call]:
    """One call an input, with ids that count from `first`."""
    return [
        Call(id=number, attempt=1, input=json.dumps(value).encode(), **settings)
        for number, value in enumerate(inputs, first)
    ]


async def collect(handler: Any, todo: Sequence[Call], lane: Lane = Lane.BATCH) -> list[Event]:
    """All events of one run."""
    async with asyncio.timeout(DEADLINE), aclosing(handler.run(todo, lane)) as bunches:
        return [event async for bunch in bunches for event in bunch]


def run(handler: Any, todo: Sequence[Call], lane: Lane = Lane.BATCH) -> list[Event]:
    """All events of one run in a loop of its own; the handler is closed after it."""

    async def main() -> list[Event]:
        try:
            return await collect(handler, todo, lane)
        finally:
            await handler.close()

    return asyncio.run(main())


def ends(events: Sequence[Event]) -> dict[int, Output | Failure]:
    """How each call ended; fails when one ended twice."""
    found: dict[int, Output | Failure] = {}
    for event in events:
        if isinstance(event, Output | Failure):
            assert event.id not in found, f"{event.id} ended twice"
            found[event.id] = event
    return found


def good(events: list[Any]) -> dict[int, bytes | None]:
    """The values of those that ended well."""
    return {number: end.value for number, end in ends(events).items() if isinstance(end, Output)}


def bad(events: list[Any]) -> dict[int, Failure]:
    """Those that did not."""
    return {number: end for number, end in ends(events).items() if isinstance(end, Failure)}


def values(events: Sequence[Event]) -> dict[int, Any]:
    """The values of the calls that ended well; others fail the test."""
    result = {}
    for number, end in ends(events).items():
        assert isinstance(end, Output), end
        result[number] = None if end.value is None else json.loads(end.value)
    return result


def text(events: Sequence[Event], stream: int = 1) -> bytes:
    """All partial output of one stream."""
    return b"".join(e.data for e in events if isinstance(e, Partial) and e.stream == stream)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.005)


def starts(handler: Any) -> list[object]:
    """The command of each process that a handler starts from now on."""
    started: list[object] = []
    start = handler._start

    def noting(argv: object) -> Any:
        started.append(argv)
        return start(argv)

    handler._start = noting
    return started


def gone(pid: int) -> bool:
    """Whether that process runs no more."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def reasons(events: Sequence[Event]) -> dict[int, str]:
    """The reasons of the calls that failed."""
    return {number: end.reason for number, end in ends(events).items() if isinstance(end, Failure)}
