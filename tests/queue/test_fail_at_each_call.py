"""Whichever statement fails, the counters and the rows agree afterwards, and what is told is what is there."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from hybridq.errors import HybridqError
from hybridq.home import Home
from hybridq.job import Happening, Lane, Mode, Request
from hybridq.queue import acceptance, bulk
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cleaning import clean, sweep
from hybridq.queue.cohorts import cohorts
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move_cohort
from hybridq.queue.rescue import give_back, rescue
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.breaking import break_at, copied
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended, many

DO = deciding(Mode.BATCH)
OWN = [Request(handler="h", audience=BACKGROUND.audience, priority=n) for n in range(4)]


def _one(store: Store) -> object:
    return accept(store, BACKGROUND, b"new", DO, now=9.0, key="k")


def _many(store: Store) -> object:
    with Bulk(store) as writer:
        for n in range(9):
            writer.add(OWN[n % 4], b"new", f"key {n}" if n % 2 else None)
        return writer.accept(DO, now=9.0)


def _run(store: Store) -> object:
    runner = Runner(store, "drain")
    claims = claim_batch(store, runner.id, 1, "h", [each.id for each in cohorts(store, "queued > 0")], 2, 9.0)
    record(store, [ended(claim, ok=claim.id % 2 == 0) for claim in claims])
    claim_stream(store, runner.id, "h", 1, 9.0)
    give_back(store, runner.id, 9.0)
    return runner.close(store)


def _change(store: Store) -> object:
    return (
        cancel(store, [1, 2], 9.0),
        retry(store, [1, 4], 9.0),
        move_cohort(store, 1, Lane.STREAM, Happening.PROMOTED, said("why"), 9.0),
    )


VERBS = [_one, _many, _run, _change, lambda store: clean(store, 5.0)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A queue with a group of three that wait, and one job that is done."""
    folder = tmp_path_factory.mktemp("made") / "home"
    with Store.open(Home.find({"HYBRIDQ_HOME": str(folder)})) as store:
        many(store, [b"x"] * 3)
        number = accept(store, BACKGROUND, b"x", deciding(Mode.STREAM), now=1.0).first
        runner = Runner(store, "drain")
        assert record(store, [ended(each) for each in claim_stream(store, runner.id, "h", 1, 2.0)])[0].id == number
        runner.close(store)
    return folder


@pytest.mark.parametrize("how", ["refused", "interrupted"])
@pytest.mark.parametrize("verb", VERBS, ids=["one", "many", "run", "change", "clean"])
def test_whichever_statement_fails_counters_and_rows_agree(
    verb: Callable[[Store], object], how: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure at any call, and after others have looked, every counter is what the rows give."""
    _small(monkeypatch)
    for at in count(1):
        with Store.open(copied(made, tmp_path / str(at))) as store, Store.open(store.home) as other:
            breaking = break_at(store, at, how)
            told = _tried(verb, store)
            _look(other)
            check_counters(other)
            new = other.rows("SELECT count(*) FROM job WHERE input = ?", (b"new",)) != [(0,)]
            assert how == "interrupted" or verb not in (_one, _many) or new is told, f"call {at}: told {told}, is {new}"
            if not breaking.broke:
                return


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and pieces of a few, so that a few jobs are many."""
    for module, name, size in ((bulk, "CHUNK_MIXED", 4), (bulk, "TOGETHER", 2), (acceptance, "TOGETHER", 2)):
        monkeypatch.setattr(module, name, size)


def _tried(verb: Callable[[Store], object], store: Store) -> bool:
    try:
        verb(store)
    except (HybridqError, KeyboardInterrupt):
        return False
    return True


def _look(store: Store) -> None:
    """What whoever comes next does first."""
    rescue(store, 10.0)
    for _ in sweep(store):
        pass
