"""What happened as one message for people: a title, and a line an event.

Rule: pure; however much happened, a message is short.
"""

from collections.abc import Collection, Mapping, Sequence

from ..job import HookEvent, State
from ..visible import visible_line
from ..when import clock, count, how_many, money
from .event import Event

LINES = 12  # events that are told one by one
WIDE = 200  # characters of a line
_KINDS = {
    HookEvent.DONE: "finished job",
    HookEvent.FAILED: "failed job",
    HookEvent.LATE: "late job",
    HookEvent.GROUP_DONE: "ended group",
    HookEvent.SUBMISSION_DONE: "ended submission",
    HookEvent.DAILY_REPORT: "daily report",
}


def message(events: Sequence[Event], kinds: Mapping[HookEvent, int], now: float, currency: str = "") -> tuple[str, str]:
    """(title, text) of these events, which are the first of so many of each kind."""
    told = ", ".join(how_many(n, _KINDS[kind]) for kind, n in kinds.items())
    title = f"hybridq: {_line(events[0], now, currency)}" if len(events) == 1 else f"hybridq: {told}"
    lines = [_line(each, now, currency) for each in events[:LINES]]
    if left := sum(kinds.values()) - len(lines):
        lines.append(f"and {how_many(left, 'more event')}: hybridq status")
    return visible_line(title, WIDE), "\n".join(visible_line(line, WIDE) for line in lines)


def severity(kinds: Collection[HookEvent]) -> str:
    """What kind of message it is, in Apprise's words: "failure" where a job failed, "warning" where one is late."""
    return "failure" if HookEvent.FAILED in kinds else "warning" if HookEvent.LATE in kinds else "info"


def _line(of: Event, now: float, currency: str) -> str:
    what = f"group {of.group}" if of.job is None and of.group else f"job {of.job}" if of.job is not None else "a job"
    if of.event is HookEvent.DAILY_REPORT and of.report is not None:
        found = of.report
        parts = [f"{count(found.done)} done", f"{count(found.failed)} failed", f"{count(found.open)} open"]
        return f"daily report: {', '.join(parts)}; cost {money(found.total.cost, currency)}"
    if of.event is HookEvent.LATE:
        due = "" if of.deadline is None else f": was due {clock(of.deadline, now)}"
        return f"{what} is late{due}" + ("" if of.eta is None else f", done about {clock(of.eta, now)}")
    if of.counts is not None:
        ends = ", ".join(f"{count(n)} {state}" for state, n in of.counts.items())
        why = f" ({of.first_error})" if of.first_error else ""
        return f"{what} has ended: {ends}{why}" + ("" if of.cost is None else f"; cost {money(of.cost, currency)}")
    if of.event is HookEvent.FAILED and of.state not in {None, State.FAILED}:  # somebody has retried it since
        return f"{what} ({of.handler}) failed; now it is {of.state}"
    return f"{what} ({of.handler}) {of.state or of.event}" + (f": {of.error}" if of.error else "")
