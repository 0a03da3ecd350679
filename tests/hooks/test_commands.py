"""Commands of `[hooks]` hear of each event at least once, whichever runner lives, and none holds up anything."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hybridq.job import State
from tests.support.building import HYBRIDQ, until
from tests.support.hooked import FAILS, Hooked

WRITES = "cat >> {told}"


def test_a_failed_job_is_told_with_what_it_said(tmp_path: Path) -> None:
    """Job, handler, error, exit code and last lines, from a drain without a daemon, before that ends."""
    queue = Hooked(tmp_path, f'failed = "{WRITES}"')
    queue.run("submit", "--mode", "batch", "--detach", *FAILS)
    queue.run("drain")
    (event,) = queue.told()
    told = {name: event[name] for name in ("event", "job", "handler", "state", "exit_code", "last_lines")}
    assert told == {
        "event": "failed",
        "job": 1,
        "handler": "shell",
        "state": "failed",
        "exit_code": 3,
        "last_lines": "bad",
    }
    assert queue.left() == 0


def test_a_submit_that_runs_its_own_job_tells(tmp_path: Path) -> None:
    """Without a daemon a streamed job's end is told by the submit itself."""
    queue = Hooked(tmp_path, f'done = "{WRITES}"')
    queue.run("submit", "--wait", "--", "echo", "out")
    assert [(event["job"], event["last_lines"]) for event in queue.told()] == [(1, "out")]


def test_a_group_is_told_once_with_its_sums(tmp_path: Path) -> None:
    """Counts by state, cost and the first error; not before all of it has ended."""
    queue = Hooked(tmp_path, f'group_done = "{WRITES}"')
    queue.run("submit", "shell", "--lines", "-", "--group", "g", "--mode", "batch", input="true\nfalse\ntrue\n")
    queue.run("drain")
    (event,) = queue.told()
    assert (event["group"], event["counts"]) == ("g", {"done": 2, "failed": 1})
    assert (event["first_error"], event["job"]) == ("exit code 1", None)
    assert event["cost"] == pytest.approx(queue.rows("SELECT cost FROM groups")[0][0])


def test_a_group_that_is_cancelled_has_ended(tmp_path: Path) -> None:
    """Whoever ends the last job, the next runner tells."""
    queue = Hooked(tmp_path, f'group_done = "{WRITES}"')
    queue.run("drain")  # from now on it is heard
    queue.run("submit", "shell", "--lines", "-", "--group", "g", "--mode", "batch", input="true\ntrue\n")
    queue.run("cancel", "g")
    queue.run("drain")
    assert [event["counts"] for event in queue.told()] == [{"cancelled": 2}]


def test_the_variables_name_the_event(tmp_path: Path) -> None:
    """A command that reads no JSON knows what happened."""
    queue = Hooked(tmp_path, 'done = "echo $HYBRIDQ_EVENT $HYBRIDQ_JOB $HYBRIDQ_STATE $HYBRIDQ_HOME > {told}"')
    queue.run("submit", "--wait", "--", "true")
    assert queue.file.read_text() == f"done 1 done {queue.folder}\n"


def test_a_hook_that_submits_adds_nothing_to_the_group_that_ended(tmp_path: Path) -> None:
    """No variable of the event is an option of `submit`: its job would be part of the group, which would end again."""
    queue = Hooked(tmp_path, f'group_done = "{shlex.join(HYBRIDQ)} submit --detach -- true && {WRITES}"')
    queue.run("submit", "shell", "--lines", "-", "--group", "g", "--mode", "batch", input="true\ntrue\n")
    queue.run("drain")
    (event,) = queue.told()
    assert event["counts"] == {"done": 2}
    assert queue.rows("SELECT name FROM cohort WHERE first_id > 2") == [(None,)]


def test_a_hook_that_fails_twice_is_told_the_third_time(tmp_path: Path) -> None:
    """It is tried again, with the same id."""
    queue = Hooked(tmp_path, f'done = "{WRITES}; test $(wc -l < {{told}}) -ge 3"')
    with queue.daemon():
        queue.run("submit", "--wait", "--", "true")
        until(lambda: len(queue.told()) == 3 and not queue.left(), 30)
    assert len({event["id"] for event in queue.told()}) == 1


