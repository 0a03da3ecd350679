"""A handler of somebody else's that raises anything anywhere: a class, as a plug-in is, and a plug-in on a disk."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from hybridq.job import Call, Detached, Event, Lane, Output

CALLS = ("make", "chunk_limit", "shared", "run", "iterate", "finally", "resume", "cancel", "check", "tend", "close")


class Unspeakable(Exception):
    """What it says cannot even be asked."""

    def __str__(self) -> str:
        raise ValueError("no")


PROBLEMS: dict[str, BaseException] = {
    "ValueError": ValueError("odd"),
    "ImportError": ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."),
    "FileNotFoundError": FileNotFoundError(2, "No such file or directory"),
    "MemoryError": MemoryError(),
    "RecursionError": RecursionError("too deep"),
    "StopIteration": StopIteration("odd"),
    "StopAsyncIteration": StopAsyncIteration("odd"),
    "SystemExit": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "CancelledError": asyncio.CancelledError(),
    "BaseException": BaseException("odd"),
    "ExceptionGroup": ExceptionGroup("many", [ExceptionGroup("more", [ValueError("odd"), OSError()])]),
    "BaseExceptionGroup": BaseExceptionGroup("many", [SystemExit(3)]),
    "Unspeakable": Unspeakable(),
}


class Raising:
    """See `Handler`. Raises `problem` at the call `at`; at any other it does what it should."""

    def __init__(self, at: str, problem: BaseException) -> None:
        self._at, self._problem = at, problem
        self._raise("make")

    def __getattr__(self, name: str) -> Any:
        if name in ("chunk_limit", "shared"):
            self._raise(name)
            return 10 if name == "chunk_limit" else False
        raise AttributeError(name)

    def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Every input is its output."""
        self._raise("run")
        return self._run(calls)

    def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """There is never any."""
        self._raise("resume")
        return self._run([])

    def cancel(self, job: int) -> None:
        """Nothing to end."""
        self._raise("cancel")

    async def check(self) -> str:
        """It is well."""
        self._raise("check")
        return "well"

    async def tend(self, now: float) -> float | None:
        """Nothing to do."""
        self._raise("tend")
        return None

    async def close(self) -> None:
        """Nothing to end."""
        self._raise("close")

    async def _run(self, calls: Sequence[Call]) -> AsyncGenerator[Sequence[Event], None]:
        try:
            for call in calls:
                self._raise("iterate")
                yield [Output(call.id, call.attempt, value=call.input)]
        finally:
            self._raise("finally")

    def _raise(self, here: str) -> None:
        if self._at == here:
            raise self._problem


def raising(name: str, config: Any, *, runner: Any) -> Raising:
    """The plug-in of the kind `raising`: where and what is in its options."""
    return Raising(str(config.options["at"]), PROBLEMS[str(config.options["what"])])


def installed(folder: Path) -> str:
    """Install that plug-in into a folder; returns what PYTHONPATH must be for it to be found."""
    info = folder / "raising-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: raising\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hybridq.handlers]\nraising = tests.support.raising:raising\n")
    return f"{folder}:{Path(__file__).parents[2]}:{':'.join(filter(None, sys.path))}"
