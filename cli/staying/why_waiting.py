"""What somebody who stays with jobs is told first: what these wait for, and when more is due.

Rule: on standard error alone; a limit on money is told before a missing runner, since no runner would help.
"""

import sys
import time

from msgspec.structs import replace

from hybridq.job import Lane, Mode, State
from hybridq.money.why_held import why_withheld
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Cohort, cohort, job
from hybridq.queue.progress import Awaited
from hybridq.queue.rescue import rescue
from hybridq.queue.runner import attended
from hybridq.reason import Reason
from hybridq.selection import Group, Ids, Last, Selector, parse_selector
from hybridq.sentences import sentence
from hybridq.status.snapshot import Row
from hybridq.when import clock

from ..draw import words
from ..tell import is_tty, say
from .unserved import FOR_GOOD

LONG = 60.0  # seconds; a shorter wait for a batch explains itself
SIGNS = ("CI", "cron", "systemd service")  # by which nobody is taken to wait, whatever the command does


def tell_held(of: Cohort, what: str, now: float, currency: str) -> None:
    """Say until when jobs that were just accepted are held for a minute or more, and why: who waits hears no more till
    they are done. `what`: `job 7`."""
    reason = of.decision.reason
    if of.lane is Lane.BATCH and reason.runs is False and _long(reason.until, now):
        say(f"{what} is {sentence(reason, now, currency, long=True)}{_mistaken(of, reason)}")


def _mistaken(of: Cohort, reason: Reason) -> str:
    """What to say next time, where nobody was taken to wait and the mode was not asked for."""
    wrong = reason.waits is False and reason.signal in SIGNS and of.request.mode is not Mode.BATCH
    return ". If somebody is: --audience user" if wrong else ""


def _long(start: float | None, now: float) -> bool:
    return start is None or start - now >= LONG


def held_words(outlook: Outlook, cohort: Cohort, now: float) -> str:
    """Why a limit on money keeps these jobs from beginning; "" where none does."""
    return sentence(why_withheld(outlook, cohort, now), now, outlook.config.policy.currency, long=True)


def tell_waiting(outlook: Outlook, number: int, *, json: bool = False) -> str:
    """Say what a queued job waits for: room in a limit, a runner, or until when it is held, and why.

    A plan is told on a terminal, elsewhere where it holds the job for a minute or more and is not told as `json`.
    Returns why a limit holds it, or "".
    """
    store, now = outlook.store, time.time()
    rescue(store, now)
    of = job(store, number)
    if of.state is not State.QUEUED:
        return ""
    if held := held_words(outlook, cohort(store, of.cohort), now):
        say(f"job {number}: {held}")
    elif not attended(store):
        say(f"no daemon runs, so job {number} waits for hybridq daemon or hybridq drain{FOR_GOOD}")
    else:
        _tell_plan(outlook, f"job {number}", Ids(((number, number),)), now, json=json)
    return held


def _tell_plan(outlook: Outlook, what: str, selector: Selector, now: float, *, json: bool) -> None:
    if json and not is_tty(sys.stderr):
        return
    row = _row(outlook, selector, now)
    if is_tty(sys.stderr) or _held_long(row, now):
        told = row.why != row.why_beside and bool(row.why_beside)  # until when it is held
        starts = "" if told else _starts(row, now)
        say(f"{what}: {starts}{words.standing(replace(row, why=row.why_beside or row.why), now)}")


def _row(outlook: Outlook, selector: Selector, now: float) -> Row:
    from hybridq.status.overview import take  # few who stay are told a plan

    return take(outlook, now=now, limit=1, selectors=[selector]).rows[0]


def _starts(row: Row, now: float) -> str:
    if row.start is None:
        return ""
    return f"{words.starts(row.start, row.eta, row.why_kind)} {clock(row.start, now)}{words.SEPARATOR}"


def _held_long(row: Row, now: float) -> bool:
    return row.state is State.QUEUED and row.lane is Lane.BATCH and _long(row.start, now)


def tell_all_waiting(outlook: Outlook, awaited: Awaited, named: list[Selector], *, json: bool = False) -> str:
    """The same for whatever `wait` waits for; of a group its first job to run speaks for it."""
    if awaited.only is not None:
        return tell_waiting(outlook, awaited.only, json=json)
    store, now = outlook.store, time.time()
    rescue(store, now)
    waiting = awaited.count(State.QUEUED)
    if not waiting or awaited.count(State.RUNNING):
        return ""
    from hybridq.queue.lists import standing_for

    first = standing_for(store, named[0]) if len(named) == 1 and isinstance(named[0], Group | Last) else None
    if held := "" if first is None else held_words(outlook, first, now):
        say(held)
    elif not attended(store):
        say(f"no daemon runs, so {waiting:,} of these jobs wait for hybridq daemon or hybridq drain{FOR_GOOD}")
    elif first is not None and first.name is not None:
        _tell_plan(outlook, first.name, Group(first.name), now, json=json)
    return held


def tell_final(outlook: Outlook, awaited: Awaited, named: str, verb: str) -> None:
    """Of what goes on after its draft: when the final is due, and the command that stays for it.

    `named` is what selects these jobs, as it is typed; `verb` the command, `follow` (which showed the draft) or `wait`.
    """
    drafts, failed = awaited.drafts()
    if not drafts + failed:
        return
    one = awaited.only is not None
    if verb == "wait":
        _tell_drafts(drafts, failed, named, one=one)
    now, due = time.time(), "they will come in a batch"
    if one or isinstance(parse_selector(named), Group | Last):
        due = words.standing(_row(outlook, parse_selector(named), now), now)
    final, it = ("the final", "it") if one else ("the finals", "them")
    say(f"{final}: {due}. Wait for {it}: hybridq {verb} {named} --wait-final")


def _tell_drafts(drafts: int, failed: int, named: str, *, one: bool) -> None:
    if drafts:
        say(f"{'the draft is ready' if one else f'{drafts:,} of these are drafts'}: hybridq output {named}")
    if failed:
        say("the draft failed" if one else f"{failed:,} of these drafts failed")
