"""A queue that an earlier release left: it is migrated whole, nothing of it is lost, and it goes on."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from hybridq.home import Home
from hybridq.job import State
from hybridq.queue.cohorts import result, state_of, tally
from hybridq.queue.schema import VERSION
from hybridq.queue.store import Store
from tests.support.building import command
from tests.support.fixture import RELEASES
from tests.support.verbs import check_counters

KEPT = sorted(RELEASES.glob("*.db"))


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A home with the file of a release in it."""
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")})
    home.prepare()
    shutil.copy(request.param, home.database)
    home.database.chmod(0o600)
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA journal_mode = wal")  # as that release had it: a copy is counted anew
    return home


def test_this_release_has_its_file() -> None:
    """The schema of now is among those that are kept: python -m tests.support.fixture writes it."""
    assert any(path.stem.endswith(f"-schema-{VERSION}") for path in KEPT)


def test_all_of_it_is_there(left: Home) -> None:
    """Every job in its state, with its result, and counters that are true."""
    with Store.open(left) as store:
        check_counters(store)
        states = dict.fromkeys(State, 0)
        for (_, _, state), jobs in tally(store).items():
            states[state] += jobs
        assert sum(states.values()) == 9
        assert (states[State.DONE], states[State.FAILED], states[State.CANCELLED]) == (3, 1, 1)
        done = [job for job in range(1, 7) if state_of(store, job)[0] is State.DONE]
        assert len(done) == 3
        assert all(result(store, job) is not None for job in done)


def test_it_is_shown_and_goes_on(left: Home) -> None:
    """`status`, `explain` and `report` read it; new jobs are accepted behind its last id."""
    for words in (("status", "--all"), ("explain", "g"), ("report",)):
        said = command(left, *words)
        assert said.returncode == 0, said.stderr
    added = command(left, "submit", "--detach", "--", "true")
    assert int(added.stdout) > 9
