"""What the kinds `openai` and `anthropic` share: a handler that streams calls and has batches run.

Rule: a refused or failed request slows the whole handler down, and is sent again within the attempt only
while nothing of its answer has come; a stream that breaks later is another attempt's to repeat. Keys are
read from the environment when they are first needed, and kept nowhere else.
"""

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from importlib import import_module

import msgspec
from msgspec.structs import replace

from ...brain.llm_prices import CHARACTERS, Tokens, prices
from ...config.llm import BATCH_LINES, LlmOptions, key_variable, missing_key, options
from ...config.values import HandlerConfig, RunnerConfig
from ...errors import HybridqError
from ...installed import install_command
from ...job import Call, Detached, Event, Failure, Lane, Output, Partial, Started, Throttled, Usage
from ..ending import timed_out
from .batches import Batches
from .connection import unmade
from .credentials import read_key
from .prompts import prompt
from .provider import Provider, Trouble
from .ratelimit import RateLimit

TRIES = 6  # sendings of one request in one attempt
TOLD = 0.9  # seconds; whoever must wait longer than that is told why
PATIENCE = 60.0  # seconds; whoever must wait longer than that goes back to the queue
UNPRICED = "; what it costs is not known: see price_input and price_output"
NO_KEY = "none"  # what is sent to a server on this machine that wants no key


class Llm:
    """One model. See `Handler`."""

    shared = False

    def __init__(self, name: str, config: HandlerConfig, *, runner: RunnerConfig) -> None:
        self.name = name
        self.chunk_limit = config.chunk or BATCH_LINES[config.kind]
        self._kind, self._timeout, self._width = config.kind, config.timeout, config.instances
        self._options = options(config)
        self._limit = RateLimit(self._options.requests_per_minute, self._options.tokens_per_minute)
        self._why = ""  # the last request was not answered for this reason
        self._money = Pricing(self._options)
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
                self._provider = await asyncio.to_thread(_make, self.name, self._kind, self._options)
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
        guess, advice = len(text) / CHARACTERS + (self._options.max_tokens or 0), ""
        for tried in range(1, TRIES + 1):
            if (wait := self._limit.wait()) > PATIENCE:
                why = f"the provider asked for a pause of {wait:.0f} s"
                yield [Failure(call.id, call.attempt, why, gave_back=True, retry_after=wait)]
                return
            if wait > TOLD and self._why:
                yield [Throttled(call.id, call.attempt, self._why + advice, wait)]
            asking = _Asking(call, self._timeout, flex, await self._limit.admit(guess))
            async with aclosing(asking.events(provider, text, live)) as events:
                async for bunch in events:
                    yield bunch
            if (end := self._end(call, asking, guess, last=tried == TRIES)) is not None:
                yield [end]
                return
            first = tried == 1 and call.attempt == 1  # whoever follows needs it once
            advice = self._advice(asking.trouble) if first else ""

    def _advice(self, trouble: Trouble | None) -> str:
        """What to look at where a server of one's own gives no answer."""
        address = self._options.base_url
        return f"; does the server run? base_url is {address}" if trouble and trouble.unreached and address else ""

    def _end(self, call: Call, asking: "_Asking", guess: float, *, last: bool) -> Output | Failure | None:
        """What a request means for its call, and for all that are sent after it; None: it is sent again."""
        trouble, tokens, wait = asking.trouble, asking.used(), 0.0
        if trouble is None:
            self._limit.well()
            self._why = ""
            if tokens is not None:
                self._limit.correct(tokens.input + tokens.output - guess)
            return self._money.output(call.id, call.attempt, asking.text, tokens, asking.flex, asking.busy)
        if trouble.slow:
            self._why, wait = trouble.reason, self._limit.slow(asking.sent, trouble.retry_after)
            self._log.warning("%s: %s; everything of it waits %.1f s", self.name, trouble.reason, wait)
        if trouble.passing and not asking.text and not last:
            return None
        return Failure(
            call.id,
            call.attempt,
            trouble.reason,
            retryable=trouble.passing,
            busy=asking.busy,
            gave_back=trouble.full and not asking.text,
            retry_after=wait or None,
            cost=None if tokens is None else self._money.output(call.id, call.attempt, "", tokens, asking.flex).cost,
        )


class _Asking:
    """One request: its answer so far, how long it took, and what went wrong."""

    def __init__(self, call: Call, timeout: float | None, flex: bool, sent: float) -> None:
        """`sent` is the monotonic second at which it may be sent."""
        self._call, self.flex, self.sent = call, flex, sent
        self._timeout = min((t for t in (call.timeout, timeout) if t is not None), default=None)
        self._pieces: list[str] = []
        self._asked = 0  # characters
        self.tokens: Tokens | None = None
        self.trouble: Trouble | None = None
        self.busy = 0.0

    @property
    def text(self) -> str:
        """What has come of the answer."""
        return "".join(self._pieces)

    def used(self) -> Tokens | None:
        """What it used; where the server does not tell, or not all of it, by the length of what was asked and said.
        None: nothing came of it."""
        told, answer = self.tokens or Tokens(), self.text
        if self.tokens is None and not answer:
            return None
        output = told.output or math.ceil(len(answer) / CHARACTERS)
        return replace(told, input=told.input or math.ceil(self._asked / CHARACTERS), output=output)

    async def events(self, provider: Provider, text: str, live: bool) -> AsyncGenerator[Sequence[Event], None]:
        """Its partial output; at the end `trouble` says whether it went well."""
        began, self._asked = time.monotonic(), len(text)
        end = None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout
        try:
            async with aclosing(provider.stream(text, flex=self.flex)) as pieces:
                while True:
                    async with asyncio.timeout_at(end):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if isinstance(piece, Tokens):
                        self.tokens = piece
                        continue
                    self._pieces.append(piece)
                    if live:
                        yield [Partial(self._call.id, self._call.attempt, piece.encode("utf-8", "replace"))]
        except TimeoutError:
            self.trouble = Trouble(reason=timed_out(self._timeout or 0.0))
        except Exception as error:
            self.trouble = provider.trouble(error)
        finally:
            self.busy = time.monotonic() - began


class Pricing:
    """An answer as an Output, with what it cost."""

    def __init__(self, chosen: LlmOptions) -> None:
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
        # Where the server told only half of it, whoever knows the input reckons what it cost (see `settling`).
        told = tokens is not None and tokens.input and (tokens.output or not text)
        streamed = self._prices.of(tokens) if self._prices is not None and tokens is not None and told else None
        factor = (self._flex if flex else 1.0) if factor is None else factor
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
        )


def _make(name: str, kind: str, chosen: LlmOptions) -> Provider:
    if variable := missing_key(kind, chosen, os.environ):
        raise HybridqError(f"handlers.{name}: {variable} is not set; export it where hybridq runs")
    try:
        key = read_key(key_variable(kind, chosen), os.environ) or NO_KEY
        module = import_module(f".{kind}", __package__)
    except HybridqError as unusable:
        raise HybridqError(f"handlers.{name}: {unusable}") from None
    except ImportError as missing:
        raise HybridqError(f"handlers.{name}: {missing}. Install it: {install_command(kind)}") from None
    made: Callable[[LlmOptions, str], Provider] = module.PROVIDER
    try:
        return made(chosen, key)
    except Exception as problem:
        raise HybridqError(f"handlers.{name}: {unmade(problem, os.environ)}") from None
