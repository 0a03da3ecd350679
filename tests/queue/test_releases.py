"""A queue that an earlier release left: it is migrated whole, nothing of it is lost, and it goes on."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from hybridq.home import Home
from hybridq.job import Happening, State
from hybridq.queue.cohorts import cohorts, state_of, tally
from hybridq.queue.ledger import read
from hybridq.queue.results import result
from hybridq.queue.schema import VERSION
from hybridq.queue.store import Store
from hybridq.sentences import sentence
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
        assert {type(jobs) for jobs in states.values()} == {int}, "a count is no fraction"
        assert (states[State.DONE], states[State.FAILED], states[State.CANCELLED]) == (3, 1, 1)
        done = [job for job in range(1, 7) if state_of(store, job)[0] is State.DONE]
        assert len(done) == 3
        assert all(result(store, job) is not None for job in done)


@pytest.mark.parametrize("left", [path for path in KEPT if path.stem[-2:] < "-8"], indirect=True)
def test_what_was_cleaned_away_has_cost_what_it_did(left: Home) -> None:
    """Of jobs that are gone a release without sums by handler kept the money by mode alone: none of it is lost."""
    with contextlib.closing(sqlite3.connect(left.database)) as connection:
        connection.execute("UPDATE total SET cost = cost + 2, streamed = streamed + 5 WHERE mode <> 'adaptive'")
        connection.commit()
        before = connection.execute("SELECT done, cost, streamed FROM total ORDER BY mode").fetchall()
    with Store.open(left) as store:
        check = "SELECT mode, sum(done), total(cost), total(streamed) FROM tally GROUP BY mode ORDER BY mode"
        after = {mode: sums for mode, *sums in store.rows(check)}
        for mode, sums in zip(("adaptive", "batch", "stream"), before, strict=True):
            assert after.get(mode, [0, 0.0, 0.0]) == pytest.approx(list(sums))


SAID = (  # (of one job or of its cohort, the sentence that a release without kinds wrote)
    (None, "promoted: batched it would be done at 13:00, after its deadline 12:00; streamed at 11:00"),
    (2, "promoted: its batch was not done in time for its deadline 12:00"),
    (None, "waited 15m to stream where 1.0s was foreseen; held: nobody is waiting (--audience)"),
    (3, "waited 15m to stream where 1.0s was foreseen; held: nobody is waiting (--audience)"),
    (None, "1,200 jobs: the runner died; queued again at once"),
    (None, "the runner died; queued again at once"),
    (None, "2 jobs: the runner stopped before it was done; queued again"),
    (None, "the runner broke; queued again at once"),
    (None, "4 jobs cancelled"),
    (4, "held: the cost limit is 1"),
    (None, "one job was cancelled too late for the provider, which had run them: 0.01 is charged"),
)
COUNTED = (  # as those releases counted their sentences
    "SELECT coalesce(sum(CASE WHEN text LIKE '%the runner died; queued again at once'"
    " THEN max(1, CAST(replace(text, ',', '') AS INTEGER)) END), 0),"
    " coalesce(sum(CASE WHEN text LIKE '%the runner stopped before it was done; queued again'"
    " THEN max(1, CAST(replace(text, ',', '') AS INTEGER)) END), 0),"
    " coalesce(sum(CASE WHEN text LIKE 'promoted%' THEN CASE WHEN job IS NULL THEN jobs ELSE 1 END END), 0),"
    " coalesce(sum(CASE WHEN text LIKE 'waited %' THEN CASE WHEN job IS NULL THEN jobs ELSE 1 END END), 0)"
    " FROM history CROSS JOIN cohort ON cohort.id = history.cohort"
)


def test_what_happened_is_counted_as_before(left: Home) -> None:
    """Promotions, rescues and all else that older releases told in sentences: by kind, the same numbers of jobs."""
    with contextlib.closing(sqlite3.connect(left.database)) as connection, connection:
        known = {row[1] for row in connection.execute("PRAGMA table_info(history)")}
        if "kind" in known:
            pytest.skip("this release writes kinds itself")
        connection.executemany("INSERT INTO history (cohort, job, at, text) VALUES (1, ?, 1.0, ?)", SAID)
        before = connection.execute(COUNTED).fetchone()
        texts = connection.execute("SELECT text FROM history ORDER BY id").fetchall()
    with Store.open(left) as store:
        moved = read(store, 0.0, 2e9).moved
        assert (moved.rescued, moved.given_back, moved.promoted, moved.reclassified) == before
        assert min(before) > 0
        assert store.rows("SELECT text FROM history ORDER BY id") == texts
        said = [Happening(kind) for (kind,) in store.rows("SELECT kind FROM history WHERE at = 1.0 ORDER BY id")]
        assert Happening.SAID not in said


def test_sentences_of_earlier_releases_are_said_as_they_were(left: Home) -> None:
    """Why something was decided is still told, though it is no sentence that is kept now."""
    with Store.open(left) as store:
        told = [of.decision.reason for of in cohorts(store, "accepted IS NOT NULL")]
        sentences = [sentence(reason, 2e9) for reason in told]
        assert all(sentences)
        assert not any("{" in each for each in sentences)


def test_it_is_shown_and_goes_on(left: Home) -> None:
    """`status`, `explain` and `report` read it; new jobs are accepted behind its last id."""
    for words in (("status", "--all"), ("explain", "g"), ("report",)):
        said = command(left, *words)
        assert said.returncode == 0, said.stderr
    added = command(left, "submit", "--detach", "--", "true")
    assert int(added.stdout) > 9
