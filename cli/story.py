"""What `show` and `explain` say: facts in words, then the views that draw them.

Rule: unknown is left out or said, never guessed; each ends with the commands that one may type next.
"""

import shlex
import sys
from collections.abc import Iterator

from msgspec.structs import replace
from rich.console import RenderableType

from hybridq.job import ENDED, Happening, State
from hybridq.queue.flushes import FlushRecord
from hybridq.queue.learned import Promise
from hybridq.sentences import sentence
from hybridq.status.detail import Detail, Explanation
from hybridq.status.snapshot import Row
from hybridq.visible import visible_line
from hybridq.when import clock, count, decimals, eta, money, money_to, span

from .draw import words
from .draw.job import Fact, draw_detail, draw_explanation
from .draw.plain import unpadded
from .draw.terminal import screen
from .draw.troubles import deadline as told_deadline
from .draw.trying import retries, time_limit
from .tell import columns, is_tty

ONE_LINE = 200  # cells of an input or a result
PIPE = 160  # cells of a line where no terminal says how wide it is


def tell_detail(found: Detail, now: float) -> None:
    """Print all that is known of a job or group."""
    _print(detail_view(found, now))


def tell_explanation(found: Explanation, now: float) -> None:
    """Print why a job or group runs as it does."""
    _print(explanation_view(found, now))


def detail_view(found: Detail, now: float) -> RenderableType:
    """All that is known of a job or group."""
    history = [(each.at, each.text) for each in found.history]
    return draw_detail(found, now, history, list(_details(found, now)), currency=found.currency)


def explanation_view(found: Explanation, now: float) -> RenderableType:
    """Why a job or group runs as it does."""
    row = found.row
    name = row.group if row.group is not None else f"job {row.id}"
    if row.group is None and found.together > 1:
        name += f", as all {count(found.together)} of {found.group}"
    history = [(each.at, each.text) for each in found.history]
    facts = list(reasons(found, now))
    name, decided, currency = visible_line(name, ONE_LINE), found.decided, found.currency
    decision = found.decision
    if decision.warning is not None and row.why_kind == decision.warning.kind:  # with today's figures, below
        decision = replace(decision, warning=None)
    return draw_explanation(name, decision, decided, now, history, facts, currency=currency)


def _details(found: Detail, now: float) -> Iterator[Fact]:
    if found.input is not None and found.input_bytes is not None:
        cut = f" ({count(found.input_bytes)} bytes)" if found.input_bytes > ONE_LINE else ""
        yield "input", visible_line(found.input, ONE_LINE) + cut
    yield from _schedule(found, now)
    yield from _others(found.others)
    yield from _asked(found)
    yield from _tried(found, now)
    yield from _came(found, now)
    if found.flush is not None:
        yield "flush", _flush(found.flush, now, found.currency)
    if found.promise is not None:
        yield "promised", _promised(found.promise, found, found, now)
    for path in found.files:
        yield "file", path
    for command in _next(found):
        yield "next", command


def _asked(found: Detail) -> Iterator[Fact]:
    """What was asked for beside the input."""
    if found.cwd is not None:
        yield "folder", found.cwd
    if found.env:
        yield "variables", visible_line(" ".join(found.env), 4 * ONE_LINE)
    for why in sorted(set(found.left_out.values())):
        names = [name for name, reason in found.left_out.items() if reason == why]
        yield "not passed", visible_line(f"{' '.join(sorted(names))}: {why}. To pass one: --env NAME", 4 * ONE_LINE)
    if found.priority:
        yield "priority", str(found.priority)
    if found.retries and (found.backoff is not None or found.retry_on):
        yield "retries", retries(found.retries, found.backoff, found.retry_on)
    if limit := time_limit(found.timeout, found.timeout_factor, found.usual):
        yield "time limit", limit
    if found.max_cost is not None:
        yield "cost limit", money(found.max_cost, found.currency, fine=True)


def _tried(found: Detail, now: float) -> Iterator[Fact]:
    if found.attempt:
        used = min(found.attempt - 1, found.failures or 0, found.retries)
        yield (
            "attempts",
            f"{found.attempt}, {used} of {found.retries} retries used" if found.retries else str(found.attempt),
        )
    if found.not_before is not None:
        yield (
            "next try" if found.attempt else "not before",
            f"{clock(found.not_before, now)}, {words.until(found.not_before, now)}",
        )


def _came(found: Detail, now: float) -> Iterator[Fact]:
    """What came of it."""
    if found.error is not None and found.state is not State.FAILED:
        yield "last error", found.error
    if found.first is not None:
        yield "first byte", f"{clock(found.first, now)}, after {span(max(0.0, found.first - found.submitted))}"
    if found.busy:  # 0: it ended before its start could be told apart
        yield "busy", span(found.busy)
    if found.streamed is not None and found.state is State.DONE:
        told = money(found.streamed, found.currency)
        yield "streamed", f"would have cost {told} as it came, in a call of its own"
    if found.usage:
        yield "usage", ", ".join(f"{count(number)} {name.replace('_', ' ')}" for name, number in found.usage.items())
    if found.result is not None:
        yield "result", visible_line(found.result, ONE_LINE)
    if found.cut is not None:
        yield "cut", f"the answer was cut off ({found.cut}): raise max_tokens, then submit it again"
    if found.dropped:
        yield "dropped", f"{count(found.dropped)} bytes of output beyond the limit"
    if found.missing:
        yield "missing", f"{count(found.missing)} bytes of output: their files were truncated or removed"


