"""One chunk of calls in the hands of one worker: what is still unanswered, and what its lines become.

Each call gets at most one end here, whatever the worker writes. Lines that are no answer to a pending call are
handed on as oddities and change nothing else. Times are monotonic seconds.
"""

import math
from collections.abc import Callable, Container, Sequence

import msgspec
from msgspec import Raw

from ...job import DEAREST, Call, Event, Failure, Output, Partial, Started, Usage
from .dialect import Dialect
from .lines import HEAD, LOG, UNREADABLE, Oddity, Reply, given
from .spread import Spread

REASON_LIMIT = 4000  # characters that are kept of a worker's error
UNUSABLE = {
    "too long": "the worker's answer exceeds the output limit",
    "not JSON": "the worker's answer is not JSON",
}
HARMLESS = {LOG, "answered twice"}  # lines that cannot have been the answer to a pending call

Notice = Callable[[str, bytes], None]  # kind of oddity, the line


class Exchange:
    """Turns what a worker writes into events. `earlier` holds the ids of the worker's chunk before."""

    def __init__(
        self,
        calls: Sequence[Call],
        dialect: Dialect,
        notice: Notice,
        *,
        timeout: float | None,
        partial_limit: int,
        earlier: Container[int] = (),
    ) -> None:
        self.ids = frozenset(call.id for call in calls)
        self.pending = {call.id: call for call in calls}
        self.answered = 0
        self.others = 0  # lines since the last answer that are none
        self.other = b""  # the last of them
        self.suspicious = 0  # lines that may have been meant as answers to pending calls
        self._dialect, self._notice = dialect, notice
        self._timeout, self._partial_limit = timeout, partial_limit
        self._earlier = earlier
        self._spread = Spread(2 * partial_limit)
        self._partials: dict[int, int] = {}  # bytes of partial output a call
        self.since = math.inf  # when the last answer came, or the chunk went out

    @property
    def unclear(self) -> bool:
        """Every pending call may have been answered by a line that nobody can read."""
        return self.suspicious + self._spread.open >= len(self.pending) > 0

    @property
    def until(self) -> float:
        """When the first pending call has taken too long; infinity when it may take for ever."""
        return self.since + (self.timeout or math.inf)

    @property
    def timeout(self) -> float | None:
        """How long the first pending call may take, in seconds."""
        first = next(iter(self.pending.values()), None)
        return self._timeout if first is None or first.timeout is None else first.timeout

    def spoke(self, call: Call) -> bool:
        """Part of the call's output is out already: it cannot be tried again unseen."""
        return call.id in self._partials

    def sent(self, now: float) -> None:
        """The chunk is on its way."""
        self.since = now

    def begin(self, now: float, startup: float, begun: set[int]) -> list[Event]:
        """The worker has begun to read: the calls that had not `begun` do; the first pays for the start."""
        self.since = now
        events: list[Event] = []
        for call in self.pending.values():
            if call.id not in begun:
                events.append(Started(call.id, call.attempt, 0.0 if events else startup))
        begun.update(self.pending)
        return events

    def hear(self, lines: Sequence[bytes], now: float, *, over: bool = False) -> list[Event]:
        """The events that these lines make; `over`: no more will come."""
        ends: list[tuple[Call, Reply]] = []
        events: list[Event] = []
        if not self._dialect.closes:
            lines = self._spread.join(lines)
            lines += self._spread.rest() if over else []
        for line in lines:
            self._hear(line, ends, events)
        if ends:
            share = (now - self.since) / len(ends)
            self.since, self.others = now, 0
            self.answered += len(ends)
            events += [self._end(call, reply, share) for call, reply in ends]
        return events

    def _hear(self, line: bytes, ends: list[tuple[Call, Reply]], events: list[Event]) -> None:
        reply = self._dialect.parse(line, self.pending)
        if isinstance(reply, Oddity):
            self._odd(reply, line)
            if reply.repaired:
                self._hear(reply.repaired, ends, events)
                return
            if reply.id is None:
                return
            reply = Reply(reply.id, error=_raw(UNUSABLE[reply.kind]))
        call = self.pending.get(reply.id)
        if call is None:
            known = reply.id in self.ids or reply.id in self._earlier
            self._odd(Oddity("answered twice" if known else "for an unknown id"), line)
        elif reply.attempt is not None and reply.attempt != call.attempt:
            self._odd(Oddity("for another attempt"), line)
        else:
            if given(reply.partial):
                self._partial(call, reply.partial, events)
            if reply.output or given(reply.error):
                del self.pending[call.id]
                ends.append((call, reply))

    def _odd(self, oddity: Oddity, line: bytes) -> None:
        self._notice(oddity.kind, line)
        self.others, self.other = self.others + 1, line[:HEAD]
        if oddity.kind not in HARMLESS and not oddity.repaired:
            self.suspicious += 1

    def _partial(self, call: Call, raw: Raw, events: list[Event]) -> None:
        data = _text(raw).encode()
        so_far = self._partials.get(call.id, 0)
        self._partials[call.id] = so_far + len(data)
        if kept := data[: max(0, self._partial_limit - so_far)]:
            events.append(Partial(call.id, call.attempt, kept))

    def _end(self, call: Call, reply: Reply, busy: float) -> Output | Failure:
        dropped = max(0, self._partials.get(call.id, 0) - self._partial_limit)
        if given(reply.error):
            reason = _text(reply.error)[:REASON_LIMIT]
            return Failure(call.id, call.attempt, reason, busy=busy, dropped=dropped)
        return Output(
            call.id,
            call.attempt,
            bytes(reply.output),
            cost=self._cost(reply.cost) if given(reply.cost) else None,
            usage=self._usage(reply.usage) if given(reply.usage) else None,
            busy=busy,
            dropped=dropped,
        )

    def _cost(self, raw: Raw) -> float | None:
        try:
            cost = msgspec.json.decode(raw, type=float)
        except UNREADABLE:
            cost = math.nan
        if 0 <= cost <= DEAREST:
            return cost
        self._notice("with a wrong cost", bytes(raw))
        return None

    def _usage(self, raw: Raw) -> Usage | None:
        try:
            return msgspec.json.decode(raw, type=Usage)
        except UNREADABLE:
            self._notice("with a wrong usage", bytes(raw))
            return None


def _raw(text: str) -> Raw:
    return Raw(msgspec.json.encode(text))


def _text(raw: Raw) -> str:
    """A JSON text's content; any other value as the JSON that it is."""
    data = bytes(raw)
    return msgspec.json.decode(data, type=str) if data.startswith(b'"') else data.decode()
