"""`doctor` sees each thing that is not well, says what to do, and puts right what it can without losing anything."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from hybridq.doctor import machine
from hybridq.outlook import Outlook
from hybridq.queue.backup import back_up
from hybridq.queue.cleaning import clean
from hybridq.queue.runner import Runner
from hybridq.submit import connect
from tests.support.building import ECHO, asking, command, daemon, queue, run_jobs, submit_all
from tests.support.user import Queue, ended
from tests.support.verbs import check_counters


def findings(outlook: Outlook, *words: str, code: int, **environ: str) -> dict[str, Any]:
    """What `doctor` says of each thing, which ends so."""
    done = command(outlook.store.home, "doctor", "--json", *words, **environ)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is (code == 0)
    return {each["check"]: each for each in told["checks"]}


def test_of_a_well_queue_it_finds_nothing(every_state: Outlook) -> None:
    """With jobs in every state no counter is wrong, no file is left over, and it ends with 0."""
    found = findings(every_state, code=0)
    assert {each["check"] for each in found.values() if each["level"] == "problem"} == set()
    assert found["counters"]["text"] == "all counters agree with the 9 jobs"
    assert found["leftovers"]["level"] == found["clock"]["level"] == "ok"


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE cohort SET queued = queued + 1 WHERE id = 1",
        "UPDATE tally SET done = done + 5",
        "UPDATE groups SET failed = 7",
        "UPDATE class SET jobs = jobs + 1",
        "DELETE FROM job WHERE id = 2",
    ],
)
def test_a_wrong_counter_is_found_and_put_right(every_state: Outlook, spoil: str) -> None:
    """It is a problem until `--repair` counts anew; money is what it was."""
    clean(every_state.store, time.time(), None)  # the cancelled one goes, and its money is in the sums alone
    money = (
        "SELECT mode, sum(cost), sum(streamed) FROM tally GROUP BY 1 UNION ALL SELECT handler, quarter, cost FROM spent"
    )
    spent = every_state.store.rows(money)
    with every_state.store.tx() as connection:
        connection.execute(spoil)
    found = findings(every_state, code=1)["counters"]
    assert (found["level"], found["repairable"]) == ("problem", True)
    assert findings(every_state, "--repair", code=0)["counters"]["repaired"] is True
    assert findings(every_state, code=0)["counters"]["repaired"] is False
    assert every_state.store.rows(money) == spent


def test_counters_are_put_right_while_a_daemon_works(outlook: Outlook) -> None:
    """What runs goes on, and all comes to its end."""
    with outlook.store.tx() as connection:
        numbers = submit_all(outlook, asking(), [b'"x"'] * 50)
        connection.execute("UPDATE tally SET done = done + 5")
    with daemon(outlook):
        findings(outlook, "--repair", code=0)
        assert command(outlook.store.home, "drain").returncode == 0
    assert outlook.store.rows("SELECT count(*) FROM job WHERE state = 'done'") == [(len(numbers),)]
    check_counters(outlook.store)


def test_a_dead_runners_jobs_are_queued_again(outlook: Outlook) -> None:
    """A runner that died is told of; `--repair` queues its job."""
    submit_all(outlook, asking(), [b'"x"'])
    run_jobs(outlook, 1, hold=1)
    for lock in outlook.store.home.runners.iterdir():
        lock.unlink()  # to everybody else that runner is dead, and this process none of its own
    assert findings(outlook, code=0)["runners"]["level"] == "warning"
    assert findings(outlook, "--repair", code=0)["runners"]["repaired"] is True
    assert outlook.store.rows("SELECT state FROM job") == [("queued",)]


def test_what_belongs_to_nothing_is_taken_away(outlook: Outlook, tmp_path: Path) -> None:
    """Outputs of no job, locks of no runner and half a backup go; outputs of jobs stay."""
    home = outlook.store.home
    submit_all(outlook, asking(), [b'"x"'])
    (home.outputs / "0").mkdir()
    mine = home.outputs / "0" / "1.1.out"
    left = [home.outputs / "0" / "99.1.out", home.runners / "stray.lock", home.folder / "queue.db.copy"]
    for path in (mine, *left):
        path.write_text("x")
    found = findings(outlook, code=0)["leftovers"]
    assert (found["level"], found["text"]) == (
        "warning",
        "left over: 1 output of no job, 1 lock of no runner, 1 file of an interrupted backup or restore",
    )
    assert findings(outlook, "--repair", code=0)["leftovers"]["repaired"] is True
    assert ([path.exists() for path in left], mine.exists()) == ([False] * 3, True)
    back_up(outlook.store, tmp_path / "made.tar", time.time())


def test_a_damaged_file_is_told_of_with_what_to_do(every_state: Outlook) -> None:
    """Whatever is wrong with the database, it says so in a sentence and ends with 1."""
    every_state.store.checkpoint(mode="TRUNCATE")
    with every_state.store.home.database.open("r+b") as file:
        file.seek(4096 * 8)
        file.write(os.urandom(4096 * 8))
    found = findings(every_state, code=1)["database"]
    assert found["level"] == "problem"
    assert "damaged" in found["text"]


def test_what_handlers_need_is_looked_for_where_they_run(tmp_path: Path) -> None:
    """A program that is not there and a key that is not set, in this shell, or in the daemon that runs."""
    config = ECHO + '[handlers.lost]\ncommand = "no-such-program -x"\n[handlers.gpt]\nkind = "openai"\nmodel = "m"\n'
    outlook = queue(tmp_path, config)
    found = findings(outlook, code=1, OPENAI_API_KEY="sk-1")
    assert found["commands"]["text"] == "this shell does not find the program of lost, no-such-program"
    assert found["keys"]["level"] == "ok"
    with daemon(outlook) as process:
        found = findings(outlook, code=1, OPENAI_API_KEY="sk-1")
        assert found["keys"]["text"] == f"the daemon (pid {process.pid}) lacks OPENAI_API_KEY (for gpt)"
    outlook.store.close()


def test_jobs_of_an_unknown_handler_are_told_of(outlook: Outlook) -> None:
    """What waits for a handler that config.toml no longer names is a warning."""
    submit_all(outlook, asking(), [b'"x"'])
    outlook.store.home.config_file.write_text("")
    found = findings(outlook, code=0)["handlers"]
    assert (found["level"], found["text"]) == ("warning", "jobs wait for what config.toml does not name: echo")


def test_a_mistake_in_the_configuration_is_one_finding(outlook: Outlook) -> None:
    """It is named with its place, and the queue is looked at all the same."""
    outlook.store.home.config_file.write_text("[policy]\nthetta = 1\n")
    found = findings(outlook, code=1)
    assert "thetta" in found["config.toml"]["text"]
    assert found["database"]["level"] == "ok"


def test_a_clock_that_went_back_is_told_of(outlook: Outlook) -> None:
    """A submission of tomorrow is a warning."""
    submit_all(outlook, asking(), [b'"x"'])
    with outlook.store.tx() as connection:
        connection.execute("UPDATE cohort SET accepted = accepted + 86400")
    assert findings(outlook, code=0)["clock"]["level"] == "warning"


def test_a_writer_that_holds_on_is_told_of(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody else holds the queue's one writing lock, it says how to find out who."""
    from hybridq.queue import soundness, store

    monkeypatch.setattr(store, "BUSY", 0.1)
    with outlook.store.tx(), connect({}, home=outlook.store.home.folder).store as other:
        assert "busy" in soundness.writable(other)
    assert soundness.writable(outlook.store) == ""


