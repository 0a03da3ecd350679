"""Kill -9 at every step of a provider's batch: no paid result is lost, nothing is paid for twice."""

import signal
from pathlib import Path

import pytest

from tests.crash.provider import ProviderCrash
from tests.support.llm import KINDS
from tests.support.provider import Provider


@pytest.mark.parametrize("kind", KINDS)
def test_kills_all_along_a_batchs_life_lose_and_repeat_nothing(tmp_path: Path, kind: str) -> None:
    """Runners that die one after another at each step, on work that the last one left: each job has its one result."""
    with Provider() as provider:
        provider.script.after = 0.1
        crash = ProviderCrash(tmp_path, kind, provider)
        for point in ("created", "polled:2", "reading:2"):
            crash.round(point, jobs=300)
        crash.finish()
        assert crash.verdict()["kills"] == 3
        assert "at the end" not in crash.died


def test_a_create_that_is_killed_before_it_is_known_is_found(tmp_path: Path) -> None:
    """Dead between the provider's answer and storing it: the next runner finds the batch by its key."""
    with Provider() as provider:
        crash = ProviderCrash(tmp_path, "openai", provider)
        crash.submit(20)
        with crash.runner("daemon", HYBRIDQ_TEST_DIE_AT="created") as process:
            assert process.wait(30) == -signal.SIGKILL
        assert len(provider.batches) == 1
        assert crash.left() == 20
        crash.finish()
        assert len(provider.batches) == 1
        crash.verdict()


def test_a_stop_leaves_the_batch_to_the_next_runner(tmp_path: Path) -> None:
    """SIGTERM while a batch runs elsewhere: the daemon ends, its jobs stay running, a drain fetches them."""
    with Provider() as provider:
        provider.script.after = 2.0
        crash = ProviderCrash(tmp_path, "openai", provider)
        crash.submit(20)
        with crash.runner("daemon") as process:
            while not provider.batches:
                assert process.poll() is None
            process.terminate()
            assert process.wait(20) == 0
        states = dict(crash.outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state"))
        assert states == {"running": 20}
        crash.finish()
        crash.verdict()
