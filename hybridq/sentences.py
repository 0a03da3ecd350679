"""Every reason as a sentence: the one place where its words are.

Rule: pure functions of (reason, now, currency). A sentence begins with what happens, so that one which is cut still
tells. The short form is for a row of a table; the long one, for `explain`, also says what told who waits.
"""

import math
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from .reason import ITS_LIMIT, NOBODY, SAID, Reason
from .when import NO_MONEY, clock, count, decimals, how_many, money, money_to, span

LEAST = 1e-3  # money; of what is less than that a part is told in percent
PLACES = 9  # decimals, at most: less is left by rounding
LITTLE = 0.05  # of what is saved; a cost that is less of it is not told
MODES = {"stream": "streaming", "batch": "a batch", "adaptive": "a draft"}  # as the subject of a sentence
LOOPS = (
    "a loop in your shell",
    "two jobs within a few seconds",
    "several jobs from one command",
)  # what may be a person


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


def how_ended(returncode: int) -> str:
    """How a process ended: `exit code 3`, `killed by SIGSEGV`."""
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-returncode).name}"
    return f"killed by signal {-returncode}"


class _Telling:
    """How instants and amounts are told here."""

    def __init__(self, now: float, currency: str, long: bool) -> None:
        self._now, self.long, self.currency = now, long, currency
        self.sum = partial(money, currency=currency, fine=True)

    def both(self, one: float, other: float) -> tuple[str, str]:
        """Two amounts that are compared, in the same decimals; where both are next to nothing as many as it takes."""
        least, tiny = min(one, other), max(one, other) < LEAST / 10
        places = 1 - math.floor(math.log10(least)) if tiny and least > NO_MONEY else decimals([one, other])
        return money_to(places, one, self.currency), money_to(places, other, self.currency)

    def apart(self, more: float, less: float) -> tuple[str, str]:
        """The same of amounts of which one is said to be more: in as many decimals as show it."""
        told, places = self.both(more, less), decimals([more, less])
        while told[0] == told[1] and places < PLACES:
            places += 1
            told = money_to(places, more, self.currency), money_to(places, less, self.currency)
        return told

    def at(self, instant: float | None) -> str:
        return "a time that nobody knows" if instant is None else clock(instant, self._now)


def _runs(reason: Reason, told: _Telling, *, stateless: bool) -> str:
    if reason.runs is None:
        return ""
    if reason.runs:
        return "" if stateless else "runs now"
    if reason.until is None:
        return "" if stateless else "held"
    until = told.at(reason.until)
    if reason.most:
        until = _MOST.get(reason.kind, "until {} at most").format(until)
    else:
        named = _for_a_price(reason) and not stateless  # a row has no room for it: the head names the price
        until = f"for the {reason.price} price at {until}" if named else f"until {until}"
    return until if stateless else f"held {until}"


def _for_a_price(reason: Reason) -> bool:
    return reason.kind == "saves" and bool(reason.price)


def _who(reason: Reason, told: _Telling) -> str:
    if reason.waits is None:
        return ""
    waits = "you are waiting" if reason.waits else "nobody is waiting"
    if not (told.long and reason.signal):
        return waits
    wrong = "" if reason.waits or reason.signal not in LOOPS else "; if you wait, add --wait"
    return f"{waits} ({reason.signal}{wrong})"


def _untimed(reason: Reason, told: _Telling) -> str:
    what = (
        "run times" + (f" of {reason.text}" if told.long else "") + (f" in mode {reason.mode}" if reason.mode else "")
    )
    if reason.jobs and reason.of and reason.jobs < min(reason.of, reason.known or 0):
        others = (reason.known or 0) - reason.jobs
        return f"{reason.jobs} of {reason.of} {what} of one sort known ({count(others)} of other sorts do not count)"
    if reason.jobs and reason.of and reason.jobs < reason.of:
        return f"{reason.jobs} of {reason.of} {what} known"
    return f"no {what} yet"


