"""What stands above the rows of a view: who runs the queue, under which conditions, and what it has saved.

Rule: read from kept sums, however long the queue is.
"""

from msgspec import structs
from msgspec.structs import replace

from ..job import Lane, Mode, State
from ..outlook import Outlook, machine_load
from ..queue import lists, schedules
from ..queue.account import saved_of
from ..queue.outbox import given_up
from ..sentences import sentence
from ..when import clock
from .foresight import NONE, Foresight, NextFlush
from .snapshot import Head, Paused

FINALS = ((Lane.BATCH, State.QUEUED), (Lane.BATCH, State.RUNNING))
BATCHED = (Lane.BATCH, State.DONE)
DAY = 86400.0  # seconds for which it is told what schedules left out
AHEAD = (86400.0, 8 * 86400.0)  # seconds ahead in which the next price is looked for; a week repeats


def head(outlook: Outlook, foresight: Foresight) -> Head:
    """Who runs the queue, under which conditions, and what it has saved."""
    now, tariff = foresight.now, outlook.tariff
    daemons = [f"pid {pid}, since {clock(since, now)}" for kind, pid, since in foresight.runners if kind == "daemon"]
    sums = lists.totals(outlook.store, tuple(Mode))
    counts = {state: sum(each.counts.get(state, 0) for each in sums) for state in State}
    change = next((found[0] for days in AHEAD if (found := tariff.changes(now, now + days))), None)
    flush = foresight.next_flush()
    cost = sum(each.cost for each in sums)
    schedule, due = schedules.next_name(outlook.store) or ("", None)
    return Head(
        now=now,
        daemon=daemons[0] if daemons else "",
        runners=len(foresight.runners) - len(daemons),
        load=machine_load(),
        factor=tariff.factor(now),
        factor_name=tariff.name(now),
        factor_until=change and change[0],
        factor_there=tariff.there(change[0]) if change else "",
        factor_next=change and change[1],
        counts={state: jobs for state, jobs in counts.items() if jobs},
        held=sum(
            jobs for (_, lane, state), jobs in foresight.tally.items() if lane is Lane.BATCH and state is State.QUEUED
        ),
        paused=tuple(Paused(**structs.asdict(each)) for each in foresight.pauses.all),
        untold=given_up(outlook.store),
        next_flush=flush.at,
        next_flush_why=_whose(flush, sentence(replace(flush.why, runs=None), now, outlook.config.policy.currency)),
        next_flush_why_kind="" if flush.why is NONE else flush.why.kind,
        currency=outlook.config.policy.currency,
        next_schedule=schedule,
        next_occurrence=due,
        left_out=schedules.left_since(outlook.store, now - DAY),
        cost=cost,
        saved=_saved(outlook, foresight, cost, sum(each.streamed for each in sums)),
    )


def _saved(outlook: Outlook, foresight: Foresight, cost: float, streamed: float) -> float | None:
    """Money saved by what has ended: a draft is the price of its final, and counts with it."""
    drafts: float | None = 0.0
    if any(jobs and (lane, state) in FINALS for (_, lane, state), jobs in foresight.tally.items()):
        drafts = lists.paid_for_drafts(outlook.store)
    if drafts is None:
        return None
    untold, due = _untold(outlook, foresight), lists.start_money_due(outlook.store)
    return saved_of(cost - drafts, streamed, untold=untold, due=due)


def _whose(flush: NextFlush, why: str) -> str:
    """Why a flush is run, with its handler where there are several: `embed: deadline 21:00; and 1 more`."""
    named = ": ".join(filter(None, [flush.handler, why]))
    return f"{named}; and {flush.others} more" if flush.others else named


def _untold(outlook: Outlook, foresight: Foresight) -> bool:
    """Whether jobs were done in batches of which it is not known yet what sharing calls has saved."""
    batched = {name for (name, lane, state), jobs in foresight.tally.items() if jobs and (lane, state) == BATCHED}
    return bool(batched and batched & outlook.untold())
