"""The claim of the product on real processes: people answered at once, background work cheap, both in one run.

Documents come at once, a person's questions at the same instants in each run; a daemon with one digest worker
serves them in a fresh home: everything streamed, everything gathered, and as hybridq decides. The day is some
seconds long instead of hours; nothing else is made smaller. Money is what the queue recorded: the seconds that a
call kept the worker busy, and those of starting it, at the machine's rate times the tariff's factor at their end.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import psutil

from hybridq.demo.play import library
from hybridq.demo.stage import HANDLER, LIBRARY, WORKER
from hybridq.job import Audience, Mode, Request, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import state_of
from hybridq.queue.follow import End, OutputPiece, follow
from hybridq.queue.intake import Accepted
from hybridq.submit import connect, submit, submit_many
from tests.bench.measure import daemon, quantile, queue, row

DAY, NIGHT = 1.0, 0.2  # price factors; NIGHT is an assumption: spot machines are 60-90 % off
LEAD = 5.0  # seconds that the daemon has to start
GLANCE, GLANCES = 0.0005, 0.01  # seconds, and share of what it has waited, between two looks at a queued job
LIMIT = 300.0  # seconds that one run may take
SEED = 1

_CONFIG = """\
[tariff]
factor = {night}

[[tariff.window]]
start = "{start}"
end = "{end}"
factor = {day}

[policy]
load_weight = 0  # the machine's load of the last minute would speak of the run before

[handlers.{handler}]
command = {command}
cwd = {library}
expected = "10ms"
fixed = "200ms"
"""


class Scale(NamedTuple):
    """How much of it. The price falls `dear` seconds after the documents came; people ask for `late` seconds more."""

    documents: int = 2000
    questions: int = 30
    dear: float = 40.0
    late: float = 10.0


class Way(NamedTuple):
    """One way to run everything; `mode` None: hybridq decides."""

    name: str
    mode: Mode | None


class Lot(NamedTuple):
    """Jobs of one run that went through one lane: seconds that they kept the worker busy, and what they cost."""

    lane: str
    jobs: int
    busy: float
    money: float


class Run(NamedTuple):
    """What came of one way. `waits` has seconds from submitting a question to its first byte, a question each."""

    way: Way
    waits: list[float]
    documents: list[Lot]
    questions: list[Lot]
    wall: float  # seconds from the documents' submission to the last end
    following: float  # seconds of processor time that following took beside the daemon
    worked: float  # seconds of processor time of the worker, for all jobs: busy seconds grow with the neighbours' work

    @property
    def money(self) -> float:
        """What all documents cost."""
        return sum(lot.money for lot in self.documents)

    @property
    def all_money(self) -> float:
        """What documents and questions cost, with every start."""
        return self.money + sum(lot.money for lot in self.questions)

    @property
    def price(self) -> float:
        """What an hour of the worker cost on documents, starts included."""
        return self.money / self.busy * 3600

    @property
    def busy(self) -> float:
        """Seconds that all documents kept the worker busy."""
        return sum(lot.busy for lot in self.documents)


WAYS = (Way("all streamed", Mode.STREAM), Way("all gathered", Mode.BATCH), Way("hybridq", None))


def measured(way: Way, scale: Scale) -> Run:
    """Run it once, in a home of its own. Raises RuntimeError when the daemon is late or ends."""
    began = float(int(time.time() + LEAD) + 1)  # the tariff knows whole seconds
    with queue(_config(began, scale.dear)) as outlook, daemon(outlook) as process:
        if time.time() > began:
            raise RuntimeError(f"the daemon did not start within {LEAD:.0f} s")
        with ThreadPoolExecutor(scale.questions) as person:
            asked = [
                person.submit(_ask, outlook.store.home.folder, way, path, began + after, _watch(process))
                for path, after in zip(_paths(scale.questions, SEED), _instants(scale), strict=True)
            ]
            _sleep_until(began)
            accepted = _gather(outlook, way, scale.documents)
            answers = [each.result() for each in asked]
        _finished(outlook, accepted, _watch(process))
        times = [child.cpu_times() for child in psutil.Process(process.pid).children(recursive=True)]
        worked = sum(each.user + each.system for each in times)
        return _counted(outlook, way, accepted, began, answers, worked)


def headline(scale: Scale | None = None) -> None:
    """The three ways one after another, and the two figures that are claimed."""
    scale = scale or Scale()
    _explain(scale)
    streamed, gathered, mixed = (_shown(measured(way, scale)) for way in WAYS)
    for name, q in (("p50", 0.5), ("p95", 0.95), ("worst", 1.0)):
        ours, theirs = quantile(mixed.waits, q), quantile(gathered.waits, q)
        row(f"first byte, {name}", f"{ours:.3f} s", f"gathered {theirs:.3f} s", ours / theirs, "<= 0.10")
    _compare("documents, money", mixed.money, streamed.money, "<= 0.25", digits=6)
    _compare("all jobs, money", mixed.all_money, streamed.all_money, "", digits=6)
    _compare("documents, busy seconds (one price)", mixed.busy, streamed.busy, "", digits=2)
    _compare("documents, mean price (one busy time)", mixed.price, streamed.price, "", digits=3)
    _compare("worker's processor seconds, all jobs", mixed.worked, streamed.worked, "", digits=2)
    sooner = 1 - quantile(mixed.waits, 0.5) / quantile(gathered.waits, 0.5)
    cheaper = 1 - mixed.money / streamed.money
    print(f"first byte {sooner:.1%} sooner than gathered (p50), documents {cheaper:.1%} cheaper than streamed")
    print(f"with these busy times 0.25 needs a night of at most x{0.25 * streamed.busy / mixed.busy:.2f}")


def _compare(what: str, ours: float, streamed: float, wanted: str, *, digits: int) -> None:
    row(what, f"{ours:.{digits}f}", f"streamed {streamed:.{digits}f}", ours / streamed, wanted)


def _explain(scale: Scale) -> None:
    print(
        f"{scale.documents:,} documents at 0 s, {scale.questions} questions from 0 to {scale.dear + scale.late:.0f} s;"
    )
    print(f"price x{DAY:g} until {scale.dear:.0f} s, then x{NIGHT:g}; one worker, the policy's defaults without load.")
    print("Money: busy seconds of the worker, starts included, x machine rate x the factor then, as recorded.")


def _shown(run: Run) -> Run:
    """Print one way's figures."""
    p50, p95, worst = (quantile(run.waits, q) for q in (0.5, 0.95, 1.0))
    print(f"{run.way.name}: first byte p50 {p50:.3f} s, p95 {p95:.3f} s, worst {worst:.3f} s")
    print(
        f"  all done in {run.wall:.1f} s; of a core the worker took {run.worked:.1f} s, following {run.following:.1f} s"
    )
    for what, lots in (("documents", run.documents), ("questions", run.questions)):
        for lot in lots:
            print(f"  {lot.jobs} {what}, {lot.lane} lane, {lot.busy / lot.jobs * 1e3:.2f} ms each: {lot.money:.6f}")
    return run


