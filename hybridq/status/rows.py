"""Rows of a view from what the store holds: one job, or one group as a whole, and what it is about in words.

Rule: a row says what is so and what is foreseen, never a time in the past for what is to come; text of
jobs is passed on as valid Unicode, and made safe by whoever draws it.
"""

import json
import shlex
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ..brain.forecast import Eta
from ..config.values import Config
from ..job import ENDED, Lane, State
from ..outlook import Outlook
from ..queue import lists, troubles
from ..queue.cohorts import Cohort
from ..queue.gates import Gate, gate, gates_before, told, unmet
from ..queue.group_sums import GroupSum, group_sums, waiting_parts
from ..queue.learned import remarked, remarked_of
from ..queue.lists import ListedJob
from ..reason import EXITED, SAID, Reason, said
from ..sentences import how_ended, sentence
from .foresight import NONE, Foreseen, Foresight, whole
from .snapshot import Failed, Row

PARTS = 8  # of a group that waits for others in several ways, that are foreseen


def subject(data: bytes) -> str:
    """A command as it would be typed, a text as it is, any other input as its JSON. `data` may be cut short."""
    try:
        asked = json.loads(_command(data))
    except (ValueError, RecursionError):
        asked = None
    match asked:
        case {"argv": [*words]} if all(isinstance(word, str) for word in words):
            text = shlex.join(words)
        case {"shell": str() as line}:
            text = line
        case str():
            text = asked
        case _:
            text = data.decode("utf-8", "backslashreplace")
    # Names that are no UTF-8 come as lone surrogates, which neither SQLite nor JSON can take back.
    return text.encode("utf-8", "backslashreplace").decode()


def _command(data: bytes) -> bytes:
    """A command's input without its standard input, in the midst of which it may be cut."""
    command, given, _ = data.partition(b',"stdin":')
    return command + b"}" if given and command.startswith((b'{"argv":', b'{"shell":')) else data