def _saves(reason: Reason, told: _Telling) -> str:
    saves, whole, costs = reason.saves or 0.0, reason.whole or 0.0, reason.costs
    waiting = "" if costs is None or costs < LITTLE * saves else f", waiting costs {told.sum(costs)}"
    after = ", and comes sooner" if costs is not None and costs < 0 else waiting
    price = f"{reason.price} price: " if reason.price and reason.runs is None else ""  # else its hour is told with it
    if 0 < whole < LEAST:
        return f"{price}costs {100 * saves / whole:.0f}% less{after}"
    return f"{price}{_beside(reason, told, max(0.0, whole - saves), whole)}{after}"


def _beside(reason: Reason, told: _Telling, paid: float, whole: float) -> str:
    """What it costs, and what it would cost otherwise: now or streamed, or as it was when it was accepted."""
    one, other = told.both(paid, whole)
    mine, its = MODES.get(reason.mode, reason.mode), MODES.get(reason.other, reason.other)
    later = reason.factor is not None or (reason.mode and reason.until is not None)
    if told.long and reason.mode:
        return f"{mine} costs {one} then, {its} {other} now" if later else f"{mine} costs {one}, {its} {other}"
    if later:
        return f"costs {one} then, {other} now"
    return f"costs {one}, {its} {other}" if reason.mode else f"costs {one}, at submission {other}"


_MORE = {
    True: "cancel it, and submit it with a higher --max-cost",
    False: "run hybridq drain with a higher --max-cost",
}


def _dear(reason: Reason, told: _Telling) -> str:
    each, whole = told.apart(reason.costs or 0.0, reason.whole or 0.0)
    if reason.due is None:
        return f"one job costs about {each}, more than {reason.text} of {whole}: {_MORE[reason.text == ITS_LIMIT]}"
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
        return f"{these} will run after {then}: the daily budget of {reason.text} goes to others first"
    return f"about {count(some)} run today, the rest after {then}: the daily budget of {reason.text}"


def _batch_late(reason: Reason, told: _Telling) -> str:
    streamed = "" if reason.sooner is None else f"; streamed it ends at {told.at(reason.sooner)}"
    return f"a batch ends at {told.at(reason.done)}, after the deadline {told.at(reason.due)}{streamed}"


def _unfinished(reason: Reason, told: _Telling) -> str:
    another = "" if reason.done is None else f"; another ends at {told.at(reason.done)}"
    return f"its batch was too late for the deadline {told.at(reason.due)}{another}"


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


def _paused(reason: Reason, told: _Telling) -> str:
    how = "by hand" if reason.until is None else f"until {told.at(reason.until)}"
    return f"paused {how}" + (
        f"; to go on: {' '.join(filter(None, ['hybridq resume', reason.text]))}" if told.long else ""
    )


def _at_once(reason: Reason, told: _Telling) -> str:
    runs, most = reason.jobs or 0, reason.of or 0
    return f"waits: {count(runs)} of {count(most)} run{'s' if runs == most == 1 else ''} (limit of {reason.text})"


def _in_use(reason: Reason, told: _Telling) -> str:
    """`price` is how much is needed of it, `of` whether that is one."""
    more = "" if reason.of == 1 else f", {reason.price} needed"
    return f"waits for {reason.text}: {reason.other} of {reason.mode} in use{more}"


def _edited(reason: Reason, told: _Telling) -> str:
    old, new = reason.other, reason.mode
    if reason.text == "after":
        return f"edited: waits for {new} as well"
    if reason.text == "deadline":
        old, new = ("none" if at is None else told.at(at) for at in (reason.due, reason.until))
    elif reason.text == "max-cost":
        old, new = ("none" if most is None else told.sum(most) for most in (reason.whole, reason.costs))
    return f"edited: {reason.text} {old} -> {new}"


def _watched(reason: Reason, told: _Telling) -> str:
    times = "once" if reason.jobs == 1 else f"{reason.jobs} times"
    return f"runs last, watched: the runner died {times} while it ran"


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _nth_try(number: int) -> str:
    return f"{_ORDINALS[number - 1]} try" if number <= len(_ORDINALS) else f"try {number}"


