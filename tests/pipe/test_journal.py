"""The journal over a disk that fills up: what a dead pipe left is told once, whatever it could not say in time."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers.guard import guarded
from hybridq.home import Home
from hybridq.pipe.flow import Flow
from hybridq.pipe.item import Form
from hybridq.pipe.journal import Journal, Place, segments
from hybridq.pipe.recovered import read
from hybridq.pipe.shedding import Shed, Shedding


@contextmanager
def full(path: Path) -> Iterator[None]:
    """No byte more goes into this file, nor beyond its size into any other."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty queue's folder."""
    return Home.find({"HYBRIDQ_HOME": str(tmp_path)})


@pytest.fixture
def flow(home: Home) -> Iterator[Flow]:
    """A pipe of `cat` that has accepted `a` and `b`; its results go nowhere."""
    handler = guarded("cat", HandlerConfig(command="cat", protocol="lines"), runner=RunnerConfig())
    nowhere, journal = os.open(os.devnull, os.O_WRONLY), Journal(home, 1)
    shedding = Shedding(None, Shed.OLDEST, 1)
    made = Flow(
        handler, form=Form.LINES, ordered=True, hands=1, shedding=shedding, journal=journal, out=nowhere, safe=True
    )
    made.take([b"a", b"b"], Place(0, 1, 4))
    yield made
    journal.close()
    os.close(nowhere)


def test_what_the_journal_cannot_call_shed_is_no_job_yet(home: Home, flow: Flow) -> None:
    """Shed on a full disk, it is as unanswered as before; what is shed after it waits for its turn."""
    (file,) = segments(home, 1)
    with full(file):
        flow.shed_all()
    flow.take([b"c"], Place(0, 1, 6))
    flow.shed_all()
    assert flow.to_hand_in == []
    left = read(home, 1, "lines", 0)
    assert (left.shed, left.others, left.took) == ([], [b"a", b"b", b"c"], 3)


def test_once_there_is_room_each_is_a_job_once(home: Home, flow: Flow) -> None:
    """After the first two became jobs a kill leaves the third, and after all three nothing."""
    (file,) = segments(home, 1)
    with full(file):
        flow.shed_all()
    flow.take([b"c"], Place(0, 1, 6))
    flow.shed_all()
    assert flow.write_shed() == ""
    assert [block.items for block in flow.to_hand_in] == [[b"a", b"b"], [b"c"]]
    assert [(left.shed, left.others) for left in (read(home, 1, "lines", jobs) for jobs in (0, 2, 3))] == [
        ([b"a", b"b", b"c"], []),
        ([b"c"], []),
        ([], []),
    ]
