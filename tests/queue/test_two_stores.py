"""Two stores at once, in seeded orders: what one is acknowledged is there, whatever becomes of the other."""

from contextlib import suppress
from pathlib import Path

import pytest

from hybridq.errors import BadData, TryAgain
from hybridq.home import Home
from hybridq.job import Happening, Lane, Mode, Request
from hybridq.queue import acceptance, bulk
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.claims import claim_stream
from hybridq.queue.cleaning import clean
from hybridq.queue.cohorts import job
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.interleaving import interleaved
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended

DO = deciding(Mode.STREAM)
OWN = [Request(handler="h", audience=BACKGROUND.audience, priority=n) for n in range(5)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A queue with a key that stands for something, where a few jobs are many."""
    for module, name, size in ((bulk, "CHUNK_MIXED", 3), (bulk, "TOGETHER", 2), (acceptance, "TOGETHER", 2)):
        monkeypatch.setattr(module, name, size)
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")})
    with Store.open(home) as store:
        accept(store, BACKGROUND, b"first", DO, now=1.0, key="taken")
    return home


class Singles:
    """Submits single jobs and keeps what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, bytes] = {}

    def __call__(self, store: Store) -> None:
        """Submit some."""
        for n in range(8):
            data = b"single %d" % n
            self.acknowledged[accept(store, BACKGROUND, data, DO, now=2.0).first] = data


def refused(store: Store) -> None:
    """A bulk submission whose second chunk holds a key that stands for something else."""
    with suppress(BadData), Bulk(store) as many:
        for n, key in enumerate(("a", "b", "c", "d", "taken", "e")):
            many.add(OWN[n % 5], b"many %d" % n, key)
        many.accept(DO, now=2.0)


def interrupted(store: Store) -> None:
    """A bulk submission that Control-C ends while it writes its first chunk."""

    def left_out(_: BadData) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), Bulk(store, left_out) as many:
        for n, key in enumerate((None, "taken", None)):
            many.add(OWN[n], b"many %d" % n, key)
        many.accept(DO, now=2.0)


def whole(store: Store) -> None:
    """A bulk submission of more cohorts than are accepted together; it may find its keys with another."""
    try:
        with Bulk(store) as many:
            for n in range(10):
                many.add(OWN[n % 5], b"whole %d" % n, f"key {n}" if n % 3 == 0 else None)
            many.accept(DO, now=2.0)
    except TryAgain:
        return


def working(store: Store) -> None:
    """A runner that claims, ends, moves, cancels and cleans whatever there is."""
    runner = Runner(store, "drain")
    for turn in range(5):
        claims = claim_stream(store, runner.id, "h", 3, 3.0)
        record(store, [ended(claim, ok=turn % 2 == 0) for claim in claims])
        waiting = [number for (number,) in store.rows("SELECT id FROM job WHERE state = 'queued' LIMIT 2")]
        move(store, waiting[:1], Lane.BATCH, Happening.RECLASSIFIED, said("why"), 3.0)
        cancel(store, waiting[1:], 3.0)
        clean(store, 0.5)
    runner.close(store)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("neighbour", [refused, interrupted, whole])
def test_what_is_acknowledged_beside_a_neighbour_is_there(neighbour: object, seed: int, home: Home) -> None:
    """In every order of BEGIN, COMMIT and ROLLBACK each acknowledged job is there, and every counter right."""
    singles = Singles()
    interleaved(home, seed, [singles, neighbour])  # type: ignore[list-item]
    with Store.open(home) as store:
        assert {number: job(store, number).input for number in singles.acknowledged} == singles.acknowledged
        assert store.rows("SELECT 1 FROM job WHERE input LIKE 'many%'") == []
        check_counters(store)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("one", [refused, whole])
def test_counters_are_right_whatever_two_stores_do_at_once(one: object, seed: int, home: Home) -> None:
    """Beside a runner that changes what it finds, and beside another of the same, rows and counters agree."""
    interleaved(home, seed, [one, working, whole])  # type: ignore[list-item]
    with Store.open(home) as store:
        check_counters(store)
        assert len(store.rows("SELECT 1 FROM key WHERE name = 'key 3'")) == 1
