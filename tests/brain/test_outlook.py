"""What the brain is told of the world: who is warm, and what real workers taught."""

import math
import sys
import time
from pathlib import Path

import pytest

from hybridq.brain.arrivals import ARRIVALS, coming, joining
from hybridq.brain.calls import NONE
from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.job import Decision, Flush, Held, Lane, Mode
from hybridq.outlook import Outlook
from hybridq.queue.intake import accept
from hybridq.queue.learned import intend, remember
from hybridq.queue.runner import Runner
from hybridq.reason import Reason, said
from tests.support.building import ECHO, asking, command, queue, submit_all

WORKER = ECHO.replace('protocol = "lines"\n', "")
LOADS = """
import json, sys, time
for number, line in enumerate(sys.stdin):
    time.sleep(0 if number else 0.6)
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        print(json.dumps({"id": call["id"], "output": 1}), flush=True)
"""
SLOW = """
import sys, time
open(sys.argv[1], "a").write("started\\n")
time.sleep(0.6)
for line in sys.stdin:
    time.sleep(0.01)
    print(line.strip().upper(), flush=True)
"""
TOGETHER = """
import json, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    calls = calls if isinstance(calls, list) else [calls]
    open(sys.argv[1], "a").write("call\\n")
    time.sleep(0.3)
    for call in calls:
        print(json.dumps({"id": call["id"], "output": 1}), flush=True)
"""


FAILS = """
import json, sys
for line in sys.stdin:
    calls = json.loads(line)
    open(sys.argv[1], "a").write("call\\n")
    for call in calls if isinstance(calls, list) else [calls]:
        print(json.dumps({"id": call["id"], "error": "out of order"}), flush=True)
"""


def drained(outlook: Outlook, handler: str, jobs: int, log: Path) -> int:
    """How many lines the handler has written there once another process has drained so many jobs of a byte or more."""
    submit_all(outlook, asking(handler), [b'"a"'] * jobs)
    done = command(outlook.store.home, "drain", "--quiet")
    assert done.returncode in (0, 1), done.stderr
    return len(log.read_text().split())


def ran(outlook: Outlook, at: float) -> None:
    """The handler ran jobs, and that was written down at this instant."""
    model = learn_many(Model(), [Observation(size=1, busy=0.003)] * 4)
    remember(outlook.store, "echo", Lane.STREAM, model, at)


@pytest.mark.parametrize(("config", "stays"), [(WORKER, True), (ECHO, False)], ids=["worker", "filter"])
def test_warm_is_what_a_living_runner_keeps(tmp_path: Path, config: str, stays: bool) -> None:
    """A worker is warm while the runner that used it lives; a filter, which each chunk starts anew, never is."""
    outlook = queue(tmp_path, config)
    runner = Runner(outlook.store, "daemon")
    ran(outlook, time.time())
    assert outlook.conditions("echo", time.time()).warm is stays
    runner.close(outlook.store)
    assert not outlook.conditions("echo", time.time()).warm
    outlook.store.close()


def test_runner_that_came_later_keeps_nothing_warm(tmp_path: Path) -> None:
    """After a restart the daemon has no worker yet, though jobs ran a moment ago; with its first job it has one."""
    outlook = queue(tmp_path, WORKER)
    ran(outlook, time.time())
    restarted = Runner(outlook.store, "daemon")
    assert not outlook.conditions("echo", time.time()).warm
    ran(outlook, time.time())
    assert outlook.conditions("echo", time.time()).warm
    restarted.close(outlook.store)
    outlook.store.close()


def test_warm_ends_with_the_idle_time(tmp_path: Path) -> None:
    """A worker that had nothing to do for its idle time is gone."""
    outlook = queue(tmp_path, WORKER + 'idle = "1m"\n')
    runner = Runner(outlook.store, "daemon")
    ran(outlook, time.time())
    assert not outlook.conditions("echo", time.time() + 61).warm
    runner.close(outlook.store)
    outlook.store.close()


def test_loading_at_the_first_call_is_learned_as_start(tmp_path: Path) -> None:
    """A real worker that loads when it is first asked: a flush of 200 teaches its start, and jobs that take no time."""
    (tmp_path / "loads.py").write_text(LOADS)
    program = f'[handlers.loads]\ncommand = ["{sys.executable}", "-S", "{tmp_path}/loads.py"]\n'
    outlook = queue(tmp_path, program)
    submit_all(outlook, asking("loads"), [b"1"] * 200)
    done = command(outlook.store.home, "drain", "--quiet")
    assert done.returncode == 0, done.stderr
    estimate = outlook.estimate("loads")
    assert 0.6 <= (estimate.startup() or 0) < 6
    assert (estimate.run_time(Lane.BATCH, 1) or 9) < 0.1
    outlook.store.close()


def test_a_filter_that_starts_slowly_gets_its_lines_together(tmp_path: Path) -> None:
    """A batch pays a filter's start for as many jobs as take as long, not for each, and its forecast knows the starts
    that are left."""
    (tmp_path / "slow.py").write_text(SLOW)
    starts = tmp_path / "starts"
    program = f'command = ["{sys.executable}", "-S", "{tmp_path}/slow.py", "{starts}"]\nprotocol = "lines"\n'
    outlook = queue(tmp_path, "[handlers.slow]\n" + program)
    begun = [drained(outlook, "slow", 100, starts) for _ in range(2)]
    assert begun[1] <= 14
    estimate = outlook.estimate("slow")
    assert (estimate.startup() or 0) >= 0.5
    slept = 0.6 * (begun[1] - begun[0]) + 0.01 * 100
    assert (estimate.startup() or 0) + (estimate.total_time(Lane.BATCH, 1, 100) or 0) > 0.6 * slept
    outlook.store.close()


