"""The handler `worker`: warm programs that read lines and write lines, one chunk of calls at a time.

Both lanes share the same few workers. Whatever a worker does, each call gets exactly one end, and only the call
that a worker failed on suffers for it (recovery.py). Workers see the environment that the configuration allows.
"""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from types import MappingProxyType

from ...config.resources import variables
from ...config.values import HandlerConfig, RunnerConfig
from ...errors import BadData, ConfigError, HybridqError
from ...job import Call, Detached, Event, Failure, Lane
from ...visible import visible
from ..ending import NOT_FOUND, CannotStart
from ..process import worker_environment
from ..protocol import Seats
from .chatter import Chatter
from .dialect import Dialect, JsonLines, PlainLines
from .exchange import Exchange
from .instance import Instance
from .lines import LOG
from .pool import Pool
from .recovery import Chunk, points, remedy
from .session import SessionExchange, SessionTurn
from .turn import ChunkTurn

NOTHING: Mapping[str, str] = MappingProxyType({})
CALLEE = str(Path(__file__).with_name("callee.py"))
CHUNK_LIMIT = 1024
CHUNK_BYTES = 16 * 1024 * 1024  # of input in one chunk, if it is more than one call
LINE_SLACK = 4096  # bytes of a reply around the output
SAMPLE = 200  # bytes of an odd line that are logged
CHECK_TIME = 0.3  # seconds that a worker must stay alive to be believed
IMPORT_TIME = 120.0  # seconds that importing a function may take


