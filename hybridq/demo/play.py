"""The demonstration: the whole product on Python's own library, and what was measured while it ran.

Every document is submitted as one group in the background, and a person asks for single ones meanwhile. All of
it goes the ordinary ways (a daemon process, `submit`, `follow`); each figure is counted from what the run
recorded, good or bad. Never prints, never touches another queue.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from typing import Self

from ..errors import BadData
from ..job import Audience, Lane, Request, State
from ..outlook import Outlook
from ..queue.cohorts import cohort, job
from ..queue.doorbell import VIEWER, Doorbell, ring
from ..queue.follow import End, OutputPiece, follow
from ..queue.intake import Accepted
from ..submit import submit, submit_many
from .measured import Measured, Question, measure
from .stage import HANDLER, LIBRARY, WORKER, Stage

GROUP = "stdlib"
PAUSE = 0.8  # seconds between an answer and the person's next question
LEARNING = 6.0  # seconds at most until the group goes in, known run times or not
SAMPLE = 30  # documents that are also digested by a process each
LOOK = 0.25  # seconds between two looks at whether to stop
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "__pycache__"})


class Stopped(Exception):
    """Somebody ended the demonstration."""


def library() -> list[str]:
    """Every module of Python's own library, its tests included, as paths in it. Raises BadData where it has none."""
    paths = (path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py"))
    found = sorted(str(path) for path in paths if _LEFT_OUT.isdisjoint(path.parts))
    if not found:
        raise BadData(f"{LIBRARY} has no source files of Python's library, so the demo has nothing to work on")
    return found


class Run:
    """The group and the person, each in a thread; a context manager that ends both."""

    def __init__(self, stage: Stage, documents: Sequence[str]) -> None:
        self._stage, self._documents = stage, documents
        self._questions: list[Question] = []
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(2)

    def __enter__(self) -> Self:
        self._person = self._threads.submit(self._ask_on)
        self._group: Future[Accepted] = self._threads.submit(self._gather)
        self._group.add_done_callback(lambda _: ring(self._stage.home, VIEWER))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._threads.shutdown()

    @property
    def over(self) -> bool:
        """The group has ended, or something went wrong."""
        return self._group.done()

    def measured(self, told: Callable[[str], None] = lambda _: None) -> Measured:
        """Wait for the end, run a sample by a process each (`told` hears of it), and count.

        Raises whatever went wrong on the way.
        """
        accepted = self._group.result()
        self._stop.set()
        self._person.result()
        sample = evenly(sorted(self._documents, key=lambda path: os.path.getsize(LIBRARY / path)), SAMPLE)
        told(f"the batch is done; for comparison, {len(sample)} of its documents run again, one process each")
        alone = [self._alone(path) for path in sample]
        outlook = self._stage.connect()
        with outlook.store:
            return measure(outlook, accepted, self._questions, alone)

    def _ask_on(self) -> None:
        """Ask for one document after another, as somebody who reads a while before the next question."""
        outlook = self._stage.connect()
        with outlook.store:
            for path in cycle(evenly(self._documents, 97)):
                try:
                    self._questions.append(ask(outlook, path, self._clock))
                except Stopped:
                    return
                if self._stop.wait(PAUSE):
                    return

    def _gather(self) -> Accepted:
        """Submit the group once the queue knows how long a document takes; return when all of it has ended."""
        request = Request(
            handler=HANDLER,
            audience=Audience.BACKGROUND,
            group=GROUP,
            signal=f"{len(self._documents):,} jobs in one submission",
        )
        outlook = self._stage.connect()
        with outlook.store, Doorbell(outlook.store.home, VIEWER) as bell:
            until = time.monotonic() + LEARNING
            while not self._questions or (not _known(outlook) and time.monotonic() < until):
                self._look(bell)
            accepted = submit_many(outlook, ((request, _input(path), None) for path in self._documents))
            assert accepted is not None  # noqa: S101 - they have no keys, so none was there already
            group = job(outlook.store, accepted.first).cohort
            while _open(cohort(outlook.store, group).counts):
                self._look(bell)
        return accepted

    def _look(self, bell: Doorbell) -> None:
        """Sleep until something happens. Raises Stopped, and HybridqError when the daemon has ended."""
        bell.wait(LOOK)
        self._clock()
        self._stage.check()

    def _clock(self) -> float:
        """The time, for as long as there is some: this is how a follower hears that it is over."""
        if self._stop.is_set():
            raise Stopped
        return time.time()

    def _alone(self, path: str) -> float:
        """Seconds that a process of its own takes for a document, from its start to its end."""
        began = time.perf_counter()
        line = f'{{"id": 1, "attempt": 1, "input": {json.dumps(path)}}}\n'
        subprocess.run(  # noqa: S603 - our own worker
            WORKER, input=line.encode(), stdout=subprocess.PIPE, env=self._stage.environ, cwd=LIBRARY, check=True
        )
        return time.perf_counter() - began


def ask(outlook: Outlook, path: str, clock: Callable[[], float]) -> Question:
    """Submit one document as a person who waits, and follow it to its end."""
    request = Request(handler=HANDLER, audience=Audience.USER, signal="--follow")
    asked, first = time.time(), None
    accepted = submit(outlook, request, _input(path))
    for event in follow(outlook.store, accepted.first, clock, patience=LOOK):
        if isinstance(event, OutputPiece):
            first = first or time.time()
        elif isinstance(event, End):
            now = time.time()
            return Question(accepted.first, path, asked, first or now, now, event.state)
    raise AssertionError("a follow ends with the job's end")


def evenly(things: Sequence[str], number: int) -> list[str]:
    """So many of them, evenly spread."""
    step = max(1.0, len(things) / number)
    return [things[int(place * step)] for place in range(min(number, len(things)))]


def _known(outlook: Outlook) -> bool:
    """Whether the queue can say by now how long a document takes."""
    return outlook.estimate(HANDLER).run_time(Lane.BATCH, 0.0) is not None


def _input(path: str) -> bytes:
    return json.dumps(path).encode()


def _open(counts: Mapping[State, int]) -> int:
    return counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
