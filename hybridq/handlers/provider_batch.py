"""The life of a provider's batch, the same for every provider: made once, looked at, fetched.

Rule: before anything is sent there is a Detached with a key of our own, and one more after each step; whoever
takes over from any of them finds the batch by that key or knows that there is none. What makes a batch is
never repeated on a doubt. What the provider has done is always fetched; only the rest is tried again.

A reference has `key`, `at` (epoch seconds) and `jobs`; then `file` once the lines are there, `batch` once the
batch is, `finished` as far as the provider tells. With `cancel` set the batch is to be ended there.
"""

import asyncio
import logging
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..errors import BadData, HybridqError
from ..job import Call, Detached, Event, Failure, Output
from ..llm_config import LlmOptions
from ..llm_prices import Tokens
from ..seam import reached
from .answers import FULL, Reading, final, unbegun
from .prompts import prompt
from .provider import Limits, Look, Provider, Trouble, custom_id
from .ratelimit import RateLimit

BUNCH = 256  # events that are told at once
SETTLE = 3.0  # of `poll`: how long a batch that was just made may be missing in the provider's list
LOOKS = 3  # times that a batch is looked for before it is believed not to be there
SLOWEST = 24.0  # of `poll`: the longest time between two looks
FILES = 10  # looks that answers may be missing after the end

Ending = Callable[..., Output]
"""Makes an Output of job, attempt, text, tokens, flex, busy and price factor."""


class Batches:
    """One handler's batches."""

    def __init__(
        self,
        name: str,
        options: LlmOptions,
        opened: Callable[[], Awaitable[Provider]],
        limit: RateLimit,
        ending: Ending,
    ) -> None:
        self._options, self._opened, self._limit, self._ending = options, opened, limit, ending
        self._log = logging.getLogger(f"hybridq.provider.{name}")

    async def submit(self, calls: Sequence[Call]) -> AsyncIterator[Sequence[Event]]:
        """Have these run, in as many batches as the provider's limits ask for; all end Detached or failed."""
        try:
            provider = await self._opened()
        except HybridqError as problem:
            yield [Failure(call.id, call.attempt, str(problem), retryable=False) for call in calls]
            return
        todo, refused = await asyncio.to_thread(self._texts, calls)  # a large batch must not hold up the streams
        if refused:
            yield refused
        with tempfile.TemporaryDirectory(prefix="hybridq-") as folder:
            while todo:
                key = secrets.token_hex(8)
                spool = await asyncio.to_thread(_spool, Path(folder) / key, provider, key, todo)
                if spool.jobs:
                    async for bunch in self._send(provider, key, spool):
                        yield bunch
                if spool.large:
                    yield [_too_large(call, provider.limits) for call in spool.large]
                spool.path.unlink()

    async def watch(self, work: Detached) -> AsyncIterator[Sequence[Event]]:
        """What becomes of a batch, until each of its jobs has ended. A later Detached has further knowledge."""
        reference = dict(work.reference)
        provider = await self._opened()
        if "batch" not in reference:
            if (found := await self._find(provider, reference)) is None:
                yield [unbegun(job, attempt, "it was never sent") for job, attempt in work.ids]
                return
            reference["batch"] = found
            yield [Detached(work.ids, dict(reference))]
        reading = Reading(reference["key"], work.ids)
        look: Look | None = None
        async for look in self._looks(provider, reference):
            if look is not None and look.finished is not None and look.finished != reference.get("finished"):
                reference["finished"] = look.finished
                yield [Detached(work.ids, dict(reference))]
        if look is not None:
            async for bunch in self._fetch(provider, reference["batch"], look, reading):
                yield bunch
        if rest := reading.rest(look):
            yield rest
        if reading.odd:
            self._log.warning("batch %s: %d lines were no answers of ours", reference["batch"], reading.odd)

    def _texts(self, calls: Sequence[Call]) -> tuple[list[tuple[str, Call]], list[Failure]]:
        """The calls with their prompts, those that share a beginning together, so that prompt caching bites; and
        those that have none."""
        found, refused = [], []
        for call in calls:
            try:
                found.append((prompt(self._options.prompt, call), call))
            except BadData as problem:
                refused.append(Failure(call.id, call.attempt, str(problem), retryable=False))
        found.sort(key=lambda pair: pair[0], reverse=True)  # taken from the end
        return found, refused

    async def _send(self, provider: Provider, key: str, spool: "_Spool") -> AsyncIterator[Sequence[Event]]:
        """Upload and create. A definite refusal ends the jobs; a doubt is left to `watch`."""
        reference: dict[str, Any] = {"key": key, "at": time.time(), "jobs": len(spool.jobs)}
        yield [Detached(spool.jobs, dict(reference))]
        sent = await self._limit.admit()
        try:
            file = await provider.upload(spool.path)
            reached("uploaded")
            if file is not None:
                reference["file"] = file
                yield [Detached(spool.jobs, dict(reference))]
            reference["batch"] = await provider.create(key, file, spool.path)
        except Exception as error:
            trouble = provider.trouble(error)
            if trouble.slow:
                self._limit.slow(sent, trouble.retry_after)
            self._log.warning("batch of %d jobs: %s", len(spool.jobs), trouble.reason)
            if not trouble.unsure:
                yield _refused(spool.jobs, trouble)
            return
        reached("created")
        self._limit.well()
        yield [Detached(spool.jobs, reference)]

    async def _find(self, provider: Provider, reference: dict[str, Any]) -> str | None:
        """The batch of a reference that does not name it yet; made now where only that was missing."""
        key, file, looks = reference["key"], reference.get("file"), 0
        while looks < LOOKS:
            try:
                found = await provider.find(key, reference["at"], reference["jobs"])
            except Exception as error:
                trouble = provider.trouble(error)
                self._log.warning("looking for batch %s: %s", key, trouble.reason)
                looks += trouble.unknown
                await asyncio.sleep(self._options.poll)
                continue
            if found.batch is not None:
                self._log.info("batch %s was made before: %s", key, found.batch)
                return found.batch
            looks = 0 if found.unsure else looks + 1
            await asyncio.sleep(self._options.poll * SETTLE / LOOKS)
        if file is None or reference.get("cancel"):
            return None
        try:
            return await provider.create(key, file, None)
        except Exception as error:
            trouble = provider.trouble(error)
            self._log.warning("batch %s: %s", key, trouble.reason)
            if not trouble.unsure:
                return None
        await asyncio.sleep(self._options.poll)
        return await self._find(provider, reference)

    async def _looks(self, provider: Provider, reference: dict[str, Any]) -> AsyncIterator[Look | None]:
        """Look at a batch ever more rarely until it is over; None at the end: the provider knows it no longer."""
        batch, pause, missing, ending = reference["batch"], self._options.poll, 0, bool(reference.get("cancel"))
        while True:
            try:
                if ending:
                    await provider.cancel(batch)
                    ending = False
                look = await provider.look(batch)
            except Exception as error:
                trouble = provider.trouble(error)
                self._log.warning("batch %s: %s", batch, trouble.reason)
                missing += trouble.unknown
                ending = ending and trouble.passing
                if missing >= LOOKS:
                    yield None
                    return
            else:
                reached("polled")
                missing = 0
                yield look
                if look.over:
                    return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, SLOWEST * self._options.poll)

    async def _fetch(
        self, provider: Provider, batch: str, look: Look, reading: "Reading"
    ) -> AsyncIterator[Sequence[Event]]:
        """All answers of a batch that is over, told as they are read; read again from the start if that breaks.

        They are paid for, so a broken connection is never a reason to give up; files that do not come are.
        """
        tries, pause = 0, self._options.poll
        while tries < FILES:
            bunch: list[Event] = []
            broken = False
            try:
                if tries and not look.files:
                    look = await provider.look(batch)
                async for line in provider.results(batch, look):
                    if event := reading.take(provider.read(line), self._output):
                        bunch.append(event)
                    if len(bunch) >= BUNCH:
                        reached("reading")
                        yield bunch
                        bunch = []
            except Exception as error:
                trouble = provider.trouble(error)
                self._log.warning("the answers of batch %s: %s", batch, trouble.reason)
                broken = True
                tries += trouble.unknown
            if bunch:
                reached("reading")
                yield bunch
            if not broken and (look.files or not look.whole):
                return
            tries += not broken
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, SLOWEST * self._options.poll)

    def _output(self, job: int, attempt: int, text: str, tokens: Tokens | None) -> Output:
        return self._ending(job, attempt, text, tokens, False, 0.0, self._options.batch_factor)