class Rows:
    """Makes rows for one instant."""

    def __init__(self, outlook: Outlook, foresight: Foresight) -> None:
        self._store = outlook.store
        self._config = outlook.config
        self._foresight = foresight

    def of(self, cohorts: Sequence[Cohort], before: Mapping[int, int] | None = None) -> list[Row]:
        """A row for each cohort: its group's, or that of its only job. `before`: how many jobs go first, by cohort."""
        before = before or {}
        sums = group_sums(self._store, [of.name for of in cohorts if of.name is not None])
        lines = lists.listed(self._store, [of.first for of in cohorts if of.name is None])
        return [
            self._job(of, lines[of.first], before.get(of.id))
            if of.name is None
            else self._group(of, sums[of.name], before.get(of.id))
            for of in cohorts
        ]

    def jobs(self, numbers: Sequence[int]) -> list[Row]:
        """A row for each of these jobs, whether it is in a group or not."""
        lines = lists.listed(self._store, numbers)
        cohorts = {of.id: of for of in lists.by_number(self._store, sorted({each.cohort for each in lines.values()}))}
        return [self._job(cohorts[lines[number].cohort], lines[number], None) for number in numbers if number in lines]

    def _said(self, reason: Reason, *, stateless: bool = False) -> str:
        return sentence(reason, self._foresight.now, self._config.policy.currency, stateless=stateless)

    def _job(self, cohort: Cohort, line: ListedJob, before: int | None) -> Row:
        over, foresight = line.state in ENDED, self._foresight
        eta, why = _job_end(line) if over else self._job_future(cohort, line, before)
        deadline, end = cohort.request.deadline, line.finished if over else max(foresight.now, eta.finish or 0.0)
        late_by = None if deadline is None or line.state is State.CANCELLED else _behind(end, deadline)
        return Row(
            id=line.id,
            last=line.id,
            group=None,
            what=f"{cohort.handler} {subject(line.text) if cohort.request.session is None else 'session'}",
            handler=cohort.handler,
            audience=cohort.audience,
            mode=cohort.mode,
            lane=cohort.lane,
            state=line.state,
            counts={line.state: 1},
            submitted=cohort.accepted,
            started=None if line.state is State.QUEUED else line.started,
            finished=line.finished if over else None,
            start=eta.start,
            eta=eta.finish,
            eta90=eta.finish90,
            deadline=deadline,
            late=late_by is not None,
            late_by=late_by,
            cost=(cohort.cost if cohort.jobs == 1 else line.cost) if over else None,
            exit_code=exit_code(self._config, cohort.handler, line.state, line.exit_code),
            why=self._said(why),
            why_beside=self._said(why, stateless=True),
            why_kind="" if why is NONE else why.kind,
            waits_for=self._waits_for(cohort, gate(self._store, line.gate)) if line.state is State.QUEUED else "",
        )

    def _waits_for(self, cohort: Cohort, before: Gate | None) -> str:
        return told(before.ranges) if cohort.lane is Lane.NONE and before is not None else ""

    def _job_future(self, cohort: Cohort, line: ListedJob, before: int | None) -> Foreseen:
        foresight = self._foresight
        running = line.state is State.RUNNING
        if cohort.lane is Lane.NONE and not running:
            here = gate(self._store, line.gate)
            return foresight.waiting(cohort, 1, [] if here is None else [here])
        eta, why = foresight.running(cohort, 1, line.started) if running else self._waiting(cohort, before)
        if running and (remark := remarked(self._store, line.id)):
            why = said(remark)
        if why.kind == "paused":  # nothing else matters until it is resumed
            return eta, why
        if line.deaths and not running:
            why = Reason("watched", jobs=line.deaths)
        if line.ready > foresight.now:
            why = _next_try(cohort, line)
            eta = eta if running else foresight.tried_again(cohort, 1, line.ready)
        return eta, why

    def _waiting(self, cohort: Cohort, before: int | None) -> Foreseen:
        eta, why = self._in_lane(cohort, before)
        if cohort.name is not None and (again := lists.all_wait(self._store, cohort.id, self._foresight.now)):
            return eta, Reason("again", again[1], due=again[0])
        return eta, why

    def _in_lane(self, cohort: Cohort, before: int | None) -> Foreseen:
        if cohort.lane is Lane.NONE:
            return self._foresight.waiting(cohort, cohort.queued, gates_before(self._store, cohort.id))
        if cohort.lane is Lane.STREAM:
            return self._foresight.streamed(cohort, before)
        if self._foresight.flushing(cohort):
            if (limit := self._foresight.limited(cohort, cohort.queued)) is not None:
                return Eta(), limit
            return self._foresight.running(
                cohort, cohort.counts.get(State.RUNNING, 0) + cohort.counts.get(State.QUEUED, 0), None
            )
        return self._foresight.held(cohort)

    def _group(self, cohort: Cohort, found: GroupSum, before: int | None) -> Row:
        counts = found.counts
        state = next((each for each in _WORST_FIRST if counts.get(each)), State.DONE)
        over = state in ENDED
        eta, why = self._group_future(cohort, found, before)
        causes = self._causes(found)
        codes = {each.exit_code for each in causes}
        code = exit_code(self._config, cohort.handler, state, codes.pop() if len(codes) == 1 else None)
        late_by, last_due = troubles.overdue(self._store, found.name, self._foresight.now)
        if not over and eta.finish is not None:
            late_by = max((by for by in (late_by, _behind(eta.finish, last_due)) if by is not None), default=None)
        return Row(
            id=found.first,
            last=found.last,
            group=found.name,
            what=f"{found.name} {cohort.handler}",
            handler=cohort.handler,
            audience=cohort.audience,
            mode=cohort.mode,
            lane=cohort.lane,
            state=state,
            counts=counts,
            submitted=found.accepted,
            started=found.started,
            finished=found.finished if over else None,
            start=eta.start,
            eta=eta.finish,
            eta90=eta.finish90,
            deadline=cohort.request.deadline,
            late=late_by is not None,
            late_by=late_by,
            exit_code=code,
            causes=causes,
            cost=found.cost if over or found.cost else None,
            mixed=lists.mixed(self._store, found.name),
            why=self._said(why),
            why_beside=self._said(why, stateless=True),
            why_kind="" if why is NONE else why.kind,
            waits_for=self._waits_for(cohort, next(iter(gates_before(self._store, cohort.id, 1)), None)),
            away=self._foresight.away(cohort, counts.get(State.RUNNING, 0)) if state is State.RUNNING else 0,
        )

    def _causes(self, found: GroupSum) -> tuple[Failed, ...]:
        failed = troubles.failures(self._store, found.name) if found.counts.get(State.FAILED) else []
        return tuple(
            Failed(reason=reason, exit_code=code, jobs=jobs, exited=_exited(reason, code))
            for reason, code, jobs in failed
        )

    def _group_future(self, cohort: Cohort, found: GroupSum, before: int | None) -> Foreseen:
        """Until its last job is done, and why then; what is not tried again yet is told of first."""
        parts = lists.by_number(self._store, waiting_parts(self._store, found.name, PARTS))
        eta, why = self._group_course(cohort, found, before, sum(of.queued for of in parts))
        behind = [
            self._foresight.waiting(of, of.queued, gates_before(self._store, of.id))[0]
            for of in parts
            if of.id != cohort.id
        ]
        eta = whole([eta, *behind]) if behind else eta
        now = self._foresight.now
        waits = troubles.again(self._store, found.name, now) if found.counts.get(State.QUEUED) else None
        if waits is None:
            return eta, why
        jobs, at, last, error = waits
        if eta.finish is not None:
            eta = whole([eta, self._foresight.tried_again(cohort, jobs, last)])
        left = sum(found.counts.get(state, 0) for state in (State.QUEUED, State.RUNNING))
        return eta, Reason("again", error, due=at, jobs=jobs, of=left, then=None if jobs == left else why)

    def _group_course(self, cohort: Cohort, found: GroupSum, before: int | None, behind: int) -> Foreseen:
        """What runs now with all that follows at once, and what is held for later; so many jobs are `behind` others."""
        counts = found.counts
        running, queued = counts.get(State.RUNNING, 0), counts.get(State.QUEUED, 0)
        if not running and cohort.lane is Lane.NONE and queued:
            return self._in_lane(cohort, before)
        queued -= behind
        if not running and not queued:
            return Eta(), (unmet(self._store, found.name) if counts.get(State.CANCELLED) else None) or NONE
        if not running:
            return self._waiting(cohort, before)
        if (limit := self._foresight.limited(cohort, queued)) is not None:
            return Eta(), replace(limit, held=queued) if limit.withholds else limit
        at_once = queued if cohort.lane is Lane.STREAM or self._foresight.flushing(cohort) else 0
        eta, why = self._foresight.running(cohort, running + at_once, cohort.started)
        remark = remarked_of(self._store, found.name)
        return eta, said(remark) if remark else why


