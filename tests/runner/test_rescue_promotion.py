"""A provider's batch in a queue: promoted at the last safe moment, cancelled there, drafts and their finals."""

import time
from pathlib import Path

import pytest

from hybridq.job import Happening, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import job
from hybridq.queue.history import history
from hybridq.queue.results import result
from hybridq.submit import submit
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import COST, served
from tests.support.provider import Fault, Provider


def states(outlook: Outlook) -> dict[str, int]:
    return dict(outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state"))


@pytest.mark.parametrize(("kind", "takes"), [("openai", 0.0), ("openai", 1e9), ("anthropic", 0.0)])
def test_what_a_batch_would_deliver_late_is_streamed(
    provider: Provider, tmp_path: Path, kind: str, takes: float
) -> None:
    """A batch that never ends, with a deadline: ended there at the last safe moment, what it has done is kept, the
    rest is streamed, each paid once; a provider that does not confirm the end is not waited for."""
    provider.script.status, provider.script.done, provider.script.cancel_takes = "never", 0.4, takes
    with served(tmp_path, provider, kind, 'expected = "1s"') as outlook:
        deadline = time.time() + 30  # the last safe moment is some 7 s before it
        numbers = submit_all(
            outlook, asking("gpt", Mode.BATCH, deadline=deadline), [b'"%d"' % number for number in range(10)]
        )
        with daemon(outlook):
            until(lambda: states(outlook) == {"done": 10}, 60)
        assert provider.batches[0].cancelled is not None
        paid = [provider.charged[str(number)] for number in range(10)]
        assert paid == [1] * 10
        streamed = [number for number in numbers if Happening.PROMOTED in story(outlook, number)]
        assert len(streamed) == (6 if takes == 0 else 10)
        assert len(provider.requests) == len(streamed)
        lanes = dict(outlook.store.rows("SELECT lane, sum(done) FROM cohort GROUP BY lane"))
        assert lanes["stream"] == len(streamed)
        assert outlook.store.rows("SELECT * FROM detached") == []


def test_a_batch_that_is_ended_for_a_deadline_takes_nobody_else_with_it(provider: Provider, tmp_path: Path) -> None:
    """One flush with and without a deadline makes two batches: the one is ended in time, the other goes on there."""
    provider.script.status, provider.script.done = "never", 0.0
    with served(tmp_path, provider, more='expected = "0.2s"') as outlook:
        with_deadline = asking("gpt", Mode.BATCH, deadline=time.time() + 6)
        hurried = submit_all(outlook, with_deadline, [b'"a"', b'"b"'])
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"c"', b'"d"', b'"e"'])
        with daemon(outlook):
            until(lambda: all(job(outlook.store, number).state is State.DONE for number in hurried))
            assert outlook.store.rows("SELECT count(*) FROM flush") == [(1,)]
            ended, other = provider.batches
            assert (len(ended.requests), ended.cancelled is None) == (2, False)
            assert (len(other.requests), other.cancelled is None) == (3, True)
            provider.script.status, provider.script.done = "completed", 1.0
            until(lambda: states(outlook) == {"done": 5})
        assert len(provider.batches) == 2
        assert set(provider.charged.values()) == {1}


def story(outlook: Outlook, number: int) -> list[Happening]:
    return [each.kind for each in history(outlook.store, job(outlook.store, number).cohort, number)]


def test_cancelling_all_of_a_batch_cancels_it_there(provider: Provider, tmp_path: Path) -> None:
    """Adopted by a second daemon. Some cancelled: the batch goes on. The last one: the provider is told at once, and
    nothing is left over."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(5)])
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        with daemon(outlook):
            until(lambda: outlook.store.rows("SELECT 1 FROM detached JOIN runner ON runner.id = detached.runner"))
            assert command(outlook.store.home, "cancel", "1-4").returncode == 0
            until(lambda: states(outlook) == {"cancelled": 4, "running": 1})
            assert provider.batches[0].cancelled is None
            assert command(outlook.store.home, "cancel", "5").returncode == 0
            until(lambda: provider.batches[0].cancelled is not None)
            until(lambda: outlook.store.rows("SELECT * FROM detached") == [])
        assert states(outlook) == {"cancelled": 5}


def known(outlook: Outlook, batch: str) -> bool:
    """Whether the reference to this batch is stored."""
    return bool(outlook.store.rows("SELECT 1 FROM detached WHERE CAST(reference AS TEXT) LIKE ?", (f"%{batch}%",)))


def test_what_was_cancelled_while_nobody_ran_is_cancelled_there_by_the_next(provider: Provider, tmp_path: Path) -> None:
    """All cancelled between two daemons: the next one tells the provider."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"a"', b'"b"'])
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        assert states(outlook) == {"running": 2}
        assert command(outlook.store.home, "cancel", "all", "--yes").returncode == 0
        with daemon(outlook):
            until(lambda: provider.batches[0].cancelled is not None)
            until(lambda: outlook.store.rows("SELECT * FROM detached") == [])


def test_an_expired_batch_goes_again_with_what_is_left(provider: Provider, tmp_path: Path) -> None:
    """Half done at expiry: these are kept, a second batch has only the others, and everything is paid once."""
    provider.script.status, provider.script.done = "expired", 0.5
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(10)])
        with daemon(outlook):
            until(lambda: len(provider.batches) > 1)
            provider.script.status = "completed"
            until(lambda: states(outlook) == {"done": 10})
        assert set(provider.charged.values()) == {1}
        assert len(provider.batches[1].requests) == 5


