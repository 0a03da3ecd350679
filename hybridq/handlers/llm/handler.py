"""What the kinds `openai` and `anthropic` share: a handler that streams calls and has batches run.

Rule: a request that was refused or not answered is sent again within the attempt only while nothing of its answer
has come; a stream that breaks later, and an answer that is none, is another attempt's to repeat. One trouble slows its
own job, the provider's the whole handler. Keys are read when they are first needed, and kept nowhere else.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from importlib import import_module

import msgspec
from msgspec.structs import replace

from ...brain.llm_prices import CHARACTERS, Tokens, prices
from ...config.llm import LlmOptions, key_variable, missing_key, options
from ...config.values import HandlerConfig, RunnerConfig
from ...errors import HybridqError
from ...installed import install_command
from ...job import Call, Detached, Event, Failure, Lane, Output, Started, Usage
from .admission import FIRST, Admission
from .asking import Asking, within
from .batches import Batches
from .connection import unmade
from .credentials import read_key
from .prompts import prompt
from .provider import Provider, Trouble
from .ratelimit import LAST_PAUSE, MILD, UNPAID, RateLimit

TRIES = 6  # sendings of one request in one attempt
UNPRICED = "; its cost is unknown: set price_input and price_output"
NO_KEY = "none"  # what is sent to a server on this machine that wants no key


class Llm:
    """One model. See `Handler`."""

    shared = False

    def __init__(self, name: str, config: HandlerConfig, *, runner: RunnerConfig) -> None:
        self.name = name
        self.chunk_limit = config.chunk or config.traits.defaults["chunk"]
        self._config, self._timeout, self._width = config, config.time_limit, config.instances
        self._options = options(config)
        self._limit = RateLimit(self._options.requests_per_minute, self._options.tokens_per_minute)
        self._money = Pricing(self._options, runner.output_limit)
        self._batches = Batches(name, self._options, self._open, self._limit, self._money.output)
        self._log = logging.getLogger(f"hybridq.provider.{name}")
        self._opening = asyncio.Lock()
        self._asking: dict[int, asyncio.Task[None]] = {}  # calls of a batch that run as plain requests
        self._ahead: set[int] = set()  # those that are still to be asked
        self._provider: Provider | None = None

    def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Run the calls; see `Handler.run`."""
        if lane is Lane.STREAM:
            return self._one(calls[0], flex=False)
        by = self._options.batch_by
        flex = by == "flex" or (by == "batch" and len(calls) <= self._options.flex_up_to)
        if by == "batch" and not flex and not self._batches.lacking:
            return self._batches.submit(calls)
        return self._all(calls, flex=flex)

    def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """Fetch what a provider's batch gives; see `Handler.resume`."""
        return self._batches.watch(work)

    def cancel(self, job: int) -> None:
        """End a call of a batch that runs as a plain request. What a provider's batch holds cannot be ended alone."""
        self._ahead.discard(job)
        if task := self._asking.get(job):
            task.cancel()

    async def check(self) -> str:
        """Try the key and the model; see `Handler.check`."""
        provider = await self._open()
        try:
            return await provider.check() + self._money.unknown
        except Exception as error:
            raise HybridqError(f"handlers.{self.name}: {provider.trouble(error).reason}") from None

    async def tend(self, now: float) -> float | None:
        """Nothing needs tending."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        if self._provider is not None:
            await self._provider.close()
            self._provider = None

    async def _open(self) -> Provider:
        """The provider, connected to nothing yet. Raises HybridqError where the SDK or the key is missing."""
        async with self._opening:
            if self._provider is None:
                self._provider = await asyncio.to_thread(_make, self.name, self._config, self._options)
            return self._provider

    async def _all(self, calls: Sequence[Call], *, flex: bool) -> AsyncGenerator[Sequence[Event], None]:
        """Calls side by side, as many as there are slots."""
        todo, heard = iter(calls), asyncio.Queue[Sequence[Event] | None]()
        self._ahead.update(call.id for call in calls)

        async def ask(call: Call) -> None:
            async with aclosing(self._one(call, flex=flex, live=False)) as events:
                async for bunch in events:
                    heard.put_nowait(bunch)

        async def work() -> None:
            for call in todo:
                cancelled = [Failure(call.id, call.attempt, "cancelled", retryable=False)]
                if call.id not in self._ahead:
                    heard.put_nowait(cancelled)
                    continue
                self._ahead.discard(call.id)
                self._asking[call.id] = task = asyncio.create_task(ask(call))
                try:
                    await asyncio.wait({task})
                finally:
                    task.cancel()
                    del self._asking[call.id]
                if task.cancelled():
                    heard.put_nowait(cancelled)
                else:
                    task.result()
            heard.put_nowait(None)

        tasks = [asyncio.create_task(work()) for _ in range(min(self._width, len(calls)))]
        try:
            working = len(tasks)
            while working:
                if (bunch := await heard.get()) is None:
                    working -= 1
                else:
                    yield bunch
        finally:
            self._ahead.difference_update(call.id for call in calls)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, call: Call, *, flex: bool, live: bool = True) -> AsyncGenerator[Sequence[Event], None]:
        """One call to its end. `live`: its answer is told as it comes."""
        try:
            text = prompt(self._options.prompt, call)
            provider = await self._open()
        except HybridqError as problem:
            yield [Failure(call.id, call.attempt, str(problem), retryable=False)]
            return
        yield [Started(call.id, call.attempt)]
        guess = len(text) / CHARACTERS + (self._options.max_tokens or 0)
        after, why = 0.0, ""
        for tried in range(1, TRIES + 1):
            turn = Admission(self._limit, call, guess, after=after, why=why)
            async with aclosing(turn.events()) as waits:
                async for bunch in waits:
                    yield bunch
            if turn.sent is None:
                yield [self._held(call, turn)]
                return
            asking = Asking(call, self._timeout, flex, turn.sent, self._money.limit)
            async with aclosing(asking.events(provider, text, live)) as events:
                async for bunch in events:
                    yield bunch
            if end := self._end(call, asking, guess, tried):
                yield end
                return
            after = time.monotonic() + FIRST * 2.0 ** (tried - 1)
            why = self._reason(asking.trouble, call, tried)

    def _held(self, call: Call, turn: Admission) -> Failure:
        """A call goes back to the queue, because all of the handler waits for long."""
        why = turn.why or f"the provider asked to wait {turn.wait:.0f} s"
        # What waits until somebody pays does not wait for ever.
        return Failure(call.id, call.attempt, why, gave_back=True, unbegun=self._limit.poor, retry_after=turn.wait)

    def _reason(self, trouble: Trouble | None, call: Call, tried: int) -> str:
        """Why a call is sent again later; whoever follows needs the advice once, when the wait is told."""
        if trouble is None:
            return ""
        return trouble.reason + (self._advice(trouble) if tried == 1 and call.attempt == 1 else "")

    def _advice(self, trouble: Trouble | None) -> str:
        """What to look at where a server of one's own gives no answer."""
        address = self._options.base_url
        return f". Is the server running? base_url is {address}" if trouble and trouble.unreached and address else ""

    def _end(self, call: Call, asking: Asking, guess: float, tried: int) -> list[Event]:
        """What a request means for its call, and for all that are sent after it; nothing: it is sent again."""
        trouble, tokens = asking.trouble, asking.used()
        if trouble is None:
            self._limit.well()
            if tokens is not None:
                self._limit.correct(tokens.input + tokens.output - guess)
            end = self._money.output(call.id, call.attempt, asking.text, tokens, asking.flex, asking.busy)
            return [replace(end, cut=asking.cut, dropped=asking.dropped) if asking.cut or asking.dropped else end]
        wait = self._slowed(call, asking.sent, trouble)
        if trouble.again and not asking.text and tried < TRIES:
            return []
        back = trouble.full and not asking.text
        failed = Failure(
            call.id,
            call.attempt,
            trouble.reason,
            retryable=trouble.passing,
            busy=asking.busy,
            dropped=asking.dropped,
            gave_back=back,
            retry_after=wait or (FIRST * 2.0**tried if back else None),
            cost=None if tokens is None else self._money.output(call.id, call.attempt, "", tokens, asking.flex).cost,
        )
        return [*asking.unseen(), failed]

    def _slowed(self, call: Call, sent: float, trouble: Trouble) -> float:
        """Make all wait where it is not this call's own trouble; returns for how many seconds."""
        if trouble.poor:
            self._limit.unpaid(sent, trouble.reason)
            self._log.warning("%s: %s; sending the next request in %.0f s", self.name, trouble.reason, UNPAID)
            return 0.0
        if not trouble.again:
            self._limit.heard()
            return 0.0
        if not self._limit.several(call.id) and not trouble.slow:
            return 0.0
        most = LAST_PAUSE if trouble.slow else MILD
        wait = self._limit.slow(sent, trouble.retry_after, trouble.reason, most)
        self._log.warning("%s: %s; pausing its requests for %.1f s", self.name, trouble.reason, wait)
        return wait


