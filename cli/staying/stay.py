"""Staying with what was just accepted: following or waiting, and running it here where nobody else would.

Rule: a stream job that somebody stays with runs in this very process when no daemon does; a batch waits
for a daemon or a drain. Leaving (Control-C) never loses the job, and says how to come back.
"""

import contextlib
import logging
import shlex
import sys
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from hybridq.errors import StorageError, TryAgain
from hybridq.job import ENDED, Lane, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Cohort
from hybridq.queue.intake import Accepted
from hybridq.queue.progress import Awaited
from hybridq.runner.failover import Failover
from hybridq.selection import Group, Ids

from ..tell import is_tty, leaving, say
from .follow import await_all, fate, follow_job
from .printer import Printer
from .unserved import why_waiting
from .why_waiting import tell_final, tell_held, tell_waiting

if TYPE_CHECKING:
    from hybridq.runner.inline import InlineRun


class Stay(Struct, frozen=True):
    """Who stays with what. `state` is where the (first) job stood when it was handed in."""

    outlook: Outlook
    accepted: Accepted
    of: Cohort
    state: State
    alone: bool  # no daemon runs
    held: str  # why a limit on money lets it not begin
    follows: bool  # shows the output
    final: bool  # of an adaptive job, not only its draft is awaited
    json: bool  # what there is to know was printed as JSON

    def run(self) -> int:
        """Stay until the end; returns the exit code. Raises TryAgain where the queue lets nobody stay."""
        try:
            return self._run()
        except (TryAgain, StorageError) as problem:
            verb = "follow" if self.follows else "wait"
            again = f"{self._what} is in the queue; come back with: hybridq {verb} {self._name}"
            raise type(problem)(f"{str(problem).removesuffix('; try again')}: {again}") from problem

    def _run(self) -> int:
        with leaving(self._left), contextlib.ExitStack() as open_:
            if (runs := self._runs()) is not None:
                open_.enter_context(runs)
            self._tell()
            return self._until_end()

    def _runs(self) -> "InlineRun | Failover | None":
        """What runs it here, now or where the daemon goes meanwhile."""
        home, config = self.outlook.store.home, self.outlook.config
        if self._own:
            from hybridq.runner.inline import InlineRun

            if self.follows:  # which tells why a job waits
                logging.getLogger("hybridq.provider").setLevel(logging.ERROR)
            return InlineRun(home, config, self.of.id)
        return Failover(home, config, self.of.id, self._takes_over, self._cannot) if self._streams else None

    @property
    def _own(self) -> bool:
        """Whether this process is to run it."""
        return self.alone and self._streams

    @property
    def _streams(self) -> bool:
        whole = self.of.jobs == self.accepted.jobs
        streams = self.of.lane is Lane.STREAM or (self.of.lane is Lane.NONE and self.of.mode is not Mode.BATCH)
        return streams and whole and self.state not in ENDED

    def _takes_over(self) -> None:
        say(f"the daemon has stopped, so this submit runs {self._what} itself")

    def _cannot(self, missing: str) -> None:
        say(f"the daemon has stopped, and {missing} is not set here: {self._what} waits for a daemon that has it")

    @property
    def _name(self) -> str:
        group = self.accepted.group if self.accepted.jobs > 1 else None
        return group or str(self.accepted.first)

    @property
    def _what(self) -> str:
        return f"job {self._name}" if self.accepted.jobs == 1 else f"group {self._name}"

    @property
    def _currency(self) -> str:
        return self.outlook.config.policy.currency

    @property
    def _awaited(self) -> Awaited:
        group = self.accepted.group if self.accepted.jobs > 1 else None
        first = self.accepted.first
        named = Ids(((first, first),)) if group is None else Group(group)
        return Awaited(self.outlook.store, [named], final=self.final)

    def _tell(self) -> None:
        if self.state in ENDED:
            return
        if not self._own:
            if why := why_waiting(f"{self._what} starts", self.of, self.alone, self.held):
                say(why)
            elif not (self.json or self._follows_group):
                self._tell_plan()
        elif self.held:
            say(self.held)
        elif self.of.mode is Mode.ADAPTIVE and self.final:
            say(
                "no daemon runs, so this submit makes the draft;"
                " the final result waits for hybridq daemon or hybridq drain"
            )
        elif self.follows and is_tty(sys.stderr):  # elsewhere nobody asks who runs it
            say(f"no daemon runs, so this submit runs {self._what} itself")

    @property
    def _follows_group(self) -> bool:
        """Whether how far it is will be shown, with until when it is held."""
        return self.follows and self.accepted.jobs > 1

    def _tell_plan(self) -> None:
        if self.accepted.existed:  # by now it may be held for something else
            tell_waiting(self.outlook, self.accepted.first)
        else:
            tell_held(self.of, self._what, time.time(), self._currency)

    def _left(self) -> str:
        becomes = "is queued again; hybridq daemon or hybridq drain will run it"
        if not self._own:
            becomes = fate(self.outlook, self._awaited).removeprefix("it ")
        return f"{self._what} {becomes}. Come back with: hybridq {'follow' if self.follows else 'wait'} {self._name}"

    def _until_end(self) -> int:
        accepted, store = self.accepted, self.outlook.store
        if accepted.jobs > 1 and accepted.group is not None:
            if not self.follows:
                return self._waited(shlex.quote(accepted.group))
            from .group import follow_group

            code, awaited = follow_group(self.outlook, accepted.group, self._awaited), self._awaited
            tell_final(self.outlook, awaited, shlex.quote(accepted.group), "wait")
            return code
        if not self.follows:
            return self._waited(self._name)
        raw = self.outlook.handler(self.of.handler).traits.commands  # it behaves as the command itself
        code = follow_job(
            store, accepted.first, Printer(raw=raw), final=self.final, told=self.held, currency=self._currency
        )
        if accepted.existed or (self.of.lane, self.of.mode) != (Lane.STREAM, Mode.STREAM):  # else there is no draft
            tell_final(self.outlook, self._awaited, self._name, "follow")
        return code

    def _waited(self, named: str) -> int:
        """Wait for the end; a person is told then where the results are."""
        awaited = self._awaited
        code = await_all(self.outlook.store, awaited, named, told=self.held, currency=self._currency)
        tell_final(self.outlook, awaited, named, "wait")
        if code == 0 and is_tty(sys.stderr) and not awaited.count(State.QUEUED, State.RUNNING):
            say(f"{self._what} is done: hybridq output {named}")
        return code
