"""The guard around a handler: whatever it raises becomes the failure of its calls, in one plain sentence.

Rule: nothing that a handler does, built in or of others, ends its runner or another handler, be it at making, running,
iterating or closing; and what it says is fit to be stored and shown, without any key. Only that we ourselves are
cancelled goes through.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from math import isfinite
from typing import Any, cast, get_args

import msgspec
from msgspec.structs import astuple, replace

from ..config.kinds import BUILT_IN
from ..config.values import HandlerConfig, RunnerConfig
from ..errors import HybridqError
from ..job import Call, Detached, Event, Failure, Lane, Output, Partial, Started, Throttled
from ..scrub import scrub
from ..visible import visible_line
from . import make_handler
from .protocol import Handler, Seated, Seats

KINDS = frozenset(get_args(Event))
PLAIN = frozenset((Started, Partial, Output))  # of our own handlers: they hold no words of others for a reader
LONGEST = 2000  # characters of a sentence
UNENDED = "the handler finished without a result for this job"

Given = frozenset[tuple[int, int]]  # (id, attempt) of what a handler was asked for

log = logging.getLogger("hybridq.handlers")


def guarded(name: str, config: HandlerConfig, *, runner: RunnerConfig) -> "Guarded":
    """The handler that `[handlers.NAME]` describes, behind its guard. Never raises: see `Guarded.broken`."""
    try:
        handler = make_handler(name, config, runner=runner)
        return Guarded(name, handler, int(handler.chunk_limit), bool(handler.shared), known=config.kind in BUILT_IN)
    except BaseException as problem:
        return Guarded(name, cast("Handler", _Unmade(problem)), broken=said(name, problem))


class Guarded:
    """See `Handler`. Raises HybridqError alone. `broken` says why there is none: then each call fails with that."""

    def __init__(
        self, name: str, handler: Handler, limit: int = 1, shared: bool = False, *, known: bool = True, broken: str = ""
    ) -> None:
        """`known`: it is one of our own, whose events have the types that they should."""
        self.chunk_limit, self.shared, self.broken = max(1, limit), shared, broken
        self._name, self._handler, self._known = name, handler, known
        self._told = ""  # the last trouble of its housekeeping

    def seated(self, seats: Seats) -> None:
        """Its warm instances get from there what they need."""
        if self._known and isinstance(self._handler, Seated):
            self._handler.seats = seats

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Each call has an end."""
        left = {call.id: call.attempt for call in calls}
        given = frozenset(left.items())
        async with aclosing(self._heard(lambda: self._handler.run(calls, lane), given, left)) as bunches:
            async for bunch in bunches:
                yield bunch
        if left:
            yield [Failure(job, attempt, UNENDED, retryable=False) for job, attempt in left.items()]

    async def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """See `Handler`."""
        async with aclosing(self._heard(lambda: self._handler.resume(work), frozenset(work.ids), {})) as bunches:
            async for bunch in bunches:
                yield bunch

    def cancel(self, job: int) -> None:
        """See `Handler`."""
        with self._logged():
            self._handler.cancel(job)

    async def check(self) -> str:
        """See `Handler`."""
        with self._failing():
            return scrub(str(await self._handler.check()))

    async def tend(self, now: float) -> float | None:
        """See `Handler`."""
        with self._logged():
            return await self._handler.tend(now)
        return None

    async def close(self) -> None:
        """See `Handler`."""
        with self._logged():
            await self._handler.close()

    async def _heard(
        self, made: Callable[[], AsyncGenerator[Sequence[Event], None]], given: Given, left: dict[int, int]
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Its events about what it was given, as they are fit to be heard. What has ended is taken out of `left`."""
        closing = False
        try:
            with self._failing():
                async with aclosing(made()) as bunches:
                    async for bunch in bunches:
                        plain = PLAIN if self._known else frozenset()
                        fit = [event if type(event) in plain else self._fit(event, given) for event in bunch]
                        _ended(fit, left)
                        try:
                            yield fit
                        except GeneratorExit:
                            closing = True
                            raise
        except HybridqError as problem:
            if not closing:
                raise
            log.warning("%s", problem)  # nobody listens any more

    def _fit(self, event: Event, given: Given) -> Event:
        """An event that can be stored: of the types that it should have, without a key. Raises TypeError."""
        if type(event) not in KINDS:
            raise TypeError(f"it yields {type(event).__name__}, which is not an event")
        if not self._known:
            _check(event, given)
        if isinstance(event, Failure | Throttled) and (fit := scrub(event.reason)) != event.reason:
            return replace(event, reason=fit)
        if isinstance(event, Detached):
            text = msgspec.json.encode(event.reference).decode()
            if (fit := scrub(text)) != text:
                return replace(event, reference=msgspec.json.decode(fit))
        return event

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever is raised in it is a HybridqError; but that we are cancelled, or nobody listens, goes through."""
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as problem:
            told = said(self._name, problem)
            if (task := _task()) is not None and task.cancelling():
                if not isinstance(problem, asyncio.CancelledError):
                    log.warning("%s", told)
                raise asyncio.CancelledError from None
            if isinstance(problem, HybridqError) and str(problem) == told:
                raise
            raise HybridqError(told) from problem

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Whatever is raised in it is told once in the log."""
        try:
            with self._failing():
                yield
        except HybridqError as problem:
            if str(problem) != self._told:
                self._told = str(problem)
                log.error("%s", problem)


class _Unmade:
    """Stands for a handler that could not be made."""

    def __init__(self, problem: BaseException) -> None:
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        if name in ("cancel", "tend", "close"):
            return _nothing if name == "cancel" else _no_more
        raise self._problem


def said(name: str, problem: BaseException) -> str:
    """What a handler raised, as one sentence that can be stored and shown."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    try:
        text = str(problem)
    except Exception:  # what an exception says may raise one itself
        text = ""
    if isinstance(problem, HybridqError):  # meant for a reader: its lines stay
        return scrub(text)
    kind = type(problem).__name__
    text = f"the handler {name} failed: {kind}: {text}" if text else f"the handler {name} failed: {kind}"
    return visible_line(scrub(text), LONGEST)


def _ended(events: Sequence[Event], left: dict[int, int]) -> None:
    """Take what these events end, or hand over, out of `left`."""
    for event in events:
        if type(event) is Output or type(event) is Failure:
            left.pop(event.id, None)
        elif type(event) is Detached:
            for job, _ in event.ids:
                left.pop(job, None)


def _check(event: Event, given: Given) -> None:
    """Raise TypeError when an event holds what it should not, or speaks of what its handler was not given."""
    try:
        msgspec.json.decode(msgspec.json.encode(event), type=type(event))
        if any(isinstance(value, float) and not isfinite(value) for value in astuple(event)):
            raise TypeError("expected a finite number")
        if isinstance(event, Output) and event.value is not None:
            msgspec.json.decode(event.value)
        if isinstance(event, Partial) and event.stream not in (1, 2):
            raise TypeError("a stream is 1 or 2")
        if isinstance(event, Detached) and not isinstance(event.reference["key"], str):
            raise TypeError("a key is a text")
    except (TypeError, ValueError, LookupError, RecursionError) as odd:
        raise TypeError(f"its {type(event).__name__} is invalid: {odd}") from None
    ids = event.ids if isinstance(event, Detached) else ((event.id, event.attempt),)
    if foreign := set(ids) - given:
        raise TypeError(f"it reports on job {min(foreign)[0]}, which it was not given")


def _task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _nothing(job: int) -> None:
    """There is nothing to cancel."""


async def _no_more(now: float = 0.0) -> None:
    """There is nothing to tend or to close."""
