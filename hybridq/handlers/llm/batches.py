"""The life of a provider's batch, the same for every provider: written, made once, looked at, fetched.

Rule: before anything is sent there is a Detached with a key of our own, and one more after each step; whoever
takes over from any of them finds the batch by that key or knows that there is none. What makes a batch is
never repeated on a doubt. What the provider has done is always fetched; only the rest is tried again.

A reference has `key`, `at` (epoch seconds) and `jobs`; then `file` once the lines are there, `batch` once the
batch is, `finished` as far as the provider tells, and `silent` while it cannot be asked. With `cancel` set the
batch is to be ended there; with `over` all that it gave is stored, and what it left there is taken away.
"""

import asyncio
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...brain.llm_prices import Tokens
from ...config.llm import LlmOptions
from ...errors import BadData, HybridqError
from ...job import Call, Detached, Event, Failure, Output
from ...seam import reached
from .admission import PATIENCE
from .poll import LOOKS, SLOWEST, Looking, heard
from .prompts import prompt
from .provider import BatchLimits, Found, Look, Provider, custom_id
from .ratelimit import RateLimit
from .results import Reading, back, final, refused, unbegun


class Spool(Struct):
    """The lines of one batch in a file, their jobs in the same order, and calls too large for any."""

    path: Path
    jobs: tuple[tuple[int, int], ...]
    large: list[Call]


def written(path: Path, provider: Provider, key: str, todo: list[tuple[str, Call]], most: int) -> Spool:
    """Write as many of these calls as one batch takes, from the end of the list; `most`: no more than so many."""
    size = 0
    jobs: list[tuple[int, int]] = []
    large: list[Call] = []
    with path.open("wb") as file:
        while todo and len(jobs) < min(most, provider.limits.lines):
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
    return Spool(path, tuple(jobs), large)


def no_batch_takes(call: Call, limits: BatchLimits) -> Failure:
    """What becomes of a call that no batch takes."""
    return final(call.id, call.attempt, f"the request is larger than a batch can be ({limits.size:,} bytes)")


