"""Handlers that somebody else wrote: what they leave unanswered fails; one that cannot be made holds its jobs alone."""

from pathlib import Path

import pytest

from hybridq.job import State
from tests.support.user import Queue, until

PLUGIN = '''
from hybridq.job import Output

class Half:
    """Answers every second call, and says nothing of the others."""
    chunk_limit, shared = 100, False
    async def run(self, calls, lane):
        yield [Output(call.id, call.attempt, value=b"1") for call in calls if call.id % 2]
    def cancel(self, job): pass
    async def tend(self, now): return None
    async def close(self): pass

def make(name, config, *, runner):
    return Half()

def broken(name, config, *, runner):
    raise ValueError("no such model")
'''
CONFIG = """
[handlers.half]
kind = "half"
[handlers.never]
kind = "nope"
[handlers.broken]
kind = "broken"
"""


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue beside which a plug-in with two kinds is installed."""
    place = tmp_path / "site"
    info = place / "half-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hybridq.handlers]\nhalf = plug:make\nbroken = plug:broken\n")
    (place / "plug.py").write_text(PLUGIN)
    queue = Queue(tmp_path, CONFIG)
    queue.environment["PYTHONPATH"] = str(place)
    return queue


@pytest.mark.parametrize("mode", ["stream", "batch"])
def test_what_a_plug_in_leaves_unanswered_fails(queue: Queue, mode: str) -> None:
    """Every second call ends without a word: those jobs fail and say so, nothing stays running."""
    queue.run("submit", "half", "--lines", "-", "--mode", mode, "--group", "g", input="a\nb\nc\nd\n")
    assert queue.run("drain").returncode == 1
    assert queue.rows("SELECT state, count(*) FROM job GROUP BY 1") == [("done", 2), ("failed", 2)]
    assert "the handler finished without a result for this job" in queue.run("show", "2").stdout


@pytest.mark.parametrize("handler", ["never", "broken"])
def test_a_handler_that_cannot_be_made_holds_its_own_jobs_alone(queue: Queue, handler: str) -> None:
    """A daemon and a drain run what is due of others; the jobs of this one wait, and every view says why."""
    why = {"never": "handlers.never.kind: unknown kind 'nope'", "broken": "no such model"}[handler]
    for mode in ("stream", "batch"):
        assert queue.run("submit", handler, "x", "--mode", mode, "--detach").returncode == 0
    queue.run("submit", "--mode", "batch", "--detach", "--", "true")
    done = queue.run("drain")
    assert (done.returncode, queue.state(3)) == (75, State.DONE)
    assert why in done.stderr
    with queue.daemon() as process:
        queue.run("submit", "--mode", "batch", "--detach", "--deadline", "2s", "--", "true")
        until(lambda: queue.state(4) is State.DONE)
        until(lambda: all(why in queue.run("status", number).stdout for number in "12"))
        assert process.poll() is None
    assert [queue.state(number) for number in (1, 2)] == [State.QUEUED, State.QUEUED]
