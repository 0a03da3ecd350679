"""Provider batches in a queue: what is left there, what cancelled jobs cost, how far it is, what a draft costs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.brain.modes import forecasts
from hybridq.brain.promotion import ENDLESS
from hybridq.job import Audience, Happening, Lane, Mode, Request, State
from hybridq.outlook import Outlook
from hybridq.queue.history import history
from hybridq.queue.learned import remember
from hybridq.queue.remote import all_away, charge, claims_of, moved_on
from hybridq.queue.results import result
from tests.runner.test_rescue_promotion import DRAFT, known, states
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import COST, served
from tests.support.provider import Provider


def batch(outlook: Outlook, jobs: int, **more: Any) -> list[int]:
    """So many jobs for a batch."""
    return submit_all(outlook, asking("gpt", Mode.BATCH, **more), [b'"%d"' % number for number in range(jobs)])


def forgotten(outlook: Outlook) -> bool:
    """Whether nothing runs elsewhere any more."""
    return not outlook.store.rows("SELECT 1 FROM detached")


def test_files_are_deleted_once_all_is_stored(provider: Provider, tmp_path: Path) -> None:
    """What was uploaded and what was read goes when its results are in the queue, and not before."""
    provider.script.refuse = (3,)
    seen: list[int] = []
    with served(tmp_path, provider) as outlook:

        async def delete(request: web.Request) -> web.StreamResponse:
            with closing(sqlite3.connect(outlook.store.home.database)) as store:
                seen.append(store.execute("SELECT count(*) FROM result").fetchone()[0])
            return await provider._delete(request)

        provider.instead["DELETE", "/v1/files"] = delete
        batch(outlook, 10)
        with daemon(outlook):
            until(lambda: len(provider.deleted) == 3)
        assert states(outlook) == {"done": 9, "failed": 1}
    assert seen == [10, 10, 10]
    assert set(provider.deleted) == {"file-0", "batch_0-out", "batch_0-err"}


def test_a_server_that_deletes_nothing_does_not_matter(provider: Provider, tmp_path: Path) -> None:
    """405 for a file that is no longer needed: all is done and the books are closed."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=405)

    provider.instead["DELETE", "/v1/files"] = refuse
    with served(tmp_path, provider) as outlook:
        batch(outlook, 3)
        with daemon(outlook):
            until(lambda: states(outlook) == {"done": 3} and forgotten(outlook))