class _Spool(Struct):
    """The lines of one batch in a file, their jobs in the same order, and calls too large for any."""

    path: Path
    jobs: tuple[tuple[int, int], ...]
    large: list[Call]


def _spool(path: Path, provider: Provider, key: str, todo: list[tuple[str, Call]]) -> _Spool:
    """Write as many of these calls as one batch takes, from the end of the list."""
    size = 0
    jobs: list[tuple[int, int]] = []
    large: list[Call] = []
    with path.open("wb") as file:
        while todo and len(jobs) < provider.limits.lines:
            text, call = todo[-1]
            line = provider.line(custom_id(key, call.id, call.attempt), text)
            if len(line) > provider.limits.size:
                large.append(call)
            elif size + len(line) > provider.limits.size:
                break
            else:
                file.write(line)
                size += len(line)
                jobs.append((call.id, call.attempt))
            todo.pop()
    return _Spool(path, tuple(jobs), large)


def _refused(jobs: Sequence[tuple[int, int]], trouble: Trouble) -> list[Failure]:
    """A batch that was refused as a whole. Where one request was at fault, the others are sent again."""
    if trouble.passing:
        return [unbegun(*each, trouble.reason, trouble.retry_after or FULL) for each in jobs]
    if trouble.at is None:
        return [final(*each, trouble.reason) for each in jobs]
    return [
        final(*each, trouble.reason) if place == trouble.at else unbegun(*each, "sent again without a refused one")
        for place, each in enumerate(jobs)
    ]


def _too_large(call: Call, limits: Limits) -> Failure:
    return final(call.id, call.attempt, f"the request is larger than a batch may be ({limits.size:,} bytes)")
