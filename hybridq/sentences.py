"""Every reason as a sentence: the one place where its words are.

Rule: pure functions of (reason, now, currency). A sentence begins with what happens, so that one which is cut still
tells. The short form is for a row of a table; the long one, for `explain`, also says what told who waits.
"""

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from .job import Happening
from .reason import ITS_LIMIT, NOBODY, SAID, Reason
from .when import clock, count, money, span

LEAST = 1e-3  # money; of what is less than that a part is told in percent
LITTLE = 0.05  # of what is saved; a cost that is less of it is not told


def sentence(
    reason: Reason | None, now: float, currency: str = "", *, long: bool = False, stateless: bool = False
) -> str:
    """The reason in words, at `now`; "" where there is none. `currency` names the unit of money; `stateless`: beside a
    state, which it does not say again."""
    if reason is None:
        return ""
    told = _Telling(now, currency, long)
    text = _what(reason, told)
    runs = _runs(reason, told, stateless=stateless)
    who = _who(reason, told)
    if reason.kind in _WHO_FIRST:
        text = "; ".join(filter(None, [who, text]))
    elif long or reason.kind in _WHO_LAST:
        text = "; ".join(filter(None, [text, who]))
    text = ": ".join(filter(None, [runs, text]))
    text = text if reason.held is None else f"{count(reason.held)} {text}"
    return "; ".join(filter(None, [text, sentence(reason.then, now, currency, long=long)]))


def _what(reason: Reason, told: "_Telling") -> str:
    """What it tells; of a kind of a later release, or one that lacks what this release tells of it, as it is."""
    says = _SAYS.get(reason.kind)
    if says is None:
        return reason.text or ("" if reason.kind == SAID or reason.runs is not None else reason.kind)
    try:
        return says(reason, told)
    except (TypeError, ValueError, OverflowError, OSError):
        return reason.text or reason.kind


def happened(kind: Happening, jobs: int, reason: Reason, now: float, currency: str = "") -> str:
    """One line of a story: what happened to so many jobs, and why."""
    why = sentence(reason, now, currency)
    if reason.kind == SAID and reason.text:
        return why
    if kind in _EVENTS:
        one, several = _EVENTS[kind]
        return one if jobs == 1 else several.format(count(jobs))
    if kind in _MOVES:
        return f"{_MOVES[kind]}: {why}"
    return why


def how_ended(returncode: int) -> str:
    """How a process ended: `exit code 3`, `killed by SIGSEGV`."""
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-returncode).name}"
    return f"killed by signal {-returncode}"


_EVENTS = {
    Happening.CANCELLED: ("cancelled", "{} jobs cancelled"),
    Happening.RETRIED: ("queued again by retry", "{} jobs queued again by retry"),
    Happening.DRAFTED: ("the draft ended; the final follows in a batch",) * 2,
    Happening.RESCUED: ("the runner died; queued again at once", "{} jobs: the runner died; queued again at once"),
    Happening.BROKE: ("the runner broke; queued again at once", "{} jobs: the runner broke; queued again at once"),
    Happening.GIVEN_BACK: (
        "the runner stopped before it was done; queued again",
        "{} jobs: the runner stopped before it was done; queued again",
    ),
}
_MOVES = {Happening.PROMOTED: "promoted", Happening.RECLASSIFIED: "moved to the batch lane"}


class _Telling:
    """How instants and amounts are told here."""

    def __init__(self, now: float, currency: str, long: bool) -> None:
        self._now, self.long = now, long
        self.sum = partial(money, currency=currency, fine=True)
        self.about = partial(money, currency=currency)

    def part(self, amount: float, whole: float) -> str:
        """`6.00 of 10.00 EUR`, `$6.00 of $10.00`: a unit that stands behind is told once. Of next to nothing `44 %`."""
        if 0 < whole < LEAST:
            return f"{100 * amount / whole:.0f} %"
        both = self.sum(amount), self.sum(whole)
        return f"{money(amount, fine=True)} of {both[1]}" if both[0][0].isdecimal() else " of ".join(both)

    def at(self, instant: float | None) -> str:
        return "a time that nobody knows" if instant is None else clock(instant, self._now)


def _runs(reason: Reason, told: _Telling, *, stateless: bool) -> str:
    if reason.runs is None:
        return ""
    if reason.runs:
        return "" if stateless else "runs now"
    if reason.until is None:
        return "" if stateless else "held"
    until = f"until {told.at(reason.until)}{' at most' if reason.most else ''}"
    return until if stateless else f"held {until}"