class Worker:
    """Runs calls on a pool of workers. `oddities` counts what they wrote that was no proper answer."""

    shared = True

    def __init__(self, name: str, config: HandlerConfig, *, runner: RunnerConfig) -> None:
        self.name = name
        self.chunk_limit = config.chunk or CHUNK_LIMIT
        self.oddities: dict[str, int] = Counter()
        self._argv = worker_command(name, config)
        self._config, self._limit = config, runner.output_limit
        self._dialect: Dialect = PlainLines() if config.protocol == "lines" else JsonLines()
        self._log = logging.getLogger(f"hybridq.worker.{name}")
        self._chatter = Chatter(self._log)
        self._pool = Pool(self._seated, size=config.instances, idle=config.idle)
        self.seats: Seats | None = None  # where its instances get what they need
        self._badness = 0

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Run the calls, sessions by themselves; see `Handler.run`."""
        whole = [call for call in calls if call.pieces is None]
        runs = [self._run(whole, lane)] if whole else []
        runs += [self._session(call, lane) for call in calls if call.pieces is not None]
        for each in runs:
            async with aclosing(each) as bunches:
                async for bunch in bunches:
                    yield bunch

    async def _run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        todo, begun = chunks_of(calls), set[int]()
        while todo:
            chunk, data, refused = self._encode(todo.pop(0), lane)
            if refused:
                yield refused
            if not chunk.calls:
                continue
            try:
                worker = await self._pool.acquire(lane)
            except CannotStart as why:
                yield [why.failure(call) for left in (chunk, *todo) for call in left.calls]
                return
            turn = ChunkTurn(worker, self._exchange(worker, chunk), begun)
            try:
                if events := turn.send(data, last=self._dialect.closes):
                    yield events
                while turn.goes_on:
                    if events := await turn.listen():
                        yield events
            finally:
                await turn.part(self._pool)
            failures, todo = self._cure(turn, chunk, todo)
            if failures:
                yield failures

    async def _session(self, call: Call, lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Give one worker the pieces of a session as they arrive; it has no other call meanwhile."""
        try:
            worker = await self._pool.acquire(lane)
        except CannotStart as why:
            yield [why.failure(call)]
            return
        exchange = SessionExchange(
            [call],
            self._dialect,
            self._notice,
            timeout=self._config.time_limit,
            partial_limit=self._limit,
            earlier=worker.served,
        )
        turn = SessionTurn(worker, exchange)
        try:
            if events := turn.open(call):
                yield events
            while turn.goes_on:
                if events := await turn.listen():
                    yield events
        finally:
            await turn.part(self._pool)
        if exchange.pending:
            yield [turn.failure(call)]

    def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """Workers never detach. Raises ValueError."""
        raise ValueError(f"the handler {self.name} never detaches")

    def cancel(self, job: int) -> None:
        """Nothing: the calls beside it share its process. Its late answer is nobody's."""

    async def check(self) -> str:
        """Start it, send nothing; see `Handler.check`. Raises HybridqError when it cannot start or ends at once."""
        if call := self._config.call:
            python = self._argv[0]
            tried = await self._try([*self._argv[:-1], "--check", call], IMPORT_TIME)
            if not tried.over:
                await tried.end()
                raise HybridqError(f"handlers.{self.name}.call: importing {call} takes longer than {IMPORT_TIME:g}s")
            if tried.returncode:
                raise HybridqError(f"handlers.{self.name}.call: {tried.last_words()}")
            return f"found {call} in {python}"
        tried = await self._try(self._argv, CHECK_TIME)
        if tried.over:
            raise HybridqError(f"handlers.{self.name}.command: it exits at once: {tried.last_words()}")
        await tried.end()
        return f"`{' '.join(self._argv)}` starts, and waits for input"

    async def tend(self, now: float) -> float | None:
        """End idle workers, all of them where others wait for what they hold; see `Handler.tend`."""
        self._chatter.tell([])
        seats = self.seats if self._config.needs else None
        look = self._pool.tend(now, give_up=seats is not None and seats.wanted(time.time()))
        if seats is not None:
            seats.spare(idle=self._pool.still)
        return look

    async def close(self) -> None:
        """End every worker."""
        await self._pool.close()
        self._chatter.say_left_out()

    async def _try(self, argv: Sequence[str], duration: float) -> Instance:
        """A worker with nothing to do, when it ended or after so many seconds."""
        try:
            worker = self._start(argv)
        except CannotStart as why:
            raise HybridqError(f"handlers.{self.name}: {why.reason}") from None
        until = time.monotonic() + duration
        try:
            while not worker.over and time.monotonic() < until:
                await worker.receive(until)
        except BaseException:
            await worker.end()
            raise
        return worker

    def _seated(self) -> Instance | None:
        """A worker with what each of them needs; None: there is not enough of that now."""
        if self.seats is None or not self._config.needs:
            return self._start(self._argv)
        taken = self.seats.take()
        if taken is None:
            return None
        which, given = taken
        try:
            worker = self._start(self._argv, variables(given))
        except BaseException:
            self.seats.give_back(which)
            raise
        worker.gone = partial(self.seats.give_back, which)
        return worker

    def _start(self, argv: Sequence[str], further: Mapping[str, str] = NOTHING) -> Instance:
        try:
            return Instance(
                argv,
                cwd=os.path.expanduser(self._config.cwd) or None,
                env={**worker_environment(os.environ, self._config.env), **further},
                line_limit=self._limit + LINE_SLACK,
                log=self._chatter,
            )
        except CannotStart as why:
            if why.exit_code == NOT_FOUND and "/" not in argv[0]:
                why.reason += f" in PATH; for one in the folder of config.toml, write ./{argv[0]}"
            raise

    def _encode(self, chunk: Chunk, lane: Lane) -> tuple[Chunk, bytes, list[Failure]]:
        """The chunk without the calls whose input cannot be sent, what to write for it, and those calls' ends."""
        parts: list[bytes] = []
        calls: list[Call] = []
        refused: list[Failure] = []
        for call in chunk.calls:
            try:
                parts.append(self._dialect.encode(call))
                calls.append(call)
            except BadData as error:
                refused.append(Failure(call.id, call.attempt, str(error), retryable=False))
        data = self._dialect.chunk(parts, lane) if parts else b""
        return Chunk(tuple(calls), chunk.again), data, refused

    def _exchange(self, worker: Instance, chunk: Chunk) -> Exchange:
        return Exchange(
            chunk.calls,
            self._dialect,
            self._notice,
            timeout=self._config.time_limit,
            partial_limit=self._limit,
            earlier=worker.served,
        )

    def _cure(self, turn: ChunkTurn, chunk: Chunk, todo: list[Chunk]) -> tuple[list[Failure], list[Chunk]]:
        """The failures that a worker's end means, and what is to be done after it."""
        exchange = turn.exchange
        if not exchange.pending:
            self._badness = 0
            return [], todo
        ending = turn.ending()
        self._badness = points(exchange.answered, ending, self._badness)
        cure = remedy(chunk, tuple(exchange.pending.values()), todo, ending, self._badness)
        busy = [turn.waited] + [0.0] * len(cure.failed)
        failures = [
            Failure(call.id, call.attempt, cure.reason, busy=time)
            for call, time in zip(cure.failed, busy, strict=False)
        ]
        return failures, list(cure.chunks)

    def _notice(self, kind: str, line: bytes) -> None:
        """Count a line that is no proper answer and log some of them; lines of the worker's log are logged."""
        if kind == LOG:
            self._chatter.tell([sample(line)])
            return
        self.oddities[kind] += 1
        count = self.oddities[kind]
        if count <= 3 or str(count).strip("0") == "1":  # 1, 2, 3, 10, 100, ...
            self._log.warning("the worker wrote a line %s (%d so far): %s", kind, count, sample(line))


def sample(line: bytes) -> str:
    """The beginning of a line, safe to show."""
    return visible(line[:SAMPLE].decode("utf-8", "replace"))


def chunks_of(calls: Sequence[Call]) -> list[Chunk]:
    """Chunks of at most CHUNK_BYTES of input, so that what is written for one stays small."""
    chunks: list[Chunk] = []
    begin = size = 0
    for place, call in enumerate(calls):
        if size and size + len(call.input) > CHUNK_BYTES:
            chunks.append(Chunk(tuple(calls[begin:place])))
            begin, size = place, 0
        size += len(call.input)
    return [*chunks, Chunk(tuple(calls[begin:]))]


def worker_command(name: str, config: HandlerConfig) -> list[str]:
    """The program that a handler's configuration names. Raises ConfigError when it names none, or two."""
    if bool(config.command) == bool(config.call):
        raise ConfigError(f"handlers.{name}: expected either `command` or `call`")
    if not config.call:
        return list(config.command)
    if not all(part.isidentifier() for part in config.call.replace(":", ".").split(".")) or config.call.count(":") != 1:
        raise ConfigError(f"handlers.{name}.call: expected `module:function`, not {config.call!r}")
    pieces = ["--session"] if config.session else []
    return [os.path.expanduser(config.python) or sys.executable, CALLEE, *pieces, config.call]