def test_a_worker_that_takes_as_long_for_many_gets_many(tmp_path: Path) -> None:
    """The next chunk waits for the instance meanwhile: that is none of the time by which its size is found. Another
    runner knows from the first call on what was found."""
    (tmp_path / "together.py").write_text(TOGETHER)
    log = tmp_path / "calls"
    program = f'command = ["{sys.executable}", "-S", "{tmp_path}/together.py", "{log}"]\n'
    outlook = queue(tmp_path, "[handlers.together]\n" + program)
    calls = [drained(outlook, "together", 64, log) for _ in range(2)]
    assert calls[0] <= 15
    assert calls[1] - calls[0] <= 6
    assert outlook.estimate("together").overhead.seconds >= 0.25
    ((cost, streamed),) = outlook.store.rows("SELECT sum(cost), sum(streamed) FROM cohort")
    assert streamed >= 2 * cost
    outlook.store.close()


def test_what_fails_at_once_teaches_no_chunk_size(tmp_path: Path) -> None:
    """During an outage each call has one job still: what the jobs take once it is over is not known by it."""
    (tmp_path / "fails.py").write_text(FAILS)
    log = tmp_path / "calls"
    program = f'command = ["{sys.executable}", "-S", "{tmp_path}/fails.py", "{log}"]\n'
    outlook = queue(tmp_path, "[handlers.fails]\n" + program)
    assert drained(outlook, "fails", 20, log) == 20
    assert outlook.estimate("fails").overhead == NONE
    outlook.store.close()


def test_what_is_to_join_is_foreseen_once() -> None:
    """Submissions that come while others are held do not change how many were foreseen when the first came."""
    before = [float(at) for at in range(0, 100, 10)]
    assert joining(before, 100.0, before) == pytest.approx(0.09)
    assert joining(before, 100.0, [*before, *[150.0] * 50]) == joining(before, 100.0, before)
    assert joining([100.0], 100.0, [100.0, 110.0]) == coming([100.0, 110.0], 110.0) > 0


def test_a_crowd_that_comes_later_moves_no_promise(tmp_path: Path) -> None:
    """However many submissions come while one is held, what was foreseen when it came stays, and its flush with it."""
    outlook, now = queue(tmp_path, WORKER), 1_795_867_200.0
    instants = [*(now - 600 * k for k in range(9, 0, -1)), now, *(now + 0.1 * k for k in range(1, 3 * ARRIVALS))]
    decided = Decision(mode=Mode.BATCH, reason=said("test"))
    with outlook.store.tx():
        for at in instants:
            accept(outlook.store, asking(), b"1", lambda *_: (decided, 0.001), now=at)
    alone = [Held(key=1, jobs=1, size=1.0, deadline=math.inf, since=now, delay_cost=0.001)]
    foreseen = outlook.conditions("echo", now, alone).joining
    assert foreseen == pytest.approx(9 / 5400, rel=0.01)
    assert outlook.conditions("echo", now + 60, alone).joining == foreseen
    assert outlook.conditions("echo", now + 60, []).joining > 1.0  # type: ignore[operator]
    outlook.store.close()


def test_what_is_paid_by_the_job_costs_no_more_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load is priced into the machine's time alone: a configured price stays what it is."""
    monkeypatch.setattr("os.getloadavg", lambda: (100.0, 0.0, 0.0))
    by_time = queue(tmp_path)
    assert by_time.conditions("echo", time.time()).load > 1
    by_time.store.close()
    by_job = queue(tmp_path, ECHO + "price = 0.001\n")
    assert by_job.conditions("echo", time.time()).load == 0
    by_job.store.close()


def test_each_handler_remembers_its_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That one handler's plan priced the load in says nothing of another's."""
    outlook = queue(tmp_path)
    monkeypatch.setattr("hybridq.outlook.machine_load", lambda: outlook.config.policy.load_free)
    outlook.loaded.add("echo")
    assert outlook.conditions("echo", time.time()).loaded
    assert not outlook.conditions("shell", time.time()).loaded
    outlook.loaded.clear()
    assert not outlook.conditions("echo", time.time()).loaded
    later = Flush(at=time.time() + 60, keys=(1,), jobs=1, rule="plan", reason=Reason("busy", load=2.0))
    intend(outlook.store, "echo", (later,), time.time())  # what another process sees of the loop's plan
    assert outlook.conditions("echo", time.time()).loaded
    outlook.store.close()


def test_a_price_that_nobody_knows_is_named(tmp_path: Path) -> None:
    """Another server's price is known by the configuration alone; without one it is not taken for nothing."""
    server = '\n[handlers.{}]\nkind = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'
    priced = server.format("priced") + "price_input = 1.0\nprice_output = 2.0\n"
    outlook = queue(tmp_path, ECHO + server.format("free") + priced)
    assert outlook.unpriced() == {"free"}
    outlook.store.close()