def _next_try(cohort: Cohort, line: ListedJob) -> Reason:
    """Until when a job waits, and for which try; a provider's own waiting is no try of its own."""
    error, counted = line.error or "failed", line.state is State.QUEUED and line.tries > 0
    retries = cohort.request.retries
    if not counted or line.tries > retries:
        return Reason("again", error, due=line.ready)
    return Reason("again", error, due=line.ready, attempt=line.tries + 1, tries=retries + 1)


def _job_end(line: ListedJob) -> Foreseen:
    """What is still worth knowing of a job that has ended."""
    if line.state is State.FAILED:
        error = line.error or "failed"
        return Eta(), Reason(EXITED if _exited(error, line.exit_code) else SAID, error)
    if line.cause is not None and line.state is State.CANCELLED:
        return Eta(), Reason("unmet", str(line.cause[0]), mode=line.cause[1])
    return Eta(), Reason("cut", line.cut) if line.state is State.DONE and line.cut else NONE


def _exited(told: str, code: int | None) -> bool:
    """Whether the exit code is all that is known of a failure."""
    return code is not None and told == how_ended(code)


def _behind(end: float | None, deadline: float) -> float | None:
    """Seconds between a deadline and an end after it; None: it is kept, or nobody knows."""
    return end - deadline if end is not None and end > deadline else None


def exit_code(config: Config, handler: str, state: State, code: int | None) -> int | None:
    """The exit code of a command that ended; None where there was no command, or it has not ended.

    One that is done ended with 0, which no result has to say.
    """
    if state is State.DONE:
        found = config.handlers.get(handler)
        return 0 if found is not None and found.traits.commands else None
    return code if state in ENDED else None


# What was cancelled says nothing of what was done: a group of which any job was is done.
_WORST_FIRST = (State.RUNNING, State.QUEUED, State.FAILED, State.DONE, State.CANCELLED)
