"""Handing in what was asked for: inputs from their source, options, one Request for all that share them.

Rule: many jobs are one submission, all or nothing; with `--skip-bad` what is left out is counted and listed.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import astuple, replace

from hybridq.asking import options as asking
from hybridq.asking.options import Options
from hybridq.asking.surroundings import LOOKS, Surroundings, secret
from hybridq.audience import Found, find_audience
from hybridq.brain.commands import shared
from hybridq.brain.policy import check_mode
from hybridq.config.values import HandlerConfig
from hybridq.errors import BadData, HybridqError, UsageError
from hybridq.job import Decision, Request, Waits
from hybridq.money.why_held import would_be_withheld
from hybridq.outlook import Outlook
from hybridq.queue.intake import Accepted
from hybridq.queue.submissions import before
from hybridq.sentences import sentence
from hybridq.submit import command_of, deciding, submit, submit_many
from hybridq.visible import visible_line

from ..suggestions import Misread
from ..tell import is_tty
from .inputs import Bad, Item
from .words import Source

if TYPE_CHECKING:
    from .piped import Piped

Job = tuple[Request, bytes, str | None, Waits | None]
"""A job to be: what it asks, its input, its key, what it waits for."""
LISTED = 20  # of what was left out
STEP = 1000  # jobs between two looks at the progress bar


class Skipped:
    """What was left out of a submission: counted, and the first of it listed. Without leave it is refused."""

    def __init__(self, allowed: bool) -> None:
        self._allowed = allowed
        self.count = 0
        self.listed: list[str] = []

    def __call__(self, bad: object) -> None:
        """Leave this out. Raises BadData where nothing may be left out."""
        if not self._allowed:
            raise BadData(f"{bad}. Nothing was submitted. To skip bad inputs: --skip-bad")
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append(str(bad))

    def lines(self) -> Iterator[str]:
        """What to tell the user."""
        if self.count:
            yield f"{self.count:,} left out:"
            yield from (f"  {line}" for line in self.listed)
            if self.count > LISTED:
                yield f"  and {self.count - LISTED:,} more"


class Foretold(NamedTuple):
    """A part of a submission that is only foretold; `held`: why a limit would keep it; `deadline`: epoch seconds."""

    jobs: int
    decision: Decision
    held: str
    deadline: float | None


class Submission:
    """One call of `submit`, from its source to what was accepted."""

    def __init__(
        self,
        outlook: Outlook,
        source: Source,
        options: Options,
        waits: str,
        stdin: bool | None,
        *,
        stays: Callable[[bool], bool],
        detached: bool,
        who: Found | None = None,
    ) -> None:
        """`waits`: the option by which somebody waits; `stdin`: whether standard input is a command's, as asked;
        `stays`: whether this process stays with many jobs, or with one, and so runs it where nobody else does;
        `detached`: it was asked not to. `who` waits; None: that is found out."""
        self._outlook = outlook
        self._config = _handler(outlook, source.handler)
        self._source = source = source.meant(self._config.traits.commands)
        self._options = options
        self._stdin = self._standard_input(stdin)
        self._waits, self._may_stay, self._detached, self._named = waits, stays, detached, who
        self._size(source.many and len(source.each or ()) != 1)
        self._now = time.time()
        self._behind = self._awaited(options)
        self._requests: dict[tuple[object, ...], Request] = {}
        self._around: dict[tuple[object, ...], Surroundings] = {}

    def _awaited(self, options: Options) -> Waits | None:
        """What all of it waits for, as named on the command line."""
        if options.after is None and options.after_ended is None:
            return None
        from hybridq.asking.waits import waits_for

        return waits_for(self._outlook.store, options)

    def _size(self, many: bool) -> None:
        """Find out who waits for many jobs, or for one, and whether this process stays with them."""
        self._stays = self._may_stay(many)
        self._who = self._named or self._found(many)

    def _found(self, many: bool) -> Found:
        return find_audience(
            environ=os.environ,
            waits=self._waits,
            many=many,
            stdin_tty=is_tty(sys.stdin),
            output_tty=is_tty(sys.stdout) or is_tty(sys.stderr),
            detached=self._detached,
            before=lambda caller: before(self._outlook.store, caller),
        )

    def kept(self) -> Iterator[str]:
        """What to tell of the variables that commands see: secrets that were left out, and those that were not."""
        if self._stdin and self._stdin.told:
            yield self._stdin.told
        around = self._around.values()
        left = sorted({name for each in around for name, why in each.left_out.items() if why == LOOKS})
        stored = sorted({name for each in around for name in each.env if secret(name)})
        if stored:
            yield f"{_listed(stored)} stored in the queue's file; only you can read it"
        if left:
            why = "it looks like a secret" if len(left) == 1 else "they look like secrets"
            yield f"{_listed(left)} not passed to the job, because {why}. To pass one: --env NAME"

    def one(self) -> Accepted:
        """Submit the single job."""
        request, data = self.single()
        return submit(
            self._outlook,
            request,
            data,
            key=self._options.key,
            behind=self._behind,
            stays=self._stays,
            waits=bool(self._waits),
        )

    def many(self, skipped: Skipped) -> Accepted | None:
        """Submit all of them; None: every one was there already."""
        total = len(self._source.each) if self._source.each is not None else None
        with _counted(f"submitting to {self._source.handler}", total) as more:
            jobs = self._stream(self._inputs(), skipped, more)
            waits = bool(self._waits)
            return submit_many(
                self._outlook, jobs, refused=skipped, behind=self._behind, stays=self._stays, waits=waits
            )

    def foretell(self, skipped: Skipped) -> list[Foretold]:
        """Each part that would be decided apart; nothing is submitted."""
        sums: dict[int, list[float]] = {}
        requests: dict[int, Request] = {}
        if self._source.many:
            jobs: Iterable[Job]
            jobs = self._stream(self._inputs(), skipped, lambda _: None)
        else:
            jobs = [(*self.single(), None, self._behind)]
        for request, data, _, _ in jobs:
            total = sums.setdefault(id(request), [0, 0.0])
            total[0] += 1
            total[1] += len(data)
            kind = command_of(self._outlook, request, data)
            before = requests.get(id(request))
            requests[id(request)] = replace(request, kind=kind if before is None else shared(before.kind, kind))
        decide = deciding(self._outlook, self._now, behind=self._behind, stays=self._stays, waits=bool(self._waits))
        found = [(requests[key], int(n), size / n) for key, (n, size) in sums.items()]
        decided = [(of, n, size, decide(of, n, size)[0]) for of, n, size in found]
        return [Foretold(n, decision, self._held(of, decision, size), of.deadline) for of, n, size, decision in decided]

    def _held(self, of: Request, decision: Decision, size: float) -> str:
        why = would_be_withheld(self._outlook, of.handler, of.group, decision.mode, size, self._now)
        return sentence(why, self._now, self._outlook.config.policy.currency, long=True)

    def single(self) -> tuple[Request, bytes]:
        """The single job as it would be stored. Raises UsageError, BadData."""
        request = self._request(None)  # what is wrong with it is said before anything is read
        return request, self._source.one(self._config.traits.commands, self._stdin.data if self._stdin else b"")

    def _standard_input(self, asked: bool | None) -> "Piped | None":
        """What comes with a command; other handlers and many jobs have their inputs only."""
        reads = "-" in (self._source.text, self._source.lines, self._source.jsonl)
        if not self._config.traits.commands or self._source.many or reads:
            if asked:
                raise UsageError("--stdin needs a single command: hybridq submit --stdin -- CMD ARG")
            return None
        from .piped import Piped

        return Piped(asked)

    def _inputs(self) -> Iterator[Item | Bad]:
        """All inputs; of a single one it is known from now on that it is."""
        if self._source.jsonl is None:
            self._request(None)  # what is wrong with it is said before anything is read
        inputs = self._source.stream(self._config.traits.commands)
        begin = list(islice(inputs, 2))
        if len(begin) == 1 and self._source.each is None:
            self._requests.clear()
            self._size(False)
        return chain(begin, inputs)

    def _stream(self, inputs: Iterator[Item | Bad], skipped: Skipped, more: Callable[[int], None]) -> Iterator[Job]:
        plain = None if self._source.jsonl is not None else self._request(None)
        number = 0
        for number, item in enumerate(inputs, 1):
            if number % STEP == 0:
                more(STEP)
            if isinstance(item, Bad):
                skipped(item)
            elif plain is not None:
                yield plain, item.data, None, self._behind
            elif (found := self._with_options(item, skipped)) is not None:
                yield found
        if not number:
            raise BadData("nothing to submit: the input is empty")

    def _with_options(self, item: Item, skipped: Skipped) -> Job | None:
        from hybridq.asking.waits import line_waits

        line = item.options
        try:
            return self._request(line), item.data, line.key if line else None, line_waits(line) or self._behind
        except HybridqError as problem:
            skipped(Bad(item.place, str(problem)))
            return None

    def _request(self, line: Options | None) -> Request:
        """The same object for the same options: jobs that share it are planned together."""
        which = () if line is None else _hashed(astuple(line)[: asking.SHARED])
        if which not in self._requests:
            options = self._options if line is None else asking.merged(line, self._options)
            around = self._surroundings(options)
            if options.notify:
                from hybridq.hooks.urls import check_notify

                check_notify(self._outlook.config.hooks)
            there = self._outlook.config.resources
            request = asking.request(self._source.handler, self._config, options, self._who, self._now, around, there)
            check_mode(request, self._outlook.modes(request.handler))
            self._requests[which] = request
        return self._requests[which]

    def _surroundings(self, options: Options) -> Surroundings:
        """The same object for the same options."""
        which = (options.cwd, options.env, options.env_file, options.clean_env)
        if which not in self._around:
            self._around[which] = asking.surroundings_of(self._config, options, os.environ)
        return self._around[which]


def _hashed(said: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(tuple(sorted(each.items())) if isinstance(each, dict) else each for each in said)


def _listed(names: list[str]) -> str:
    shown = [visible_line(name, 60) for name in names[:LISTED]]
    shown += [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    return f"{shown[0]} is" if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]} are"


def _handler(outlook: Outlook, name: str) -> HandlerConfig:
    try:
        return outlook.handler(name)
    except UsageError as problem:
        raise Misread(str(problem)) from None


@contextlib.contextmanager
def _counted(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; rich is imported only for that."""
    if not is_tty(sys.stderr):
        yield lambda _: None
        return
    from ..draw.bar import counting
    from ..draw.terminal import Terminal

    with counting(name, total, Terminal(stderr=True)) as more:
        yield more
