"""The words that every view and command uses for the same thing: mode, state, ETA, why.

Rule: `status`, `submit`, `follow` and `drain` take their phrases from here, so that a job is called
the same wherever it is seen. Plain strings; imports no rich, because `submit` must start fast.
Words that hold text from jobs are not yet safe for a terminal unless the function says so.
"""

import signal
from datetime import datetime

from hybridq.job import ENDED, Decision, Forecast, Lane, State
from hybridq.sentences import sentence
from hybridq.status.snapshot import Head, Row
from hybridq.visible import visible_line
from hybridq.when import clock, count, eta, money, nearest, span

from .troubles import troubles

SEPARATOR = " · "
LATE = "LATE"
NOW = "now"
NONE = "-"  # stands for what is unknown in a table
DAY = 86400.0
TWICE = "over twice"
NOTABLE = 0.05  # of a cost; what is less of it is not told apart
LEAST = 0.01  # money; less does not matter by itself
LINE = 400  # cells: as much of one sentence as is ever printed outside a table
BUSY = "busy"  # the kind of reason of what begins as soon as the machine is idle
RULES = {
    "plan": "cheapest time",
    "worth-it": "waiting saves nothing",
    "trial": "finding out what sharing saves",
    "deadline": "deadline",
    "full": "full",
    "drain": "started by hand",
    "watched": "alone, after a crash",
}


def id_range(row: Row) -> str:
    """`7`, or `12-10011` for a group."""
    return str(row.id) if row.last == row.id else f"{row.id}-{row.last}"


def short_ids(row: Row) -> str:
    """`7`, or `12+` for a group: in a table, where the group's name and size stand beside it."""
    return str(row.id) if row.last == row.id else f"{row.id}+"


def what(row: Row) -> str:
    """The job's handler and input, or the group's name and what it is made of."""
    if row.group is None:
        return row.what
    return f"{row.group}{SEPARATOR}{count(row.jobs)} {row.handler}"


def state(row: Row) -> str:
    """The state, said so that the lane can be told: `held` waits for a flush, `streaming` is live now."""
    if row.state is State.QUEUED and row.lane is not Lane.STREAM:
        return "held" if row.lane is Lane.BATCH else "waiting"
    if row.state is State.RUNNING and row.lane is Lane.STREAM:
        return "streaming"
    return row.state.value


def ended_jobs(row: Row) -> int:
    """How many of the row's jobs have ended, well or badly."""
    return sum(row.counts.get(state, 0) for state in ENDED)


def begun_jobs(row: Row) -> int:
    """How many have run, here or at a provider, and not been cancelled; all of them only when all are here."""
    ran = ended_jobs(row) - row.counts.get(State.CANCELLED, 0)
    return min(ran + (row.away or 0), max(ran, row.jobs - 1))


def untold(row: Row) -> bool:
    """Whether a provider works on it and does not tell how far it is."""
    return row.away is None and not ended_jobs(row)


def percent(row: Row) -> int:
    """How much of the row has run, rounded down: 100 means all, and none of it cancelled."""
    return 100 * begun_jobs(row) // max(1, row.jobs)


def percent_of(part: float | None) -> str:
    """A part of a whole in percent, rounded so that 100% means all of it, and 0% none; a dash where it is unknown."""
    if part is None:
        return NONE
    rounded = f"{part:.0%}"
    return f"{part:.2%}" if rounded.strip("-%") in ("0", "100") and part not in (0.0, 1.0) else rounded


def part_of(share: float | None) -> str:
    """A saving in percent; of a loss of more than the whole no percentage is told."""
    return f"{TWICE} as much" if share is not None and share < -1 else percent_of(share)


def mode(row: Row) -> str:
    """The mode, or `mixed` where a group has several."""
    return "mixed" if row.mixed else row.mode.value


