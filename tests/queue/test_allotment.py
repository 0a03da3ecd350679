"""What may begin beside what runs: limits, rates and counted resources hold over both lanes and all runners."""

from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue.allotment import allot
from hybridq.queue.claims import Claim, claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts
from hybridq.queue.holdings import lacking, let_go, use
from hybridq.queue.job_limits import limit_jobs, unlimit_jobs
from hybridq.queue.rescue import give_back
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from tests.support.building import ECHO, asking, queue, submit_all
from tests.support.verbs import ended

NOW = 2e9
RESOURCES = '[resources]\ngpu = ["a", "b"]\nmemory = "10GiB"\n'
GIB = 1 << 30


@pytest.fixture
def made(tmp_path: Path) -> Outlook:
    """A queue with two GPUs and some memory."""
    return queue(tmp_path, RESOURCES + ECHO)


def streamed(made: Outlook, runner: Runner, now: float = NOW, limit: int = 100) -> list[Claim]:
    """What a runner gets of what is to stream."""
    capacity = made.capacity("echo")
    return claim_stream(
        made.store,
        runner.id,
        "echo",
        limit,
        now,
        allot=lambda connection: allot(connection, capacity, runner.id, now),
        lacking=lacking(made.store.connection, capacity.resources),
    )


def batched(made: Outlook, runner: Runner, now: float = NOW) -> list[Claim]:
    """What it gets of what is held."""
    held = [each.id for each in cohorts(made.store, "lane = 'batch' AND queued > 0")]
    capacity = made.capacity("echo")
    return claim_batch(
        made.store,
        runner.id,
        1,
        "echo",
        held,
        100,
        now,
        allot=lambda connection: allot(connection, capacity, runner.id, now),
    )


def submitted(made: Outlook, **more: object) -> None:
    """Four jobs to stream, and four that are held."""
    for mode in (Mode.STREAM, Mode.BATCH):
        submit_all(made, asking(mode=mode, **more), [b"1"] * 4)


@pytest.mark.parametrize("group", [None, "g"])
def test_a_limit_holds_over_both_lanes_and_all_runners(made: Outlook, group: str | None) -> None:
    """Of a handler and of a group: three run, whoever asks; one that has ended makes room for one."""
    submitted(made, group="g")
    limit_jobs(made.store, None if group else "echo", group, 3, NOW)
    one, other = Runner(made.store, "drain"), Runner(made.store, "drain")
    begun = streamed(made, one, limit=2) + batched(made, other)
    assert len(begun) == 3
    assert streamed(made, other) == batched(made, one) == []
    record(made.store, [ended(begun[0])])
    assert len(batched(made, one)) == 1


def test_a_limit_that_is_taken_back_holds_nobody(made: Outlook) -> None:
    """And the number that config.toml says counts where nobody has said another."""
    submitted(made)
    limit_jobs(made.store, "echo", None, 1, NOW)
    assert unlimit_jobs(made.store, "echo", None) is not None
    assert len(streamed(made, Runner(made.store, "drain"))) == 4


def test_never_more_is_given_than_there_is(made: Outlook) -> None:
    """Both lanes and both runners draw from one account, and each job has a unit of its own."""
    submitted(made, needs={"gpu": 1, "memory": 4 * GIB})
    begun = streamed(made, Runner(made.store, "drain"), limit=1) + batched(made, Runner(made.store, "drain"))
    assert sorted(claim.given["gpu"][1] for claim in begun if claim.given) == [("a",), ("b",)]
    assert use(made.store.connection).amounts == {"gpu": 2, "memory": 8 * GIB}
    assert streamed(made, Runner(made.store, "drain")) == []


def test_what_does_not_fit_holds_up_nobody_behind_it(made: Outlook) -> None:
    """Any number of jobs that wait for a resource may come first."""
    for _ in range(200):
        submit_all(made, asking(mode=Mode.STREAM, needs={"gpu": 2}, deadline=NOW), [b"1"])
    submit_all(made, asking(mode=Mode.STREAM), [b"2"])
    runner = Runner(made.store, "drain")
    assert [claim.input for claim in streamed(made, runner, limit=1)] == [b"1"]
    assert [claim.input for claim in streamed(made, runner)] == [b"2"]


def test_what_a_runner_held_is_free_when_it_is_gone(made: Outlook) -> None:
    """With its claims, and not before its processes are: what was cancelled holds its unit till then."""
    submitted(made, needs={"gpu": 1})
    runner, other = Runner(made.store, "drain"), Runner(made.store, "drain")
    first, _ = streamed(made, runner)
    made.store.connection.execute("UPDATE job SET state = 'cancelled' WHERE id = ?", (first.id,))
    assert batched(made, other) == []
    let_go(made.store, runner.id, [(first.id, first.attempt, "echo")])
    assert len(batched(made, other)) == 1
    give_back(made.store, runner.id, NOW)
    assert use(made.store.connection).amounts == {"gpu": 1}


def test_a_rate_holds_over_both_lanes_and_all_runners(tmp_path: Path) -> None:
    """Within a minute no more than it says begin, also after a restart; then as many again."""
    made = queue(tmp_path, ECHO + 'rate = "3/m"\n')
    submitted(made)
    one, other = Runner(made.store, "drain"), Runner(made.store, "drain")
    assert len(streamed(made, one, limit=2) + batched(made, other)) == 3
    give_back(made.store, one.id, NOW)
    assert batched(made, other, NOW + 59) == []
    why = made.bounded("echo", None, {}, NOW + 1)
    assert why is not None
    assert (why.kind, why.due) == ("rate", NOW + 60)
    assert len(batched(made, other, NOW + 60) + streamed(made, other, NOW + 61)) == 3