BUNCH = 256  # events that are told at once
FILES = 10  # looks that answers may be missing after the end
CLEAR = 20.0  # seconds for taking files away; what takes longer is left there
LACKING = "the server has no batches, so these jobs go as plain requests"
BLIND = "cannot tell whether its batch was made: the provider lists no batches. Check there, then: hybridq retry"

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
        self.lacking = False  # the server has turned out to have no batches
        self._most = sys.maxsize  # requests in one batch: fewer after the provider had no room for so many
        self._doubted: set[str] = set()  # the keys of batches that this process tried to make, and does not know
        self._read: set[str] = set()  # the keys of batches whose answers were read to the end
        self._log = logging.getLogger(f"hybridq.provider.{name}")

    async def submit(self, calls: Sequence[Call]) -> AsyncGenerator[Sequence[Event], None]:
        """Have these run, in as many batches as the provider's limits ask for; all end Detached or failed."""
        try:
            provider = await self._opened()
        except HybridqError as problem:
            yield [Failure(call.id, call.attempt, str(problem), retryable=False) for call in calls]
            return
        todo, unusable = await asyncio.to_thread(self._texts, calls)  # a large batch must not hold up the streams
        if unusable:
            yield unusable
        with tempfile.TemporaryDirectory(prefix="hybridq-") as folder:
            while todo:
                key = secrets.token_hex(8)
                spool = await asyncio.to_thread(written, Path(folder) / key, provider, key, todo, self._most)
                if spool.jobs and not self.lacking:
                    async for bunch in self._send(provider, key, spool):
                        yield bunch
                elif spool.jobs:
                    yield [back(*each, LACKING) for each in spool.jobs]
                if spool.large:
                    yield [no_batch_takes(call, provider.limits) for call in spool.large]
                spool.path.unlink()

    async def watch(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """What becomes of a batch, until each of its jobs has ended. A later Detached has further knowledge."""
        reference = dict(work.reference)
        provider = await self._opened()
        if "over" in reference:
            await self._clear(provider, reference)
            return
        looking = Looking(provider, self._options.poll, self._log)
        if "batch" not in reference:
            found = Found()
            async for found in looking.find(reference):
                if heard(reference, found.trouble):
                    yield [Detached(work.ids, dict(reference))]
            if found.batch is None:
                if found.unsure:
                    yield [final(*each, BLIND) for each in work.ids]
                    return
                # A runner that died before it sent anything is no refusal: however often that was, it is sent again.
                end = unbegun if reference["key"] in self._doubted else back
                yield [end(*each, "it was never sent") for each in work.ids]
                return
            reference["batch"] = found.batch
            yield [Detached(work.ids, dict(reference))]
        reading = Reading(reference["key"], work.ids)
        look: Look | None = None
        async for look in looking.looks(reference):
            if look is None:
                continue
            ended = look.over and not look.problem and "ended" not in reference
            if ended:
                reference["ended"] = True
            if heard(reference, look.trouble, look.finished) or ended:
                yield [Detached(work.ids, dict(reference))]
        if look is not None:
            if look.busy or look.large or not look.problem:
                self._fits(len(work.ids), well=not look.problem)
            async for bunch in self._fetch(provider, reference, look, reading):
                yield bunch
        if rest := reading.rest(None if reading.lost else look, ended="ended" in reference):
            yield rest
        if reading.odd:
            self._log.warning(
                "batch %s: ignored %d lines that answer none of our jobs", reference["batch"], reading.odd
            )

    def _fits(self, jobs: int, *, well: bool) -> None:
        """The provider had room for a batch of so many, or not: later ones are twice as large, or half."""
        self._most = max(self._most, 2 * jobs) if well else max(1, min(self._most, jobs) // 2)

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

    async def _send(self, provider: Provider, key: str, spool: Spool) -> AsyncGenerator[Sequence[Event], None]:
        """Upload and create. A definite refusal ends the jobs; a doubt is left to `watch`."""
        reference: dict[str, Any] = {"key": key, "at": time.time(), "jobs": len(spool.jobs)}
        if (wait := self._limit.wait()) > PATIENCE:
            end = unbegun if self._limit.poor else back
            yield [end(*each, self._limit.why, wait) for each in spool.jobs]
            return
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
            if trouble.poor:
                self._limit.unpaid(sent, trouble.reason)
            elif trouble.slow:
                self._limit.slow(sent, trouble.retry_after, trouble.reason)
            self._log.warning("batch of %d jobs: %s", len(spool.jobs), trouble.reason)
            if trouble.unknown and self._options.base_url:
                self.lacking = True
                self._log.warning('%s. To do this from the start: batch_by = "calls"', LACKING)
                yield [back(*each, LACKING) for each in spool.jobs]
            elif not trouble.unsure:
                if trouble.full or trouble.large:
                    self._fits(len(spool.jobs), well=False)
                yield refused(spool.jobs, trouble)
            else:
                self._doubted.add(key)
            return
        reached("created")
        self._limit.well()
        yield [Detached(spool.jobs, reference)]

    async def _clear(self, provider: Provider, reference: dict[str, Any]) -> None:
        """Take away the files of a batch, as far as the provider lets us."""
        if reference["key"] not in self._read:
            return
        self._read.discard(reference["key"])
        try:
            async with asyncio.timeout(CLEAR):
                look = await provider.look(reference["batch"])
                for file in filter(None, (reference.get("file"), *look.files)):
                    with suppress(Exception):  # one that is gone already is no reason to leave the others
                        await provider.clear([file])
        except Exception as error:
            self._log.info(
                "cannot delete the files of batch %s: %s", reference["batch"], provider.trouble(error).reason
            )

    async def _fetch(
        self, provider: Provider, reference: dict[str, Any], look: Look, reading: "Reading"
    ) -> AsyncGenerator[Sequence[Event], None]:
        """All answers of a batch that is over, told as they are read; read again from the start if that breaks.

        They are paid for, so what keeps them from being read is never a reason to give up while the provider still
        knows the batch: it is told, and read past. That no answers are named is, after some looks.
        """
        key, batch, tries, pause = reference["key"], reference["batch"], 0, self._options.poll
        missing = 0
        while tries < FILES and missing < LOOKS:
            bunch: list[Event] = []
            trouble = ""
            try:
                if tries or "silent" in reference:
                    look = await provider.look(batch)
                async for line in provider.results(batch, look):
                    if event := reading.take(provider.read(line), self._output):
                        bunch.append(event)
                    if len(bunch) >= BUNCH:
                        reached("reading")
                        yield bunch
                        bunch = []
            except Exception as error:
                found = provider.trouble(error)
                trouble = f"cannot read its answers: {found.reason}"
                self._log.warning("batch %s: %s", batch, trouble)
                missing += found.unknown and not await _known(provider, batch)
            if bunch:
                reached("reading")
                yield bunch
            if reading.done or (not trouble and (look.files or not look.whole)):
                self._read.add(key)
                return
            if heard(reference, trouble):
                yield [Detached(reading.ids, dict(reference))]
            tries += not trouble
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, SLOWEST * self._options.poll)
        reading.lost = missing >= LOOKS

    def _output(self, job: int, attempt: int, text: str, tokens: Tokens | None) -> Output:
        return self._ending(job, attempt, text, tokens, False, 0.0, self._options.batch_factor)


async def _known(provider: Provider, batch: str) -> bool:
    """Whether the provider still has this batch, as far as it lets us ask."""
    try:
        await provider.look(batch)
    except Exception as error:
        return not provider.trouble(error).unknown
    return True
