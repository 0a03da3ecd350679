"""What is bad about a job or group, in words: that it is late, what of it failed, and why.

Rule: a group's row tells it just as the rows of its jobs do. What has not ended is told by its deadline alone: a
distance that grows would change the line with each second. Text from jobs is not yet safe for a terminal.
"""

from hybridq.job import ENDED, State
from hybridq.reason import EXITED
from hybridq.status.snapshot import Failed, Row
from hybridq.when import clock, count, how_many, span

REASONS = 3  # reasons of a group's failures that its row tells
REASON = 120  # characters of each of them


def troubles(row: Row, now: float) -> list[str]:
    """All that is bad, the worst first; empty where nothing is."""
    told = [late(row, now), _ends(row) if row.group is not None else ""]
    told.append("may miss its deadline" if may_be_late(row) else "")
    if row.group is None and (row.exit_code or 0) > 0 and row.why_kind != EXITED:
        told.append(f"exit code {row.exit_code}")
    return [each for each in [*told, _causes(row)] if each]


def may_be_late(row: Row) -> bool:
    """Whether it may miss its deadline, by the 90th percentile."""
    return not row.late and row.state not in ENDED and row.deadline is not None and (row.eta90 or 0.0) > row.deadline


def late(row: Row, now: float) -> str:
    """`LATE by 5m` of what ended, `LATE: was due 06:00`, or `will be LATE: due 06:00`; "" where it is not late."""
    if row.late_by is None:
        return ""
    if row.state in ENDED or row.deadline is None:
        return f"LATE by {span(row.late_by)}"
    due = clock(row.deadline, now)
    return f"LATE: was due {due}" if row.deadline < now else f"will be LATE: due {due}"


def deadline(row: Row, now: float) -> str:
    """The deadline, and how far behind it the result is, or will be; "": there is none."""
    due = "" if row.deadline is None else clock(row.deadline, now)
    if row.late_by is None:
        return due
    by = f"LATE by {span(row.late_by)}"
    if row.state not in ENDED:
        past = row.deadline is not None and row.deadline < now
        by = f"LATE by {span(now - (row.deadline or now))} so far" if past else f"will be {by}"
    return f"{due}, {by}" if due else by


def _ends(row: Row) -> str:
    """What of a group failed or was cancelled, and once it has ended, beside what was done."""
    told = [state for state in (State.FAILED, State.CANCELLED) if 0 < row.counts.get(state, 0) < row.jobs]
    if told and row.state in ENDED and row.counts.get(State.DONE):
        told = [State.DONE, *told]
    return ", ".join(f"{count(row.counts[state])} {state}" for state in told)


def _causes(row: Row) -> str:
    """Why jobs of a group failed, the most frequent first: `exit code 3 (x2), no such command: x`."""
    told = [_cause(each, alone=len(row.causes) == 1) for each in row.causes[:REASONS]]
    others = sum(each.jobs for each in row.causes[REASONS:])
    return ", ".join([*told, how_many(others, "other error")] if others else told)


def _cause(each: Failed, *, alone: bool) -> str:
    reason = each.reason if len(each.reason) <= REASON else f"{each.reason[: REASON - 1]}…"
    code = f" (exit code {each.exit_code})" if (each.exit_code or 0) > 0 and not each.exited else ""
    return reason + code + ("" if alone or each.jobs == 1 else f" (x{count(each.jobs)})")
