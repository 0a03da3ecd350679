"""A backup holds all that was accepted when it began, whoever writes meanwhile; restored, it runs to its end."""

import contextlib
import io
import os
import sqlite3
import stat
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hybridq.errors import AlreadyRunning, BadData, NotAllowed, TryAgain
from hybridq.home import Home
from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.queue.backup import FORMAT, About, back_up
from hybridq.queue.cohorts import job
from hybridq.queue.outputs import output_path
from hybridq.queue.restore import restore
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from hybridq.submit import submit
from tests.support.building import asking, command, queue, run_jobs, submit_all, until
from tests.support.fixture import RELEASES
from tests.support.served import Queue, slow
from tests.support.verbs import check_counters


@pytest.fixture
def made(every_state: Outlook, tmp_path: Path) -> Path:
    """A backup of nine jobs, of which one is running."""
    path = tmp_path / "made.tar"
    back_up(every_state.store, path, time.time())
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Home:
    """A home that is not there yet."""
    return Home.find({"HYBRIDQ_HOME": str(tmp_path / "elsewhere")})


@contextlib.contextmanager
def store_in(path: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a backup."""
    with tarfile.open(path) as tar:
        found = tar.extractfile("queue.db")
        assert found is not None
        folder.mkdir(exist_ok=True)
        (folder / "queue.db").write_bytes(found.read())
    with contextlib.closing(sqlite3.connect(folder / "queue.db")) as connection:
        yield connection


def states(home: Home) -> dict[int, str]:
    """Each job and where it stands."""
    with Store.open(home) as store:
        return dict(store.rows("SELECT id, state FROM job"))


def noted(log: Path) -> str:
    """The configuration of a filter that writes down each line that it is given, and gives it back."""
    script = f"while read -r line; do echo $line >> {log}; echo $line; done"
    return (
        "[policy]\nload_weight = 0\nbackground_delay_cost = 1e6\n[handlers.noted]\n"
        f"command = ['sh', '-c', '{script}']\nprotocol = 'lines'\nexpected = '10ms'\n"
    )


def test_all_that_was_accepted_is_in_it_while_a_daemon_writes(tmp_path: Path) -> None:
    """Jobs that were acknowledged before it began are there, whole, and the copy is sound."""
    served = Queue(tmp_path, noted(tmp_path / "first.log"))
    acknowledged: set[int] = set()
    with served.daemon():
        for turn in range(12):
            acknowledged |= set(served.call_many("noted", [b'"%d.%d"' % (turn, n) for n in range(40)]))
            path = tmp_path / f"{turn}.tar"
            back_up(served.store, path, time.time())
            folder = tmp_path / f"at{turn}"
            with store_in(path, folder) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert acknowledged <= {number for (number,) in copy.execute("SELECT id FROM job")}


def test_a_restored_queue_runs_to_its_end_each_job_once(tmp_path: Path, elsewhere: Home) -> None:
    """What was done is not run again; what was queued or ran is run once more, and counters are right."""
    served = Queue(tmp_path, noted(tmp_path / "first.log"))
    path = tmp_path / "made.tar"
    with served.daemon():
        numbers = served.call_many("noted", [b'"%d"' % n for n in range(300)])
        until(lambda: served.store.row("SELECT done FROM cohort WHERE done > 20"))
        assert served.run("backup", str(path)).returncode == 0
        served.wait(*numbers)
    assert command(elsewhere, "restore", str(path)).returncode == 0
    before = states(elsewhere)
    again = [str(number - 1) for number, state in before.items() if state == State.QUEUED]
    assert set(before.values()) <= {State.DONE, State.QUEUED}
    elsewhere.config_file.write_text(noted(tmp_path / "second.log"))
    assert command(elsewhere, "drain", "--quiet").returncode == 0
    assert set(states(elsewhere).values()) == {State.DONE}
    ran = (tmp_path / "second.log").read_text().split() if again else []
    assert Counter(ran) == Counter(again)
    with Store.open(elsewhere) as store:
        check_counters(store)


def test_it_is_one_file_of_its_owner_alone(made: Path, tmp_path: Path) -> None:
    """Nobody else reads it, and nothing is left beside it or in the home."""
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "made" in path.name] == ["made.tar"]
    assert not list((tmp_path / "home").glob("*copy*"))


def test_outputs_come_back(tmp_path: Path, elsewhere: Home) -> None:
    """What jobs printed is in it, and is printed by the restored queue."""
    served = Queue(tmp_path)
    with served.daemon():
        number = served.submit("sh", "-c", "seq 1000; echo no >&2; exit 3")
        served.wait(number)
    command(served.home, "backup", str(tmp_path / "made.tgz"))
    command(elsewhere, "restore", str(tmp_path / "made.tgz"))
    for words in (("output", "1"), ("output", "1", "--stderr")):
        assert command(elsewhere, *words).stdout == served.run(*words).stdout != ""


def test_an_output_that_is_gone_is_counted(tmp_path: Path) -> None:
    """A file that a result refers to and that nobody has any more is told of."""
    served = Queue(tmp_path)
    with served.daemon():
        served.wait(served.submit("echo", "hello"))
    output_path(served.home, 1, 1).unlink()
    done = served.run("backup", "--quiet", str(tmp_path / "made.tar"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 file of output is not in it" in done.stderr


def test_what_ran_is_queued_again_and_nobody_is_blamed(made: Path, elsewhere: Home) -> None:
    """The job that ran is queued, no runner of then is signed on, and no job is suspected of its death."""
    done = restore(elsewhere, made, time.time())
    assert (done.jobs, done.again, done.aside) == (9, 1, None)
    assert sorted(states(elsewhere).values()) == ["cancelled", *["done"] * 3, "failed", *["queued"] * 4]
    with Store.open(elsewhere) as store:
        assert store.rows("SELECT 1 FROM runner UNION ALL SELECT 1 FROM suspect") == []
        check_counters(store)


def test_the_queue_that_the_copy_was_made_of_goes_on(tmp_path: Path, elsewhere: Home) -> None:
    """Restored beside it on the same machine, a copy ends none of the processes of the one that still runs."""
    served = slow(tmp_path / "slow")
    path = tmp_path / "made.tar"
    with served.daemon():
        number = served.submit("sh", "-c", "sleep 3; echo survived")
        until(lambda: served.state(number) is State.RUNNING)
        back_up(served.store, path, time.time())
        restore(elsewhere, path, time.time())
        assert command(elsewhere, "status").returncode == 0
        assert served.wait(number) == [State.DONE]
        assert job(served.store, number).attempt == 1


def test_jobs_are_not_replaced_unasked(made: Path, tmp_path: Path, elsewhere: Home) -> None:
    """A queue that holds jobs is left as it is; `force` moves it aside, where it goes on as a home of its own."""
    with Store.open(elsewhere):
        pass
    other = queue(tmp_path / "other")
    submit_all(other, asking(), [b'"mine"'])
    home = other.store.home
    other.store.close()
    with pytest.raises(NotAllowed, match="holds jobs: --force"):
        restore(home, made, time.time())
    assert len(states(home)) == 1
    done = restore(home, made, time.time(), force=True)
    assert done.aside is not None
    assert (len(states(home)), states(Home.find({"HYBRIDQ_HOME": done.aside}))) == (9, {1: "queued"})


def test_outputs_go_aside_with_their_jobs(made: Path, tmp_path: Path) -> None:
    """Those of the queue before are in its own folder, and none of them is taken for one of the restored jobs'."""
    served = Queue(tmp_path / "other")
    with served.daemon():
        served.wait(served.submit("echo", "mine"))
    served.store.close()
    done = restore(served.home, made, time.time(), force=True)
    assert not output_path(served.home, 1, 1).exists()
    assert output_path(Home.find({"HYBRIDQ_HOME": done.aside or ""}), 1, 1).read_text() == "mine\n"


def test_a_queue_at_work_is_not_replaced(made: Path, tmp_path: Path, elsewhere: Home) -> None:
    """While a daemon, another runner or a mere view has it open it stays, whatever was asked."""
    served = Queue(tmp_path / "other")
    with served.daemon(), pytest.raises(AlreadyRunning):
        restore(served.home, made, time.time(), force=True)
    with Store.open(elsewhere) as store:
        runner = Runner(store, "drain")
        with pytest.raises(TryAgain, match="a runner works"):
            restore(elsewhere, made, time.time(), force=True)
        runner.close(store)
        with pytest.raises(TryAgain, match="has the queue open"):
            restore(elsewhere, made, time.time(), force=True)
    assert states(elsewhere) == {}


@pytest.mark.parametrize("release", sorted(RELEASES.glob("*.db")), ids=lambda path: path.stem)
def test_a_backup_of_an_earlier_release_is_migrated(release: Path, tmp_path: Path, elsewhere: Home) -> None:
    """Its jobs are all there in the tables of this one."""
    with contextlib.closing(sqlite3.connect(release)) as old:
        ((jobs,),) = old.execute("SELECT count(*) FROM job")
    about = About(format=FORMAT, release="0", schema=1, made=1.0, jobs=jobs)
    path = tmp_path / "old.tar"
    packed(path, {"about.json": msgspec.json.encode(about), "queue.db": release.read_bytes()})
    restore(elsewhere, path, time.time())
    assert len(states(elsewhere)) == jobs


ABOUT = msgspec.json.encode(About(format=FORMAT, release="0", schema=1, made=1.0, jobs=1))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"queue.db": b"x"},
        {"about.json": b"{}"},
        {"about.json": ABOUT},
        {"about.json": ABOUT, "../evil": b"x"},
        {"about.json": ABOUT, "outputs/0/../../evil.out": b"x"},
    ],
    ids=["nothing", "no about", "an empty about", "no queue", "a way out", "a way out of outputs"],
)
def test_what_is_no_backup_is_refused(members: dict[str, bytes], tmp_path: Path, elsewhere: Home) -> None:
    """It is named, nothing of it is written anywhere, and the queue stays as it is."""
    path = tmp_path / "made.tar"
    packed(path, members)
    with pytest.raises(BadData):
        restore(elsewhere, path, time.time())
    assert not list(tmp_path.rglob("evil*"))
    assert not (elsewhere.folder / "restoring").exists()