def exit_words(code: int) -> str:
    """`3`, or `killed by SIGTERM (143)`."""
    if code >= 0:
        return str(code)
    names = {number.value: number.name for number in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')} ({128 - code})"


def took(row: Row, now: float) -> str:
    """How long it has run, or ran; empty before it started."""
    if row.started is None:
        return ""
    return span(max(0.0, (row.finished or now) - row.started))


def progress(row: Row, now: float) -> str:
    """How much of a group has ended; how long a job has run, or took."""
    if row.group is not None:
        return "" if untold(row) else f"{percent(row)}%"
    spent = took(row, now)
    return f"took {spent}" if spent and row.state in ENDED else spent


def done_at(row: Row, now: float) -> str:
    """When it will be done, with the spread, or when it was."""
    if row.state in ENDED:
        return "" if row.finished is None else clock(row.finished, now)
    return eta(row.eta, row.eta90, now)


def short_done_at(row: Row, now: float) -> str:
    """The same for a table: within a day a time of day says enough, since the countdown stands beside it. Where nobody
    knows when, that it is late already: a narrow terminal has no room for why."""
    if row.late and row.eta is None and row.state not in ENDED:
        return LATE
    shown = done_at(row, now)
    return shown if row.eta is None or row.eta - now > DAY else shown.removeprefix("tomorrow ")


def countdown(row: Row, now: float) -> str:
    """How long that is from now; empty where nothing is foreseen or nothing is left to wait for."""
    if row.state in ENDED or row.eta is None:
        return ""
    return left(nearest(row.eta, now), now)


def left(at: float, now: float) -> str:
    """The time until then in whole seconds, the nearest; `now` where it has come or passed."""
    return span(round(at - now)) if at - now >= 1 else NOW


def until(at: float, now: float) -> str:
    """`in 6m`, or `now`."""
    return f"in {left(at, now)}" if at - now >= 1 else NOW


def why(row: Row, now: float, *, beside: bool = False) -> str:
    """The reason for its mode, for being held, or for its failure; what is bad comes first."""
    parts = troubles(row, now)
    said = (beside and row.why_beside) or row.why
    return SEPARATOR.join([*parts, said] if said else parts)


def tally_words(counts: dict[State, int], held: int = 0) -> list[str]:
    """`3 running`, `10,190 held`, `24 queued`, ... without what is zero. `held` is a part of the queued."""
    waiting = counts.get(State.QUEUED, 0) - held
    named = [
        (counts.get(State.RUNNING, 0), "running"),
        (held, "held"),
        (waiting, "queued"),
        *((counts.get(state, 0), state.value) for state in ENDED),
    ]
    return [f"{count(number)} {name}" for number, name in named if number > 0]


def other_runners(number: int) -> str:
    """The runners beside the daemon."""
    return "1 other runner" if number == 1 else f"{count(number)} other runners"


def next_flush(head: Head, now: float) -> list[str]:
    """When the next batch runs, the countdown to it, and why then; of one that runs, since when."""
    if head.next_flush is None:
        return ["none planned" if head.held else "nothing is held"]
    when = f"{clock(head.next_flush, now)}, {until(head.next_flush, now)}"
    if head.next_flush_why_kind == BUSY:
        when = f"by {when} at most"
    if head.next_flush < head.now:
        when = f"runs since {clock(head.next_flush, now)}"
    return [when, head.next_flush_why] if head.next_flush_why else [when]


def planned_flush(head: Head, now: float) -> str:
    """The same without the countdown: it changes only when the plan does."""
    if head.next_flush is None:
        return next_flush(head, now)[0]
    at = datetime.fromtimestamp(head.next_flush).isoformat(" ", "seconds")
    if head.next_flush <= head.now:
        at = f"since {at}" if head.next_flush < head.now else "now"
    elif head.next_flush_why_kind == BUSY:
        at = f"by {at}"
    return f"{at}{SEPARATOR}{head.next_flush_why}" if head.next_flush_why else at


LEFT_OUT = {"missed": "missed", "overlap": "left out", "key": "left out"}


def scheduled(head: Head, now: float) -> list[str]:
    """`schedule nightly at 02:00`, `5 missed today`: where there are schedules."""
    left: dict[str, int] = {}
    for kind, instants in head.left_out.items():
        word = LEFT_OUT.get(kind, "left out")
        left[word] = left.get(word, 0) + instants
    due = (
        [] if head.next_occurrence is None else [f"schedule {head.next_schedule} at {clock(head.next_occurrence, now)}"]
    )
    return [*due, *(f"{count(instants)} {word} in 24h" for word, instants in left.items())]


def tariff(head: Head, now: float) -> str:
    """`peak x1 until 22:00, then x0.4`."""
    named = f"{head.factor_name} x{head.factor:g}".lstrip()
    if head.factor_until is None:
        return named
    then = "" if head.factor_next is None else f", then x{head.factor_next:g}"
    there = f" ({head.factor_there})" if head.factor_there else ""
    return f"{named} until {clock(head.factor_until, now)}{there}{then}"


def saved_words(head: Head) -> str:
    """What was saved against streaming all as it came, and which part of the price that is; or that it was more."""
    if head.saved is None:
        return "saved: not known yet"
    whole = head.cost + head.saved
    part = f" ({percent_of(abs(head.saved) / whole)})" if whole > 0 and head.saved else ""
    if head.saved < 0 and -head.saved > whole:
        return f"{money(-head.saved, head.currency)} more than streamed, {TWICE} as much"
    told = f"{money(abs(head.saved), head.currency)}{part}"
    return f"{told} more than streamed" if head.saved < 0 else f"saved {told}"


def spent_words(head: Head) -> str:
    """What the jobs have cost so far."""
    return f"spent {money(head.cost, head.currency)}"


def promise_words(
    forecast: Forecast, now: float, *, served: bool = True, kept: bool = False, currency: str = ""
) -> str:
    """`done 22:14 ±6m, in 41m · costs 0.02, 0.01 of it a start`: a promise as `submit` and `--dry-run` make it.

    Nothing is promised where nobody runs the queue (`served`), nor of what is `kept` from beginning.
    """
    when = done_by(forecast.finish, forecast.finish90, now)
    if not served and not kept:
        when = "waits for a daemon or a drain"
    parts = [when]
    if forecast.start is not None and forecast.start - now >= 1:
        parts.insert(0, f"{foreseen_start(forecast)} {clock(forecast.start, now)}")
    if forecast.cost is not None:
        parts.append(f"costs {money(forecast.cost, currency)}{_starting(forecast, forecast.cost, currency)}")
    if forecast.assumed:
        parts.append(f"assumes {', '.join(forecast.assumed)}")
    return SEPARATOR.join(parts)


def starts(start: float, finish: float | None, kind: str) -> str:
    """`starts`, or `starts by` where that is likely to be sooner: of what the load alone holds (`kind` of the reason),
    and of what comes after such."""
    return "starts by" if kind == BUSY or (finish is not None and finish < start) else "starts"


def foreseen_start(forecast: Forecast) -> str:
    """The same of a forecast."""
    kind = "" if forecast.note is None else forecast.note.kind
    return starts(forecast.start or 0.0, forecast.finish, kind)


def done_by(p50: float | None, p90: float | None, now: float) -> str:
    """`done 22:14 ±6m, in 41m`, or `done: unknown`."""
    return "done: unknown" if p50 is None else f"done {eta(p50, p90, now)}, {until(nearest(p50, now), now)}"


def _starting(forecast: Forecast, cost: float, currency: str) -> str:
    """What of the cost is the start, where that is a good part of it, and of a cost that matters."""
    told = forecast.starting >= max(NOTABLE * cost, LEAST)
    return f", {money(forecast.starting, currency)} of it a start" if told else ""


def promise(decision: Decision, now: float, currency: str = "", *, kept: bool = False) -> str:
    """Mode, ETA and why of a submission in one line, safe for a terminal. `kept`: something keeps it from beginning."""
    parts = [
        decision.mode.value,
        promise_words(decision.promised, now, served=decision.served, kept=kept, currency=currency),
        sentence(decision.reason, now, currency, long=decision.reason.waits is False),  # why nobody is taken to wait
        sentence(decision.warning, now, currency),
    ]
    return visible_line(SEPARATOR.join(part for part in parts if part), LINE)


def standing(row: Row, now: float) -> str:
    """Mode, state, ETA and why of a row in one line, safe for a terminal: `follow`, `drain`, plain lines."""
    when = done_at(row, now)
    parts = [mode(row), state(row)]
    if row.state in ENDED:
        several = len(row.counts) > 1  # then the end is that of the last job, and not of the cancelled or failed ones
        parts[1] += f"{', ended' if several else ''} at {when}" if when else ""
    else:
        parts += [f"{percent(row)}%"] if row.group is not None and not untold(row) else []
        parts.append(done_by(row.eta, row.eta90, now))
    return visible_line(SEPARATOR.join([*parts, *filter(None, [why(row, now)])]), LINE)