def test_files_of_answers_that_could_not_be_read_stay(provider: Provider, tmp_path: Path) -> None:
    """Answers that never come: the jobs are held, every view says so, and nothing is deleted that was paid for."""

    async def gone(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    provider.instead["GET", "/v1/files"] = gone
    with served(tmp_path, provider, more="retries = 0") as outlook:
        batch(outlook, 3)
        with daemon(outlook):
            until(lambda: "cannot read its answers" in command(outlook.store.home, "show", "1").stdout)
            assert states(outlook) == {"running": 3}
        assert provider.deleted == []
        assert len(provider.batches) == 1


def booked(outlook: Outlook) -> tuple[float, float]:
    """(what the submissions have cost, what the handler has cost)."""
    (cost,) = outlook.store.row("SELECT sum(cost) FROM cohort") or (0.0,)
    (spent,) = outlook.store.row("SELECT sum(cost) FROM spent") or (0.0,)
    return cost, spent


def test_what_cancelled_jobs_cost_all_the_same_is_booked(provider: Provider, tmp_path: Path) -> None:
    """Four of five cancelled while the provider runs them: their results are dropped, all five are paid for, and the
    story says so. Once: a second daemon reads the same answers again."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        numbers = batch(outlook, 5)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
            assert command(outlook.store.home, "cancel", "1-2").returncode == 0
        assert command(outlook.store.home, "cancel", "3-4").returncode == 0
        provider.script.status = "completed"
        with daemon(outlook):
            until(lambda: states(outlook) == {"cancelled": 4, "done": 1} and forgotten(outlook))
        assert booked(outlook) == (pytest.approx(5 * COST / 2), pytest.approx(5 * COST / 2))
        found = result(outlook.store, numbers[0])
        assert found is not None
        assert found.value is None
        assert found.cost == pytest.approx(COST / 2)
        charged = [each for each in history(outlook.store, 1, numbers[0]) if each.kind is Happening.CHARGED]
        assert [each.jobs for each in charged] == [4]
        assert "cancelled too late" in command(outlook.store.home, "explain", "1").stdout


def test_a_batch_that_was_cancelled_as_a_whole_is_charged_for_what_it_did(provider: Provider, tmp_path: Path) -> None:
    """The provider had done two of five when the end was asked for: two are booked."""
    provider.script.status, provider.script.done = "never", 0.4
    with served(tmp_path, provider) as outlook:
        batch(outlook, 5)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
            assert command(outlook.store.home, "cancel", "all", "--yes").returncode == 0
            until(lambda: forgotten(outlook))
        assert states(outlook) == {"cancelled": 5}
        assert booked(outlook) == (pytest.approx(COST), pytest.approx(COST))


@pytest.mark.parametrize("counts", [True, False])
def test_progress_is_the_providers_own(provider: Provider, tmp_path: Path, counts: bool) -> None:
    """Five of ten are done there: half is shown; where the provider does not tell, nothing is, rather than 0 %."""
    provider.script.status, provider.script.done, provider.script.counts = "never", 0.5, counts
    with served(tmp_path, provider) as outlook:
        batch(outlook, 10, group="docs")
        with daemon(outlook):
            until(lambda: known(outlook, '"finished":5' if counts else "batch_0"))
            (row,) = json.loads(command(outlook.store.home, "status", "--json").stdout)["rows"]
            shown = command(outlook.store.home, "status").stdout
            command(outlook.store.home, "cancel", "all", "--yes")
        assert row["away"] == (5 if counts else None)
        assert ("50%" in shown) is counts
        assert " 0%" not in shown


def test_an_adaptive_job_is_foreseen_by_its_drafts_handler(provider: Provider, tmp_path: Path) -> None:
    """Time to something useful and its price are the small model's, streamed; the rest of the price is the batch's."""
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook:
        for name, seconds, cost in (("small", 1.0, 0.001), ("gpt", 50.0, 0.1)):
            seen = [Observation(size=3.0, busy=seconds, cost=cost)] * 8
            remember(outlook.store, name, Lane.STREAM, learn_many(Model(), seen), 1000.0)
        asked = Request(handler="gpt", audience=Audience.USER)
        world = outlook.conditions("gpt", 2000.0)
        found = {each.mode: each for each in forecasts(asked, 1, 3.0, world)}
        adaptive, batched = found[Mode.ADAPTIVE], found[Mode.BATCH]
        assert adaptive.first == pytest.approx(2001.0, abs=0.1)
        assert found[Mode.STREAM].first == pytest.approx(2050.0, abs=1)
        assert adaptive.cost == pytest.approx(0.001 + (batched.cost or 0))
        assert batched.cost == pytest.approx(0.05, rel=0.01)
        assert (adaptive.finish or 0) - (batched.finish or 0) == pytest.approx(1.0, abs=0.1)  # after its draft


def test_a_batch_goes_whole_while_somebody_streams(provider: Provider, tmp_path: Path) -> None:
    """A person's job a moment before: 3,000 jobs are one batch of the provider, as if nobody were there."""
    with served(tmp_path, provider) as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", Mode.STREAM), [b'"now"'])
        until(lambda: states(outlook) == {"done": 1})
        batch(outlook, 3000)
        until(lambda: states(outlook) == {"done": 3001})
    assert [len(each.requests) for each in provider.batches] == [3000]


@pytest.mark.parametrize("together", [True, False])
def test_what_a_job_cost_before_it_was_queued_again_is_booked(
    provider: Provider, tmp_path: Path, together: bool
) -> None:
    """Cancelled, then retried before the first answer comes, under one daemon or between two: both are paid for, so
    both are booked, and the job keeps its second result."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        home, numbers = outlook.store.home, batch(outlook, 3)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
            assert command(home, "cancel", "1").returncode == 0
            if together:
                until(lambda: not outlook.store.rows("SELECT 1 FROM stop"))
                assert command(home, "retry", "1").returncode == 0
                until(lambda: known(outlook, "batch_1"))
        if not together:
            assert command(home, "retry", "1").returncode == 0
        with daemon(outlook):
            until(lambda: known(outlook, "batch_1"))
            provider.script.status = "completed"
            until(lambda: states(outlook) == {"done": 3} and forgotten(outlook))
        assert provider.charged["0"] == 2
        assert booked(outlook) == (pytest.approx(4 * COST / 2), pytest.approx(4 * COST / 2))
        found = result(outlook.store, numbers[0])
        assert found is not None
        assert found.value == b'"answer to 0"'


def test_a_batch_that_its_provider_never_ends_is_ended(provider: Provider, tmp_path: Path) -> None:
    """No deadline, and an hour beyond the provider's own limit: its end is asked for there, the half that is done is
    kept, the rest goes again, and each is paid once."""
    provider.script.status, provider.script.done = "never", 0.5
    with served(tmp_path, provider) as outlook:
        batch(outlook, 10)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        with outlook.store.tx() as connection:
            connection.execute("UPDATE detached SET since = since - ?", (ENDLESS - 3600,))
        with daemon(outlook):
            until(lambda: known(outlook, '"finished":5'))
            assert provider.batches[0].cancelled is None
        with outlook.store.tx() as connection:
            connection.execute("UPDATE detached SET since = since - 3600")
        with daemon(outlook):
            until(lambda: provider.batches[0].cancelled is not None)
            provider.script.status = "completed"
            until(lambda: states(outlook) == {"done": 10} and forgotten(outlook))
        assert len(provider.batches[1].requests) == 5
        assert set(provider.charged.values()) == {1}


@pytest.mark.parametrize("asked", [True, False])
def test_an_old_batch_that_has_ended_is_fetched(provider: Provider, tmp_path: Path, asked: bool) -> None:
    """Nobody ran for two days, whether its end was asked for before or not: what was done long ago is read, and not
    sent again."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        batch(outlook, 10)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        with outlook.store.tx() as connection:
            connection.execute("UPDATE detached SET since = since - 200000")
            if asked:
                connection.execute(
                    "UPDATE detached SET reference = CAST(json_set(CAST(reference AS TEXT), '$.cancel', 1.0) AS BLOB)"
                )
        provider.script.status = "completed"
        with daemon(outlook):
            until(lambda: states(outlook) == {"done": 10} and forgotten(outlook))
        assert len(provider.batches) == 1


def test_an_answer_that_is_read_again_is_not_booked_again(provider: Provider, tmp_path: Path) -> None:
    """A runner died after it had booked one of two cancelled jobs, before the batch was put away; meanwhile both were
    queued again. The next one books the other, and neither has a result."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        batch(outlook, 2)
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        assert command(outlook.store.home, "cancel", "all", "--yes").returncode == 0
        (work,) = all_away(outlook.store)
        claims = claims_of(outlook.store, work, State.CANCELLED)
        assert charge(outlook.store, work, [(claims[0], 3.0)], 1000.0)[1] == [(1, 3.0)]
        assert command(outlook.store.home, "retry", "1-2").returncode == 0
        (work,) = all_away(outlook.store)
        assert moved_on(outlook.store, work) == claims
        assert charge(outlook.store, work, [(claim, 3.0) for claim in claims], 1000.0)[1] == [(1, 3.0)]
        assert booked(outlook) == (6.0, 6.0)
        assert outlook.store.rows("SELECT * FROM result") == []