def _who(reason: Reason, told: _Telling) -> str:
    if reason.waits is None:
        return ""
    waits = "you are waiting" if reason.waits else "nobody is waiting"
    return f"{waits} ({reason.signal})" if told.long and reason.signal else waits


def _untimed(reason: Reason, told: _Telling) -> str:
    of = f" of {reason.text}" if told.long else ""
    how = f" in mode {reason.mode}" if reason.mode else ""
    seen = f" ({reason.jobs} of {reason.of})" if reason.jobs and reason.of and reason.jobs < reason.of else ""
    return f"no run times{of}{how} yet{seen}"


def _saves(reason: Reason, told: _Telling) -> str:
    saves, costs = reason.saves or 0.0, reason.costs
    waiting = "" if costs is None or costs < LITTLE * saves else f", waiting costs {told.sum(costs)}"
    sooner = ", and comes sooner" if costs is not None and costs < 0 else ""
    price = f" at the {reason.price} price" if reason.price else ""
    return f"saves {told.part(saves, reason.whole or 0.0)}{price}{sooner or waiting}"


_MORE = {
    True: "cancel it, and submit it with a higher --max-cost",
    False: "run hybridq drain with a higher --max-cost",
}


def _dear(reason: Reason, told: _Telling) -> str:
    each, whole = told.sum(reason.costs or 0.0), told.sum(reason.whole or 0.0)
    if reason.due is None:
        return f"one job costs about {each}, more than {reason.text}, {whole}: {_MORE[reason.text == ITS_LIMIT]}"
    return (
        f"one job costs about {each}, more than the whole daily budget of {reason.text}, {whole}"
        ": raise daily_budget in config.toml"
    )


def _limit(reason: Reason, told: _Telling) -> str:
    each = "what one costs is not known" if reason.costs is None else f"one costs about {told.sum(reason.costs)}"
    runs = ""
    if reason.jobs:
        kept = told.sum(reason.reserved or 0.0)
        runs = f", {kept} reserved for {count(reason.jobs)} that run{'s' * (reason.jobs == 1)}"
    then = (
        f"; {_MORE[True]}" if reason.lasting else "" if reason.due is None else f"; it is renewed {told.at(reason.due)}"
    )
    whole, spent = told.sum(reason.whole or 0.0), told.sum(reason.spent or 0.0)
    what = reason.text if reason.due is None else f"the daily budget of {reason.text}"
    return f"{what} is {whole}, {spent} is spent{runs}; {each}{then}"


def _today(reason: Reason, told: _Telling) -> str:
    then, some = told.at(reason.due), reason.jobs
    if not some:
        these = "it" if reason.of == 1 else "these"
        return f"the daily budget of {reason.text} lets {these} run after {then}, for others go first"
    return f"the daily budget of {reason.text} lets about {count(some)} run today, the rest after {then}"


def _batch_late(reason: Reason, told: _Telling) -> str:
    streamed = "" if reason.sooner is None else f"; streamed it is done at {told.at(reason.sooner)}"
    return f"a batch would be done at {told.at(reason.done)}, after its deadline {told.at(reason.due)}{streamed}"


def _unfinished(reason: Reason, told: _Telling) -> str:
    another = "" if reason.done is None else f"; another would be done at {told.at(reason.done)}"
    return f"its batch was not done in time for its deadline {told.at(reason.due)}{another}"


def _waited(reason: Reason, told: _Telling) -> str:
    return f"waited {span(reason.span or 0.0)} to stream where {span(reason.other_span or 0.0)} was foreseen"


def _provider(reason: Reason, told: _Telling) -> str:
    done = "" if reason.jobs is None else f", {count(reason.jobs)} of {count(reason.of or 0)} done"
    silent = "" if not reason.text else f", cannot be asked since {told.at(reason.due)} ({reason.text})"
    back = ""
    if reason.span is not None and reason.other_span is not None:
        back = (
            f"; half of its batches are back within {span(reason.span)}, nine of ten within {span(reason.other_span)}"
        )
    return f"with the provider since {told.at(reason.done)}{done}{silent}{back}"


def _watched(reason: Reason, told: _Telling) -> str:
    times = "once" if reason.jobs == 1 else f"{reason.jobs} times"
    return f"runs last, watched: the runner died {times} while it ran"