def test_a_hook_that_hangs_is_ended_with_its_children_and_holds_up_nothing(tmp_path: Path) -> None:
    """Jobs and the hooks of other events go on; its processes are gone."""
    hang = "echo $$ >> {told}.pids; sleep 987 & echo $! >> {told}.pids; wait"
    queue = Hooked(tmp_path, f'done = "{hang}"\nfailed = "{WRITES}"\ntimeout = 2')
    with queue.daemon():
        for _ in range(5):
            assert queue.run("submit", "--wait", "--", "true").returncode == 0
        queue.run("submit", "--wait", *FAILS)
        until(lambda: bool(queue.told()), 10)
        until(lambda: bool(queue.rows("SELECT 1 FROM outbox WHERE error LIKE 'it took longer%'")), 20)
    pids = [int(line) for line in Path(f"{queue.file}.pids").read_text().split()]
    assert pids
    until(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_many_events_start_few_processes_at_once(tmp_path: Path) -> None:
    """Of 30 jobs that end together four are told at the same time."""
    counts = "ls {told}.d | wc -l >> {told}; touch {told}.d/$$; sleep 0.2; rm {told}.d/$$"
    queue = Hooked(tmp_path, f'done = "{counts}"')
    Path(f"{queue.file}.d").mkdir()
    queue.run("submit", "shell", "--lines", "-", "--mode", "batch", input="true\n" * 30)
    queue.run("drain")
    before = [int(line) for line in queue.file.read_text().split()]
    assert (len(before), queue.left()) == (30, 0)
    assert max(before) < 4


@pytest.mark.parametrize("point", ["stored", "told"])
def test_what_a_killed_daemon_had_not_booked_is_told(tmp_path: Path, point: str) -> None:
    """Kill -9 between the result and the hook, or between the hook's end and its being booked: the next one tells."""
    queue = Hooked(tmp_path, f'done = "{WRITES}"')
    queue.environment["HYBRIDQ_TEST_DIE_AT"] = point
    with queue.start("daemon") as doomed:
        until(lambda: bool(queue.rows("SELECT 1 FROM runner WHERE kind = 'daemon'")))
        queue.environment.pop("HYBRIDQ_TEST_DIE_AT")
        queue.run("submit", "--detach", "--mode", "stream", "--", "true")
        assert doomed.wait(20) == -signal.SIGKILL
    assert (queue.state(1), queue.left()) == (State.DONE, 1)
    before = len(queue.told())
    queue.run("drain")
    assert (before, len(queue.told()), queue.left()) == ((0, 1, 0) if point == "stored" else (1, 2, 0))


def test_a_job_is_told_late_once(tmp_path: Path) -> None:
    """Its deadline and its ETA, when the deadline passes; not again."""
    queue = Hooked(tmp_path, f'late = "{WRITES}"')
    with queue.daemon():
        queue.run("submit", "--detach", "--mode", "stream", "--deadline", "2s", "--", "sleep", "6")
        until(lambda: bool(queue.told()), 20)
        until(lambda: queue.state(1) is State.DONE, 20)
        time.sleep(0.6)
    (event,) = queue.told()
    assert (event["event"], event["job"]) == ("late", 1)
    assert event["deadline"] == queue.rows("SELECT due FROM cohort")[0][0]


def test_the_daily_report_has_the_figures_of_report(tmp_path: Path) -> None:
    """Once a day: told when its hour has come, not again."""
    queue = Hooked(tmp_path, f'daily_report = "{WRITES}"')
    queue.run("submit", "--wait", "--", "true")
    queue.rows("SELECT 1")
    with queue.outlook.store.tx() as connection:
        connection.execute("UPDATE hook SET reached = reached - 86400")
    queue.run("drain")
    queue.run("drain")
    (event,) = queue.told()
    assert event["report"]["since"] == event["at"] - 86400
    assert event["report"]["jobs"] == event["report"]["done"] == 1


def test_nothing_is_written_where_there_is_no_hook(tmp_path: Path) -> None:
    """Neither an outbox nor a list of hooks."""
    queue = Hooked(tmp_path, "")
    queue.run("submit", "--wait", "--group", "g", "--", "true")
    assert queue.rows("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM hook)") == [(0,)]


def test_what_is_given_up_is_told_everywhere(tmp_path: Path) -> None:
    """The view, `doctor`, `hooks` and the job's story; `--again` tries once more."""
    queue = Hooked(tmp_path, 'done = "echo no such place >&2; exit 4"')
    queue.run("submit", "--wait", "--", "true")
    with queue.outlook.store.tx() as connection:
        connection.execute("UPDATE outbox SET tries = 5, due = 0")
    queue.run("drain")
    assert "exit code 4: no such place" in queue.run("explain", "1").stdout
    with queue.terminal("status") as view:
        view.expect("1 event could not be told: hybridq hooks")
    assert "1 given up: exit code 4: no such place" in queue.run("doctor").stdout
    assert "1 given up: exit code 4: no such place" in queue.run("hooks").stdout
    queue.run("hooks", "--again")
    assert queue.rows("SELECT tries FROM outbox WHERE due IS NOT NULL") == [(0,)]


def test_a_stopped_daemon_ends_its_hooks(tmp_path: Path) -> None:
    """What ran is told again by the next runner."""
    queue = Hooked(tmp_path, 'done = "sleep 600"\n[runner]\nstop_grace = 1')
    with queue.daemon() as daemon:
        queue.run("submit", "--wait", "--", "true")
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.communicate(timeout=20)
    assert queue.left() == 1


def test_a_try_says_whether_it_works(tmp_path: Path) -> None:
    """`hooks --test` tells a made-up event, and exits with 1 where that fails."""
    queue = Hooked(tmp_path, f'failed = "{WRITES}"\ndone = "exit 7"')
    assert queue.run("hooks", "--test", "failed").returncode == 0
    assert queue.told()[0]["error"] == "exit code 1"
    broken = queue.run("hooks", "--test", "done")
    assert (broken.returncode, "exit code 7" in broken.stderr) == (1, True)


def test_a_hook_sees_no_key(tmp_path: Path) -> None:
    """Its environment is a worker's, with what `env` names."""
    queue = Hooked(tmp_path, 'done = "env > {told}"\nenv = ["NAMED"]')
    queue.environment |= {"OTHER_API_KEY": "k", "NAMED": "n"}
    subprocess.run([*HYBRIDQ, "submit", "--wait", "--", "true"], env=queue.environment, check=True, timeout=60)
    seen = queue.file.read_text()
    assert "NAMED=n" in seen
    assert "OTHER_API_KEY" not in seen