def packed(path: Path, members: dict[str, bytes]) -> None:
    """A tar with these members."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_half_a_backup_is_refused(made: Path, elsewhere: Home) -> None:
    """One that was cut short on its way is told of, with 65."""
    os.truncate(made, made.stat().st_size // 2)
    done = command(elsewhere, "restore", str(made))
    assert done.returncode == 65
    assert "damaged or cut short" in done.stderr


def test_no_other_file_is_written_over(outlook: Outlook, tmp_path: Path) -> None:
    """A letter stays a letter; an earlier backup is replaced."""
    letter = tmp_path / "letter"
    letter.write_text("dear")
    with pytest.raises(BadData, match="is not a backup"):
        back_up(outlook.store, letter, time.time())
    assert letter.read_text() == "dear"
    for jobs in (1, 2):
        submit(outlook, asking(), b'"x"')
        assert back_up(outlook.store, tmp_path / "made.tar", time.time()).jobs == jobs


def test_keys_still_stand_for_their_jobs(outlook: Outlook, tmp_path: Path, elsewhere: Home) -> None:
    """The same key is the same job after a restore, and ids go on where they were."""
    submit(outlook, asking(), b'"x"', key="mine")
    run_jobs(outlook, 1)
    back_up(outlook.store, tmp_path / "made.tar", time.time())
    restore(elsewhere, tmp_path / "made.tar", time.time())
    words = ("submit", "echo", "x", "--mode", "batch", "--detach")
    assert command(elsewhere, *words, "--key", "mine").stdout == "1\n"
    assert command(elsewhere, *words).stdout == "2\n"