def test_a_drain_fetches_its_batch_and_closes_the_books(provider: Provider, tmp_path: Path) -> None:
    """From cron: it waits for the provider, ends when all is there, and leaves the flush's figures and no reference."""
    provider.script.after = 0.3
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(300)])
        assert command(outlook.store.home, "drain", "--quiet").returncode == 0
        assert states(outlook) == {"done": 300}
        assert outlook.store.rows("SELECT * FROM detached") == []
        ((jobs, done, cost),) = outlook.store.rows("SELECT jobs, done, cost FROM flush")
        assert (jobs, done) == (300, 300)
        assert cost == pytest.approx(300 * COST / 2)


DRAFT = """draft = "small"
[handlers.small]
kind = "openai"
model = "small"
base_url = "{url}"
api_key_env = "TEST_KEY"
price_input = 0.1
price_output = 1
retries = 0
"""


def test_an_adaptive_jobs_draft_streams_and_its_final_follows(provider: Provider, tmp_path: Path) -> None:
    """The small model answers at once, the large one by batch; both are kept apart, and the best is what is shown."""
    provider.answer = lambda text: f"answer to {text}"
    provider.script.after = 1.0
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"').first
        until(lambda: result(outlook.store, number, draft=True))
        assert job(outlook.store, number).state is not State.DONE
        until(lambda: job(outlook.store, number).state is State.DONE)
        draft, final = result(outlook.store, number, draft=True), result(outlook.store, number)
        assert draft is not None
        assert final is not None
        assert draft.value == final.value == b'"answer to q"'
        assert provider.requests[0]["model"] == "small"
        assert final.cost > draft.cost > 0
        assert command(outlook.store.home, "output", "1", "--draft").stdout == "answer to q\n"


def test_a_failed_draft_leaves_the_final_and_the_other_way_round(provider: Provider, tmp_path: Path) -> None:
    """Without the draft the final comes all the same; without the final the draft is still there to be read."""
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        provider.faults.append(Fault(status=400))
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"').first
        until(lambda: job(outlook.store, number).state is State.DONE)
        assert (failed := result(outlook.store, number, draft=True)) is not None
        assert failed.error
        provider.script.refuse = (0,)
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"r"').first
        until(lambda: job(outlook.store, number).state is State.FAILED)
        assert (draft := result(outlook.store, number, draft=True)) is not None
        assert draft.value == b'"answer to r"'