def _again(reason: Reason, told: _Telling) -> str:
    jobs = reason.jobs or 1
    some = f"{count(jobs)} " if reason.of not in (None, jobs) else ""
    return f"{some}{'tries' if jobs == 1 else 'try'} again at {told.at(reason.due)}: {reason.text}"


def _charged(reason: Reason, told: _Telling) -> str:
    what = "one job was" if reason.jobs == 1 else f"{count(reason.jobs or 0)} jobs were"
    paid = told.sum(reason.costs or 0.0)
    return f"{what} cancelled too late for the provider, which had run them: {paid} is charged"


def _late_final(reason: Reason, told: _Telling) -> str:
    due, done = told.at(reason.due), told.at(reason.done)
    return f"the draft makes the deadline {due}, but the final will probably be late: done by {done}"


_Says = Callable[[Reason, _Telling], str]
_WHO_FIRST = ("untimed", "unpriced", "little")
_WHO_LAST = ("people first", "costs more", "saves", "no daemon")
_SAYS: dict[str, _Says] = {
    # Which mode a submission gets.
    "asked": lambda r, t: f"you asked for {r.mode}",
    "only mode": lambda r, t: f"{r.text} offers only {r.mode}",
    "untimed": _untimed,
    "unpriced": lambda r, t: f"no costs of {r.text} known",
    "batch late": _batch_late,
    "fastest": lambda r, t: f"no way makes the deadline {t.at(r.due)}, this is the fastest",
    "draft sooner": lambda r, t: f"a draft takes {span(r.span or 0.0)}, a {r.other} {span(r.other_span or 0.0)}",
    "draft slow": lambda r, t: f"a draft takes {span(r.other_span or 0.0)}, all of it {span(r.span or 0.0)}",
    "little": lambda r, t: f"a batch saves only {t.sum(r.saves or 0.0)}",
    "only in time": lambda r, t: f"only {r.mode} makes the deadline {t.at(r.due)}",
    "people first": lambda r, t: "people go first",
    "same": lambda r, t: f"a {r.other} costs the same and ends later",
    "saves": _saves,
    "costs more": lambda r, t: f"a {r.other} saves {t.sum(r.saves or 0)}, waiting for it costs {t.sum(r.costs or 0)}",
    "waited": _waited,
    "unfinished": _unfinished,
    "no daemon": lambda r, t: f"no daemon runs that would flush it{'' if r.waits else ', and this command waits'}",
    # When a batch is run.
    "by hand": lambda r, t: "started by hand",
    "deadline": lambda r, t: f"takes about {span(r.span or 0.0)}, due by {t.at(r.due)}",
    "longest": lambda r, t: f"{span(r.span or 0.0)} is the longest that a job is held",
    "full": lambda r, t: f"full, a flush holds {count(r.jobs or 0)} jobs",
    "busy": lambda r, t: f"machine busy ({r.load or 0.0:.1f} per core)",
    "cheaper": lambda r, t: f"{r.price or 'then'} x{r.next_factor:g}, now x{r.factor:g}; no costs known yet",
    "gathers": lambda r, t: f"waits {span(r.span or 0.0)} for others; no costs known yet",
    "no costs": lambda r, t: "no costs known yet, and no cheaper hour ahead",
    "sharing": lambda r, t: f"others may share the {r.text} ({t.sum(r.costs or 0.0)})",
    "waited enough": lambda r, t: f"waited long enough for others to share a {r.text} ({t.sum(r.costs or 0.0)})",
    "nothing": lambda r, t: "waiting saves nothing",
    # Why something does not begin.
    "dear": _dear,
    "limit": _limit,
    "lacking": lambda r, t: r.text,
    "today": _today,
    "no handler": lambda r, t: f"config.toml has no handler {r.text}, or cannot be read",
    NOBODY: lambda r, t: "waits for a daemon or a drain",
    "provider": _provider,
    "watched": _watched,
    "again": _again,
    # What came of it.
    "cut": lambda r, t: f"the answer was cut ({r.text})",
    "charged": _charged,
    "ahead": lambda r, t: f"the clock was ahead by {span(r.span or 0.0)} when it was accepted; it counts as come now",
    "final misses": lambda r, t: "the final misses the deadline",
    "late final": _late_final,
    "late": lambda r, t: f"the deadline {t.at(r.due)} will probably be missed: done by {t.at(r.done)}",
    "over limit": lambda r, t: f"costs about {t.sum(r.costs or 0)}, more than --max-cost, {t.sum(r.whole or 0)}",
}
