"""Settings that change while a batch runs."""

import json
import sys
from pathlib import Path

from hybridq.job import Lane, Mode, State
from hybridq.queue.cohorts import tally
from hybridq.queue.results import result
from tests.support.building import until
from tests.support.served import EAGER, Queue

PID = """
import json, os, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        time.sleep(0.1)
        print(json.dumps({"id": call["id"], "output": os.getpid()}), flush=True)
"""


def test_more_instances_serve_the_batch_that_runs(tmp_path: Path) -> None:
    """With `instances = 3` instead of 1 the running batch goes on with three workers."""
    (tmp_path / "pid.py").write_text(PID)
    config = f'{EAGER}[handlers.pid]\ncommand = ["{sys.executable}", "{tmp_path / "pid.py"}"]\nchunk = 1\ninstances = '
    queue = Queue(tmp_path, f"{config}1\n")
    with queue.daemon():
        jobs = queue.call_many("pid", [b"1"] * 100, mode=Mode.BATCH)
        until(lambda: tally(queue.store).get(("pid", Lane.BATCH, State.DONE), 0) >= 5)
        queue.home.config_file.write_text(f"{config}3\n")
        until(lambda: "reloaded the configuration" in queue.log())
        assert set(queue.wait(*jobs)) == {State.DONE}
    pids = {found.value for job in jobs if (found := result(queue.store, job))}
    assert len(pids) >= 3
    assert queue.store.rows("SELECT count(*) FROM flush") == [(1,)]


def test_what_is_cancelled_while_a_batch_runs_is_no_failure_of_it(tmp_path: Path) -> None:
    """Commands that are ended because nobody wants them any more are counted neither as done nor as failed."""
    queue = Queue(tmp_path, EAGER)
    with queue.daemon():
        sleep, end = (json.dumps({"argv": ["sleep", span]}).encode() for span in ("60", "0"))
        jobs = queue.call_many("shell", [sleep, end, sleep, end, sleep], mode=Mode.BATCH)
        until(lambda: State.RUNNING in {queue.state(job) for job in jobs[::2]})
        for job in jobs[::2]:
            assert queue.run("cancel", str(job), "--yes").returncode == 0
        queue.wait(*jobs)
        until(lambda: queue.store.row("SELECT ended FROM flush ORDER BY id DESC LIMIT 1") != (None,))
    assert [queue.state(job) for job in jobs] == [State.CANCELLED, State.DONE] * 2 + [State.CANCELLED]
    assert queue.store.rows("SELECT total(done), total(failed) FROM flush") == [(2, 0)]