@pytest.mark.parametrize(("kind", "level"), [("nfs4", "problem"), ("tmpfs", "warning"), ("ext4", "ok")])
def test_a_network_disk_is_a_problem(kind: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So says the kind of file system that the folder is on."""
    monkeypatch.setattr(machine, "kind_of_disk", lambda folder: kind)
    assert machine._file_system(tmp_path).level == level


def test_the_kind_of_a_disk_is_that_of_its_own_mount() -> None:
    """Of nested mounts the innermost counts."""
    assert machine.kind_of_disk(Path("/proc/self")) == "proc"


def test_another_program_at_the_file_is_told_of(outlook: Outlook) -> None:
    """By its name and process: this very test has it open, and is no command of hybridq's."""
    found = findings(outlook, code=0)["others"]
    assert (found["level"], f"(pid {os.getpid()})" in found["text"]) == ("warning", True)
    outlook.store.close()
    assert findings(outlook, code=0)["others"]["level"] == "ok"


def test_a_live_runner_is_counted(outlook: Outlook) -> None:
    """Whoever works on the queue is in the sentence."""
    runner = Runner(outlook.store, "drain")
    assert findings(outlook, code=0)["runners"]["text"] == "1 runner works on the queue; none died"
    runner.close(outlook.store)


def test_it_is_drawn_as_marks_with_a_sentence_each(tmp_path: Path) -> None:
    """On a terminal of 60 columns each row has its mark, its sentence is folded beside it, and nothing is wider."""
    made = Queue(tmp_path, '[handlers.lost]\ncommand = "no-such-program"\n')
    with made.terminal("doctor", width=60) as child:
        child.expect("problem")
        assert ended(child) == 1
    done = made.run("doctor")
    assert "✗ commands     this shell does not find the program of lost, no-such-program\n" in done.stdout
    assert done.stdout.endswith("\n1 problem, 1 warning\n")