def _again(reason: Reason, told: _Telling) -> str:
    jobs = reason.jobs or 1
    some = f"{count(jobs)} " if reason.of not in (None, jobs) else ""
    if reason.attempt is not None:
        which, of = _nth_try(reason.attempt), f" of {reason.tries}" if reason.tries else ""
        return f"waits until {told.at(reason.due)}: {which}{of}, failed with {reason.text}"
    return f"{some}{'tries' if jobs == 1 else 'try'} again at {told.at(reason.due)}: {reason.text}"


def _waits(reason: Reason, told: _Telling) -> str:
    of, left = reason.of or 1, reason.jobs
    what = reason.text or how_many(of)
    some = "" if of == 1 else f" ({count(left)} of {count(of)} left)" if left is not None and left < of else ""
    each = "the first waits" if reason.most else "waits"
    time = "" if reason.due is None else f", starts {told.at(reason.due)} at the earliest"
    return f"{each} for {what}{some}{time}"


_ENDS = {"failed": "failed", "cancelled": "was cancelled"}


def _unmet(reason: Reason, told: _Telling) -> str:
    how = _ENDS.get(reason.mode, "was not done")
    some = f"{count(reason.jobs)} " if reason.jobs and reason.jobs > 1 else ""
    again = f"; to run it as well: hybridq retry {reason.other}" if told.long and reason.other else ""
    return f"{some}cancelled: {reason.text} {how}{again}"


def _charged(reason: Reason, told: _Telling) -> str:
    what = "one job was" if reason.jobs == 1 else f"{count(reason.jobs or 0)} jobs were"
    paid = told.sum(reason.costs or 0.0)
    return f"{what} cancelled too late for the provider, which had run them: {paid} is charged"


def _busy(reason: Reason, told: _Telling) -> str:
    load = f"load {reason.load or 0.0:.1f} a core"
    if not reason.most:
        return f"machine busy, {load}"
    return f"until the machine is idle, {load}" if reason.runs is None else load


def _late(reason: Reason, told: _Telling) -> str:
    due, done = told.at(reason.due), told.at(reason.done)
    if reason.half is not None and reason.half <= (reason.due or 0.0):
        return f"the deadline {due} may be missed: half of such jobs are done by {told.at(reason.half)}, 90% by {done}"
    return f"the deadline {due} will probably be missed: done by {done}"


def _overtakes(reason: Reason, told: _Telling) -> str:
    why = "by its priority" if reason.due is None else f"which may end after the deadline {told.at(reason.due)}"
    return f"overtakes the batch that runs, {why}"


def _fastest(reason: Reason, told: _Telling) -> str:
    first = MODES.get(reason.mode, "this")
    return f"no mode is sure to make the deadline {told.at(reason.due)}; {first} is done first"


def _costs_known(reason: Reason) -> str:
    """What is known of the costs while that is too little: so many of the run times which tell them."""
    if reason.jobs and reason.of and reason.jobs < reason.of:
        return f"{reason.jobs} of {reason.of} run times known"
    return "no costs known yet"


def _no_costs(reason: Reason, told: _Telling) -> str:
    """A cheaper hour (`sooner`) may be there, but not for what must begin before it."""
    cheaper, due = told.at(reason.sooner), told.at(reason.due)
    if reason.sooner is None:
        why = "no cheaper hour ahead"
    elif reason.due is None:
        why = f"the cheaper hour at {cheaper} comes after the longest hold"
    elif reason.due <= reason.sooner:
        why = f"the deadline {due} comes before the cheaper hour at {cheaper}"
    else:
        why = f"the cheaper hour at {cheaper} may be too late for the deadline {due}"
    return f"waiting saves nothing: {_costs_known(reason)}, {why}"


def _over_limit(reason: Reason, told: _Telling) -> str:
    costs, whole = told.apart(reason.costs or 0.0, reason.whole or 0.0)
    return f"costs about {costs}, more than --max-cost of {whole}"


