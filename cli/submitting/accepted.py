"""What follows once a submission was accepted: its id, its promise, following it, waiting for it.

Rule: standard output holds the id alone (a group: its name), or JSON, or the job's own output; all else
is on standard error. With no daemon running it is said who will run the job, and when.
"""

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from hybridq.errors import BadData, UsageError
from hybridq.job import ENDED, Decision, Lane, Mode, State
from hybridq.money.why_held import why_withheld
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Cohort, cohort, job, tally
from hybridq.queue.intake import Accepted
from hybridq.queue.runner import daemon_of
from hybridq.sentences import sentence
from hybridq.when import clock, count, how_many

from ..draw import words
from ..staying.unserved import why_waiting
from ..tell import folded, is_tty, print_document, put, say, spoken
from .submission import Foretold, Skipped

if TYPE_CHECKING:
    from ..documents import Submitted

LONG = 60.0  # seconds for which something is held that a person did not foresee


class Then(Struct, frozen=True, kw_only=True):
    """What is to be done with what was accepted."""

    wait: bool = False
    follow: bool = False
    final: bool = False
    detach: bool = False
    dry_run: bool = False
    json: bool = False

    @property
    def waits(self) -> str:
        """The option by which the command itself waits, or nothing."""
        return "--wait" if self.wait else "--follow" if self.follow else ""

    def stays(self, many: bool) -> bool:
        """Whether the command stays with what streams: because it was asked to, or by itself on a terminal."""
        return bool(self.waits) or (not (many or self.detach or self.json) and is_tty(sys.stdout))

    def check(self) -> None:
        """Raise UsageError for what cannot go together."""
        ways = [name for name in ("wait", "follow", "detach", "dry_run") if getattr(self, name)]
        ways += ["json"] if self.json and self.follow else []
        if len(ways) > 1:
            named = " and ".join(f"--{name.replace('_', '-')}" for name in ways)
            raise UsageError(f"{named} cannot be used together")


def foretold(parts: list[Foretold], skipped: Skipped, then: Then, currency: str) -> int:
    """Print what would happen to a submission, part by part; returns the exit code."""
    now = time.time()
    if then.json:
        from ..documents import Part, Planned

        plans = [
            Part(jobs=of.jobs, held=of.held or None, deadline=of.deadline, **_decided(of.decision, currency))
            for of in parts
        ]
        print_document(spoken(Planned(parts=tuple(plans), left_out=skipped.count), now, currency), one_line=True)
    else:
        for of in parts:
            named = "" if len(parts) == 1 and of.jobs == 1 else f"{how_many(of.jobs)}{words.SEPARATOR}"
            due = "" if of.deadline is None else f"{words.SEPARATOR}deadline {clock(of.deadline, now)}"
            cost = f"{words.SEPARATOR}cost: unknown" if of.decision.promised.cost is None else ""
            print(
                folded(f"{named}{words.promise(of.decision, now, currency, kept=bool(of.held))}{due}{cost}", sys.stdout)
            )
            if of.held:
                print(folded(of.held, sys.stdout))
        print("nothing was submitted")
    _tell_skipped(skipped)
    return 0


def after(outlook: Outlook, accepted: Accepted | None, then: Then, skipped: Skipped) -> int:
    """Tell, follow or wait, as asked and as fits where this runs; returns the exit code."""
    _tell_skipped(skipped)
    if accepted is None:
        if then.json:
            from ..documents import Nothing

            print_document(Nothing(left_out=skipped.count), one_line=True)
        if skipped.count:
            raise BadData("nothing was submitted: every input was bad")
        say("nothing new: jobs with these keys already exist")
        return 0
    first = job(outlook.store, accepted.first)
    of = cohort(outlook.store, first.cohort)
    now, currency = time.time(), outlook.config.policy.currency
    held = "" if first.state in ENDED else sentence(why_withheld(outlook, of, now), now, currency, long=True)
    if then.json:
        print_document(spoken(_as_json(accepted, skipped, held, currency), now, currency), one_line=True)
    alone = daemon_of(outlook.store) is None
    follows = then.follow or _follows_by_itself(accepted, of, then)
    if accepted.decision.warning is not None and not (then.json or accepted.existed):
        warning = sentence(accepted.decision.warning, now, currency)
        say(f"{accepted.group if accepted.jobs > 1 else f'job {accepted.first}'}: {warning}")
    if not follows and not then.json:
        print(accepted.group if accepted.jobs > 1 else accepted.first, flush=True)
    if follows or then.wait:
        from ..staying.stay import Stay

        return Stay(
            outlook, accepted, of, first.state, alone, held, follows=follows, final=then.final, json=then.json
        ).run()
    if accepted.existed:
        say(_existed(accepted, first.state))
    else:
        _tell_promise(outlook, accepted, of, held, then, alone=alone)
    return 0