class Pricing:
    """An answer as an Output, with what it cost. `limit`: the bytes that are kept of it."""

    def __init__(self, chosen: LlmOptions, limit: int) -> None:
        self.limit = limit
        self._prices = prices(chosen)
        self.unknown = UNPRICED if self._prices is None else ""
        self._flex, self.batch = chosen.flex_factor, chosen.batch_factor

    def output(
        self,
        job: int,
        attempt: int,
        text: str,
        tokens: Tokens | None,
        flex: bool,
        busy: float = 0.0,
        factor: float | None = None,
    ) -> Output:
        """The Output of an answer; `factor` is what it costs of the list price, where that is not the tier's."""
        # Where the server told only half of it, whoever knows the input reckons what it cost (see `money.bill`).
        told = tokens is not None and tokens.input and (tokens.output or not text)
        streamed = self._prices.of(tokens) if self._prices is not None and tokens is not None and told else None
        factor = (self._flex if flex else 1.0) if factor is None else factor
        text, dropped = within(text, self.limit)
        usage = None
        if tokens is not None:
            usage = Usage(input_tokens=tokens.input, cached_tokens=tokens.cached, output_tokens=tokens.output)
        return Output(
            job,
            attempt,
            value=msgspec.json.encode(text.encode("utf-8", "replace").decode()),
            cost=None if streamed is None else streamed * factor,
            streamed=streamed,
            usage=usage,
            busy=busy,
            dropped=dropped,
        )


def _make(name: str, config: HandlerConfig, chosen: LlmOptions) -> Provider:
    if variable := missing_key(config, os.environ):
        raise HybridqError(f"handlers.{name}: {variable} is not set; export it where hybridq runs")
    try:
        key = read_key(key_variable(config), os.environ) or NO_KEY
        module = import_module(f".{config.kind}", __package__)
    except HybridqError as unusable:
        raise HybridqError(f"handlers.{name}: {unusable}") from None
    except ImportError as missing:
        raise HybridqError(f"handlers.{name}: {missing}. Install it: {install_command(config.kind)}") from None
    made: Callable[[LlmOptions, str], Provider] = module.PROVIDER
    try:
        return made(chosen, key)
    except Exception as problem:
        raise HybridqError(f"handlers.{name}: {unmade(problem, os.environ)}") from None