def reasons(found: Explanation, now: float) -> Iterator[Fact]:
    """What is told of a decision beside the comparison."""
    row = found.row
    yield "decided", clock(found.decided, now)
    if found.decision.reason.waits is None:
        yield "who waits", f"{row.audience.value} ({found.signal})"
    if found.decision.forecast.assumed:
        yield "assumed", ", ".join(found.decision.forecast.assumed)
    yield from _schedule(found, now)
    if found.flush is not None:
        yield from _flushes(found, found.flush, now)
    elif found.planned is not None and row.why_kind == found.decision.reason.kind:
        planned = "planned by" if row.why_kind == words.BUSY else "planned for"
        yield "flush", f"{planned} {clock(found.planned, now)}, {words.until(found.planned, now)}"
    if found.promise is not None:
        yield "promised", _promised(found.promise, row, found, now)
    if row.cost is not None:
        yield "cost", _cost(row, row.cost, found)
    yield from _others(found.others)
    if deadline := told_deadline(row, now):
        yield "deadline", deadline
    if found.timeout_factor is not None:
        yield "time limit", time_limit(found.timeout, found.timeout_factor, found.usual)
    told = row.why_kind == found.decision.reason.kind  # by the head
    yield "now", words.standing(replace(row, why="") if told else row, now)


def _flushes(found: Explanation, last: FlushRecord, now: float) -> Iterator[Fact]:
    """The last flushes, the oldest first; that there were others where not all are known."""
    if found.earlier:
        yield "flushes", f"{count(found.earlier)} before these"
    for each in found.before:
        yield "flush", _flush(each, now, found.currency)
    yield "flush" if found.earlier is not None else "last flush", _flush(last, now, found.currency)


def _flush(flush: FlushRecord, now: float, currency: str) -> str:
    """When it ran, with how many, and why."""
    ran = f"{flush.id} at {clock(flush.started, now)}, price x{flush.factor:g}"
    why = sentence(flush.reason, flush.started, currency)
    if flush.ended is None:
        return f"{ran}, running: {why}"
    jobs = f"{count(flush.done)} done" + (f", {count(flush.failed)} failed" if flush.failed else "")
    cost = f", cost {money(flush.cost, currency)}" if flush.cost else ""
    return f"{ran}, {jobs} in {span(max(0.0, flush.ended - flush.started))}{cost}: {why}"


def _schedule(found: Detail | Explanation, now: float) -> Iterator[Fact]:
    """The schedule that made it, where one did."""
    if found.schedule is not None and found.instant is not None:
        yield "schedule", f"{found.schedule}, due {clock(found.instant, now)}"


def _others(others: tuple[int, ...]) -> Iterator[Fact]:
    """That not all of a group is as what is told here."""
    if others:
        differ = "1 part differs" if len(others) == 1 else f"{count(len(others))} parts differ"
        yield "others", f"{differ}: hybridq explain {others[0]}"


def _cost(row: Row, cost: float, found: Explanation) -> str:
    """What it really cost, beside what was forecast for it; for one of many, its share of that."""
    forecast = found.decision.forecast.cost
    if forecast is None or (row.group is not None and row.jobs != found.together):
        return money(cost, found.currency)
    foreseen = forecast * row.jobs / found.together
    places = decimals([cost, foreseen])
    return f"{money_to(places, cost, found.currency)}; forecast {money_to(places, foreseen, found.currency)}"


def _promised(promise: Promise, row: Row, found: Detail | Explanation, now: float) -> str:
    """The promise, and how it was kept; what somebody did by hand was not foreseen."""
    said = f"done {eta(promise.finish, promise.finish90, promise.made)}"
    if promise.finish is None or row.finished is None:
        return said
    if any(each.kind is Happening.RETRIED for each in found.history):
        return f"{said}; retried since"
    if cancelled := row.counts.get(State.CANCELLED):
        at = clock(row.finished, now)
        return (
            f"{said}; cancelled {at}" if row.jobs == 1 else f"{said}; {count(cancelled)} jobs cancelled, finished {at}"
        )
    late = row.finished - promise.finish
    how = "as promised" if abs(late) < 1 else f"{span(abs(late))} {'later' if late > 0 else 'sooner'}"
    drained = ": drained" if found.flush is not None and found.flush.rule == "drain" else ""
    return f"{said}; was done {_as_fine(row.finished, now, promise)}, {how}{drained}"


def _as_fine(at: float, now: float, promise: Promise) -> str:
    """The instant to the second where the promise was, else to the minute, the nearest, however long ago it is."""
    seconds = clock(promise.finish or at, promise.made).count(":") == 2
    shown = clock(at if seconds else 60.0 * round(at / 60), now)
    minute = shown[:-3] if shown.count(":") == 2 else shown
    return f"{minute}:{int(at) % 60:02}" if seconds else minute


def _next(row: Row) -> Iterator[str]:
    """The commands that make sense now."""
    name = str(row.id) if row.group is None else shlex.quote(row.group)
    if row.state is not State.QUEUED:
        yield f"hybridq output {name}"
    if row.state not in ENDED:
        yield f"hybridq follow {name}"
        yield f"hybridq cancel {name}"
    if row.state in (State.FAILED, State.CANCELLED) or row.counts.keys() & {State.FAILED, State.CANCELLED}:
        yield f"hybridq retry {name}"
    yield f"hybridq explain {name}"


def _print(what: RenderableType) -> None:
    """To a terminal as wide as it is; elsewhere as plain lines that no width has cut."""
    if is_tty(sys.stdout):
        screen().print(what)
        return
    print(unpadded(what, columns(PIPE)))