def _follows_by_itself(accepted: Accepted, cohort: Cohort, then: Then) -> bool:
    return not then.wait and then.stays(accepted.jobs > 1) and cohort.mode is not Mode.BATCH


def _existed(accepted: Accepted, state: State) -> str:
    if accepted.jobs == 1:
        return f"job {accepted.first} already has this key; it is {state}"
    return f"{count(accepted.existed)} more already existed, by their keys"


def _tell_promise(outlook: Outlook, accepted: Accepted, cohort: Cohort, held: str, then: Then, *, alone: bool) -> None:
    now, currency = time.time(), outlook.config.policy.currency
    name = f"job {accepted.first}" if accepted.jobs == 1 else f"{count(accepted.jobs)} jobs"
    if is_tty(sys.stderr):
        promise = words.promise(
            replace(cohort.decision, warning=None), now, currency, kept=bool(held)
        )  # that was said already
        put(f"{name}{words.SEPARATOR}{promise}")
    it = "it starts" if accepted.jobs == 1 else "they start"
    if unmet := _unmet(outlook, accepted, cohort):
        say(f"{name} was {unmet}" if accepted.jobs == 1 else unmet)
    elif why := why_waiting(it, cohort, alone, held):
        say(why)
    elif why := _bounded(outlook, accepted, cohort, now):
        say(f"{name}: {why}" if accepted.jobs == 1 else why)
    elif is_tty(sys.stderr) and (sooner := _sooner(outlook, accepted, cohort, now)):
        say(sooner if then.detach else f"{sooner}. Next time, say that you wait: --wait")


def _bounded(outlook: Outlook, accepted: Accepted, cohort: Cohort, now: float) -> str:
    """Why the first of these did not begin at once: by how many run, or what they hold; "": it did, or was not to."""
    if cohort.lane is not Lane.STREAM:
        return ""
    why = outlook.bounded(cohort.handler, cohort.name, cohort.request.needs, now)
    waits = why is not None and job(outlook.store, accepted.first).state is State.QUEUED
    return sentence(why, now, outlook.config.policy.currency, long=True) if waits else ""


def _unmet(outlook: Outlook, accepted: Accepted, cohort: Cohort) -> str:
    """For which job it was cancelled at once; "": for none."""
    if cohort.lane is not Lane.NONE:
        return ""
    from hybridq.queue.gates import cause_of

    return sentence(cause_of(outlook.store, accepted.first), time.time(), long=True)


def _sooner(outlook: Outlook, accepted: Accepted, cohort: Cohort, now: float) -> str:
    """How to have results now of what is held although nobody knows yet what it costs; "": it is not held long."""
    forecast = cohort.decision.forecast
    if cohort.lane is not Lane.BATCH or forecast.cost is not None or (forecast.start or now) - now < LONG:
        return ""
    if accepted.group:
        it = "it" if accepted.jobs == 1 else "them"
        return f"to run {it} now: hybridq drain --group {shlex.quote(accepted.group)}"
    held = tally(outlook.store).get((cohort.handler, Lane.BATCH, State.QUEUED), 1)
    what = "it" if held == 1 else f"all {count(held)} held jobs of {cohort.handler}"
    return f"to run {what} now: hybridq drain --handler {cohort.handler}"


def _tell_skipped(skipped: Skipped) -> None:
    for line in skipped.lines():
        say(line)


def _as_json(accepted: Accepted, skipped: Skipped, held: str, currency: str) -> "Submitted":
    from ..documents import Submitted

    return Submitted(
        id=accepted.first,
        last=accepted.last,
        jobs=accepted.jobs,
        group=accepted.group,
        existed=accepted.existed,
        left_out=skipped.count,
        held=held or None,
        **_decided(accepted.decision, currency),
    )


def _decided(decision: Decision, currency: str) -> dict[str, Any]:
    """The fields of `documents.Decided`."""
    forecast, now = decision.promised, time.time()
    return {
        "mode": decision.mode,
        "reason": sentence(decision.reason, now, currency, long=True),
        "reason_kind": decision.reason.kind,
        "warning": sentence(decision.warning, now, currency) or None,
        "start": forecast.start,
        "finish": forecast.finish,
        "finish90": forecast.finish90,
        "cost": forecast.cost,
        "served": decision.served,
        "considered": decision.considered,
    }