def _config(began: float, dear: float) -> str:
    start, end = (time.strftime("%H:%M:%S", time.gmtime(at)) for at in (began - 3600, began + dear))
    return _CONFIG.format(
        night=NIGHT,
        day=DAY,
        start=start,
        end=end,
        handler=HANDLER,
        command=json.dumps(WORKER),
        library=json.dumps(str(LIBRARY)),
    )


def _paths(number: int, seed: int | None = None) -> list[str]:
    """So many modules of Python's library, from the first again when there are no more; shuffled by a seed."""
    found = library()
    if seed is not None:
        random.Random(seed).shuffle(found)
    return list(islice(cycle(found), number))


def _instants(scale: Scale) -> list[float]:
    """Seconds after the documents came at which the person asks: one in each equal stretch, at random within it."""
    chance, gap = random.Random(SEED), (scale.dear + scale.late) / scale.questions
    return [(place + chance.random()) * gap for place in range(scale.questions)]


def _gather(outlook: Outlook, way: Way, documents: int) -> Accepted:
    request = Request(handler=HANDLER, audience=Audience.BACKGROUND, mode=way.mode)
    accepted = submit_many(outlook, ((request, json.dumps(path).encode(), None) for path in _paths(documents)))
    assert accepted is not None
    return accepted


def _ask(home: Path, way: Way, path: str, at: float, clock: Callable[[], float]) -> tuple[int, float, float]:
    """(job, seconds to its first byte, processor seconds of this thread) of a question at an instant."""
    outlook = connect(dict(os.environ), home=home)
    request = Request(handler=HANDLER, audience=Audience.USER, mode=way.mode)
    with outlook.store:
        _sleep_until(at)
        spent, began, first = time.thread_time(), time.perf_counter(), 0.0
        number = submit(outlook, request, json.dumps(path).encode()).first
        _until_begun(outlook, number, clock)
        for event in follow(outlook.store, number, clock):
            if isinstance(event, OutputPiece | End):
                first = first or time.perf_counter() - began
        return number, first, time.thread_time() - spent


def _until_begun(outlook: Outlook, number: int, clock: Callable[[], float]) -> None:
    """Wait until a job is no longer queued. Tens of followers that wake at every ring would slow down all they see."""
    began = time.perf_counter()
    while state_of(outlook.store, number)[0] is State.QUEUED:
        clock()
        time.sleep(max(GLANCE, GLANCES * (time.perf_counter() - began)))


def _watch(process: "subprocess.Popen[bytes]") -> Callable[[], float]:
    """A clock that raises RuntimeError once nothing more can come."""
    until = time.monotonic() + LIMIT

    def clock() -> float:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"no end after {LIMIT:.0f} s, or the daemon ended: {process.returncode}")
        return time.time()

    return clock


def _finished(outlook: Outlook, accepted: Accepted, clock: Callable[[], float]) -> None:
    """Wait until all of a submission has ended. It looks seldom, so as not to disturb."""
    open_jobs = "SELECT count(*) FROM job WHERE id BETWEEN ? AND ? AND finished IS NULL"
    while outlook.store.row(open_jobs, (accepted.first, accepted.last)) != (0,):
        clock()
        time.sleep(0.2)


def _counted(
    outlook: Outlook,
    way: Way,
    accepted: Accepted,
    began: float,
    answers: list[tuple[int, float, float]],
    worked: float,
) -> Run:
    """What the queue recorded. Raises RuntimeError unless every job is done."""
    lots: dict[bool, list[Lot]] = {True: [], False: []}
    for document, *lot in outlook.store.rows(
        "SELECT job.id BETWEEN ? AND ?, lane, count(*), sum(result.busy), sum(result.cost) FROM job"
        " JOIN result USING (id) JOIN cohort ON cohort.id = job.cohort WHERE state = 'done' GROUP BY 1, 2",
        (accepted.first, accepted.last),
    ):
        lots[bool(document)].append(Lot(*lot))
    jobs, ended = outlook.store.row("SELECT count(*), max(finished) FROM job") or (0, began)
    done = sum(lot.jobs for each in lots.values() for lot in each)
    if done != jobs:
        raise RuntimeError(f"only {done} of {jobs} jobs are done")
    return Run(
        way=way,
        waits=[wait for _, wait, _ in answers],
        documents=lots[True],
        questions=lots[False],
        wall=ended - began,
        following=sum(spent for *_, spent in answers),
        worked=worked,
    )


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.time()))
