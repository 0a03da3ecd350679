"""The flow: items from the intake to workers, their results to the outlet, and what is shed to the clerk.

Rule: each item that was accepted has exactly one place: its line went out, or it is a job, or it is in the journal.
Memory is bounded: reading waits while more than ROOM bytes are on their way.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from itertools import repeat

import msgspec

from ..errors import HybridqError
from ..handlers.guard import Guarded
from ..job import Call, Event, Failure, Lane, Output, Partial, Started
from .backlog import Backlog, Block, Chunk
from .figures import Counting
from .item import SHED, Form, encoded
from .journal import Journal, Place
from .order import Order
from .results import Results
from .shedding import Shedding

ROOM = 16 * 1024 * 1024  # bytes of items that may be on their way
CALL_BYTES = 1024 * 1024  # of input in one call
NULL = b"null"

quoted = msgspec.json.encode


class Flow:
    """What one pipe does with its items. `places`: where reading goes on, by source."""

    def __init__(
        self,
        handler: Guarded,
        *,
        form: Form,
        ordered: bool,
        hands: int,
        shedding: Shedding,
        journal: Journal | None,
        out: int,
        safe: bool,
    ) -> None:
        self._handler, self._form = handler, form
        self._most = handler.chunk_limit if handler.shared else 1
        self._hands = hands
        self._full: asyncio.Event = asyncio.Event()
        self.counting = Counting(time.monotonic())
        self.results = Results(
            out,
            form,
            self.counting,
            journal,
            self._full.set,
            ordered=ordered,
            safe=safe,
            within=shedding.within,
        )
        self._backlog = Backlog()
        self._order = Order(self.results.ready, ordered=ordered)
        self._shedding = shedding
        self._journal = journal
        self.places: dict[int, Place] = {}
        self.shed: deque[Block] = deque()  # not jobs yet
        self._shed_size = 0
        self._unwritten: deque[Block] = deque()  # the last of those: the journal does not say so yet
        self._taken = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._over = False
        self._starting: dict[int, float] = {}  # seconds that a call waited for its worker to start, by its first item
        self.last_failure = ""
        self.disk = ""  # why it accepts nothing now
        self.dirty = False  # the journal holds what may not survive a power cut

    # what the intake asks

    def take(self, items: list[bytes], place: Place) -> None:
        """See `Taker`."""
        if not items:
            return
        now, first = time.monotonic(), self._taken
        if self._journal is not None:
            self._journal.accept(first, items, self._form.end, place)
            self.dirty = True
        block = Block(first, now, items)
        self._accepted(block.after, place)
        self._backlog.add(block)
        self.counting.came(len(items), sum(map(len, items)) + len(items), now)
        self._wake()

    def close_live(self, closed: bool) -> None:
        """From now on everything is shed, or as usual."""
        self._shedding.closed = closed
        self.look()

    def refuse(self, reason: str, place: Place) -> None:
        """See `Taker`."""
        now, first = time.monotonic(), self._taken
        if self._journal is not None:
            self._journal.refuse(first, place)
        self._accepted(first + 1, place)
        self.counting.came(1, 0, now)
        chunk = Chunk(first, [b""], [(now, 1)], 0, [NULL])
        chunk.results[0] = self._failed(first, reason)
        self._order.begin(chunk)
        self._order.advance(chunk)

    async def room(self) -> None:
        """See `Taker`."""
        while self.held > ROOM and self.results.gone is None:
            self._full.clear()
            await self._full.wait()

    def trouble(self, what: str) -> None:
        """See `Taker`."""
        self.disk = what

    @property
    def held(self) -> int:
        """Bytes on their way."""
        return self._backlog.size + self._order.size + self._shed_size + self.results.waiting

    @property
    def taken(self) -> int:
        """How many items were accepted."""
        return self._taken

    # what happens to the items

    async def run(self) -> None:
        """Answer what comes until `finish` was called and all is answered, or shed."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._hands):
                tasks.create_task(self._hand())

    def finish(self) -> None:
        """No more will come."""
        self._over = True
        while self._idle:
            self._wake()

    def look(self) -> float | None:
        """Shed what is too late by now; returns in how many seconds to look again, or None."""
        self._shed(self._shedding.too_late(self._backlog, time.monotonic()))
        return None if not self._shedding.sheds else min(0.05, (self._shedding.within or 1.0) / 4)

    def shed_all(self) -> None:
        """Shed what was not sent yet."""
        self._shed(self._backlog.last(self._backlog.count))

    def shed_unanswered(self) -> None:
        """Shed also what workers have and did not answer; for the very end."""
        shed = {number for block in self.shed for number in range(block.first, block.after)}
        for number, item in self._order.left():
            if number not in shed:
                self._put_away(Block(number, 0.0, [item]))

    def write_shed(self) -> str:
        """Say in the journal what was shed on a full disk, and let its lines go out. Returns why it still cannot."""
        while self._unwritten and self._journal is not None:
            block = self._unwritten[0]
            try:
                self._journal.shed(block.first, len(block.items))
            except OSError as problem:
                return problem.strerror or "the disk refuses"
            self._unwritten.popleft()
            self._order.fill(dict.fromkeys(range(block.first, block.after), (SHED, NULL)))
        return ""

    @property
    def to_hand_in(self) -> list[Block]:
        """What may become jobs: shed, and in the journal as such."""
        return list(self.shed)[: len(self.shed) - len(self._unwritten)]

    def give_up(self) -> None:
        """No answer comes any more: what has none leaves an empty line, so that the answers behind it go out."""
        self._order.fill(dict.fromkeys([number for number, _ in self._order.left()], (SHED, NULL)))

    def handed(self, block: Block) -> None:
        """This block, the first of `shed`, has become jobs."""
        self.shed.popleft()
        self._shed_size -= block.size
        if self._journal is not None:
            self._journal.leave([(block.first, len(block.items))])
        self._full.set()

    async def flushed(self) -> None:
        """Returns when all lines went out, or none will."""
        while self.results.waiting and self.results.gone is None:
            self._full.clear()
            await self._full.wait()

    async def _hand(self) -> None:
        while True:
            while not self._backlog.count:
                if self._over:
                    return
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
            self._shed(self._shedding.too_late(self._backlog, time.monotonic()))
            if self._backlog.count and (chunk := self._next()) is not None:
                await self._call(chunk)
            else:
                await asyncio.sleep(0.001 if self._backlog.count else 0)

    def _next(self) -> Chunk | None:
        """The next call's items; None while too many results wait for an earlier one."""
        if self._order.size > ROOM:
            return None
        fair = -(-self._backlog.count // (1 + len(self._idle)))
        most = self._shedding.fits(self._backlog, min(self._most, fair), time.monotonic())
        chunk = self._backlog.take(most, CALL_BYTES)
        self._order.begin(chunk)
        if self._backlog.count:
            self._wake()
        return chunk

    async def _call(self, chunk: Chunk) -> None:
        calls = self._calls(chunk)
        began = time.monotonic()
        partials: dict[int, list[bytes]] = {}
        self._starting[chunk.first] = 0.0
        try:
            if calls:
                async with aclosing(self._handler.run(calls, Lane.STREAM)) as bunches:
                    async for bunch in bunches:
                        self._hear(chunk, bunch, partials)
        except HybridqError as problem:
            self._fail_rest(chunk, str(problem))
        started = self._starting.pop(chunk.first)
        if calls:
            self._shedding.learn(len(calls), max(1e-6, time.monotonic() - began - started))
        self._order.advance(chunk)
        self._full.set()

    def _calls(self, chunk: Chunk) -> list[Call]:
        form, number = self._form, chunk.first
        calls, inputs = [], []
        for line in chunk.items:
            number += 1
            data = encoded(form, line)
            if type(data) is bytes:
                calls.append(Call(id=number, attempt=1, input=data))
                inputs.append(data)
            else:
                chunk.results[len(inputs)] = self._failed(number - 1, str(data))
                inputs.append(quoted(line.decode(errors="replace")))
        chunk.inputs = inputs
        return calls

    def _hear(self, chunk: Chunk, bunch: Sequence[Event], partials: dict[int, list[bytes]]) -> None:
        results, before, done, busy = chunk.results, chunk.first + 1, 0, 0.0
        for event in bunch:
            if type(event) is Output:
                value = event.value
                if value is None:
                    value = quoted(b"".join(partials.pop(event.id, [])).decode(errors="replace"))
                results[event.id - before] = ("output", value)
                busy += event.busy
                done += 1
            elif type(event) is Failure:
                busy += event.busy
                self._fail(chunk, event.id - before, event)
            elif type(event) is Started:
                if event.startup:
                    self._starting[chunk.first] += event.startup
            elif type(event) is Partial and event.stream == 1:
                partials.setdefault(event.id, []).append(event.data)
        self.counting.so_far.answered += done
        self.counting.so_far.busy += busy
        self._order.advance(chunk)

    def _fail(self, chunk: Chunk, place: int, event: Failure) -> None:
        if event.gave_back or event.unbegun:
            block = Block(chunk.first + place, 0.0, [chunk.items[place]])
            self._put_away(block)
            if not self._unwritten:
                chunk.results[place] = (SHED, NULL)
            return
        chunk.results[place] = self._failed(chunk.first + place, event.reason)

    def _failed(self, number: int, reason: str) -> tuple[str, bytes]:
        self.counting.so_far.failed += 1
        self.last_failure = f"item {number + 1}: {reason}"
        return "error", quoted(reason)

    def _fail_rest(self, chunk: Chunk, reason: str) -> None:
        for place, found in enumerate(chunk.results):
            if found is None:
                chunk.results[place] = self._failed(chunk.first + place, reason)

    # what is shed

    def _shed(self, blocks: list[Block]) -> None:
        for block in blocks:
            chunk = Chunk(block.first, block.items, [(block.at, len(block.items))], 0)
            self._order.begin(chunk)
            self._put_away(block)
            if not self._unwritten:
                chunk.results = list(repeat((SHED, NULL), len(block.items)))
                self._order.advance(chunk)

    def _put_away(self, block: Block) -> None:
        """To be jobs. The journal says so first, of all in their order: their number tells which of them are jobs."""
        self.shed.append(block)
        self._shed_size += block.size
        self.counting.so_far.shed += len(block.items)
        if self._journal is None:
            return
        if not self._unwritten:
            with contextlib.suppress(OSError):
                self._journal.shed(block.first, len(block.items))
                return
        self._unwritten.append(block)

    # small things

    def _accepted(self, taken: int, place: Place) -> None:
        self._taken = taken
        if place.inode:
            self.places[place.source] = place

    def _wake(self) -> None:
        if self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