def _dearer(reason: Reason, told: _Telling) -> str:
    saves, costs = told.both(reason.saves or 0.0, reason.costs or 0.0)
    return f"{MODES.get(reason.other, reason.other)} saves {saves}, waiting for it costs {costs}"


def _late_final(reason: Reason, told: _Telling) -> str:
    due, done = told.at(reason.due), told.at(reason.done)
    return f"the draft makes the deadline {due}, but the final will probably be late: done by {done}"


_MOST = {"busy": "until the machine is idle, starts by {}", "tries": "until {} at most"}
_Says = Callable[[Reason, _Telling], str]
_WHO_FIRST = ("untimed", "unpriced", "little")
_WHO_LAST = ("people first", "costs more", "saves", "no daemon")
_SAYS: dict[str, _Says] = {
    # Which mode a submission gets.
    "asked": lambda r, t: f"you asked for {r.mode}",
    "session": lambda r, t: "a session runs while its input arrives",
    "only mode": lambda r, t: f"{r.text} offers only {r.mode}",
    "untimed": _untimed,
    "unpriced": lambda r, t: f"no costs of {r.text} known",
    "batch late": _batch_late,
    "fastest": _fastest,
    "draft sooner": lambda r, t: (
        f"a draft takes {span(r.span or 0.0)}, {MODES.get(r.other, r.other)} {span(r.other_span or 0.0)}"
    ),
    "draft slow": lambda r, t: f"a draft takes {span(r.other_span or 0.0)}, all of it {span(r.span or 0.0)}",
    "little": lambda r, t: f"a batch saves only {t.sum(r.saves or 0.0)}",
    "only in time": lambda r, t: f"only {r.mode} makes the deadline {t.at(r.due)}",
    "people first": lambda r, t: "people go first",
    "same": lambda r, t: f"{MODES.get(r.other, r.other)} would save nothing and end later",
    "saves": _saves,
    "costs more": _dearer,
    "waited": _waited,
    "unfinished": _unfinished,
    "no daemon": lambda r, t: f"no daemon runs that would flush it{'' if r.waits else ', and this command waits'}",
    # When a batch is run.
    "by hand": lambda r, t: "started by hand",
    "deadline": lambda r, t: f"deadline {t.at(r.due)}" + ("" if r.span is None else f", takes about {span(r.span)}"),
    "longest": lambda r, t: f"deadline: a job is held for {span(r.span or 0.0)} at most",
    "full": lambda r, t: f"full, a flush holds {count(r.jobs or 0)} jobs",
    "busy": _busy,
    "cheaper": lambda r, t: f"{r.price or 'then'} x{r.next_factor:g}, now x{r.factor:g}; {_costs_known(r)}",
    "gathers": lambda r, t: f"waits {span(r.span or 0.0)} for others; {_costs_known(r)}",
    "no costs": _no_costs,
    "sharing": lambda r, t: f"others may share the {r.text} ({t.sum(r.costs or 0.0)})",
    "waited enough": lambda r, t: (
        f"waiting saves nothing more: waited long enough for others to share a {r.text} ({t.sum(r.costs or 0.0)})"
    ),
    "tries": lambda r, t: "finds out what sharing a call saves",
    "nothing": lambda r, t: "waiting saves nothing",
    "overtakes": _overtakes,
    # Why something does not begin.
    "dear": _dear,
    "limit": _limit,
    "lacking": lambda r, t: r.text,
    "paused": _paused,
    "edited": _edited,
    "at once": _at_once,
    "in use": _in_use,
    "too much": lambda r, t: f"needs {r.text}: {r.price}, and config.toml has {r.mode} in all",
    "rate": lambda r, t: f"waits: the rate of {r.text} is reached, goes on {t.at(r.due)}",
    "today": _today,
    "no handler": lambda r, t: f"config.toml has no handler {r.text}, or cannot be read",
    "waits": _waits,
    "forerunner": lambda r, t: "another job waits for it, and nobody else runs the queue",
    "starts": lambda r, t: f"starts {t.at(r.due)}",
    "unmet": _unmet,
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
    "late": _late,
    "over limit": _over_limit,
}
