"""One account of the world: what is ahead, what is warm and what comes, by facts alone."""

import ast
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.brain.estimate import Estimate, Model, Observation
from hybridq.brain.gather import Facts, gather
from hybridq.brain.lessons import taught
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.job import Held, Lane, Mode, State

NOW = 1_000_000.0
NIGHT = Tariff(TariffConfig(window=(Window(start="00:00", end="23:59", factor=3.0),)))


def facts(handler: HandlerConfig | None = None, **others: object) -> Facts:
    """A worker with one instance that takes 2 s a job, and nothing to do."""
    handler = handler or HandlerConfig()
    model = taught(Model(), [Observation(size=1.0, busy=2.0)] * 8)
    plain = Facts(
        now=NOW,
        handler=handler,
        modes=frozenset(Mode),
        policy=PolicyConfig(),
        tariff=NIGHT,
        estimate=Estimate(model, model, handler),
        jobs={},
        slots={Lane.STREAM: 1, Lane.BATCH: 1},
    )
    return replace(plain, **others)


def test_nothing_else_makes_conditions() -> None:
    """In the whole library conditions are made by `gather`, so that no two accounts of the world can part."""
    made = set()
    for path in Path(__file__).parents[2].joinpath("hybridq").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Conditions":
                made.add(path.name)
    assert made == {"gather.py"}


def test_what_streams_is_ahead_but_for_what_has_run_of_it() -> None:
    """Two jobs that wait and one that runs are 5 s ahead, 4.5 s if it is known that it began 1.5 s ago."""
    streaming = {(Lane.STREAM, State.QUEUED): 2, (Lane.STREAM, State.RUNNING): 1}
    assert gather(facts(jobs=streaming)).stream_ahead == pytest.approx(5.0, rel=0.01)
    assert gather(facts(jobs=streaming, begun=(NOW - 1.5,))).stream_ahead == pytest.approx(4.5, rel=0.01)


def test_a_batch_on_the_same_instance_is_ahead_of_a_stream_job() -> None:
    """A call of two jobs, of which half is over, and one such call more before each other job that streams."""
    running = {(Lane.BATCH, State.RUNNING): 3}
    assert gather(facts(jobs=running)).stream_ahead == pytest.approx(2.0, rel=0.01)
    crowd = {**running, (Lane.STREAM, State.QUEUED): 1, (Lane.STREAM, State.RUNNING): 1}
    alone = {key: jobs for key, jobs in crowd.items() if key[0] is Lane.STREAM}
    longer = (gather(facts(jobs=crowd)).stream_ahead or 0) - (gather(facts(jobs=alone)).stream_ahead or 0)
    assert longer == pytest.approx(6.0, rel=0.01)  # all three of them: the flush has no more
    shell = facts(HandlerConfig(kind="shell"), jobs=crowd)
    assert gather(shell).stream_ahead == gather(replace(shell, jobs=alone)).stream_ahead


def test_what_streams_is_ahead_of_a_batch_on_the_same_instance() -> None:
    """A flush waits for stream jobs, for the rest of the one that runs, and longer the more stream jobs will come."""
    alone = {(Lane.BATCH, State.RUNNING): 3}
    crowd = {**alone, (Lane.STREAM, State.QUEUED): 1, (Lane.STREAM, State.RUNNING): 1}
    assert gather(facts(jobs=alone)).batch_ahead == pytest.approx(6.0, rel=0.01)
    assert gather(facts(jobs=crowd)).batch_ahead == pytest.approx(9.0, rel=0.01)
    assert gather(facts(jobs=alone, streams=0.1)).batch_ahead == pytest.approx(7.5, rel=0.01)
    assert gather(facts(HandlerConfig(kind="shell"), jobs=crowd, streams=0.1)).batch_ahead == pytest.approx(6.0, 0.01)


def test_the_rest_of_a_running_flush_is_no_held_work() -> None:
    """What the running flush will take goes before the next, the earliest deadline first; what came later stays."""
    old = Held(key=1, jobs=5, size=1.0, deadline=NOW + 900, since=NOW - 30.0, delay_cost=0.005)
    due = replace(old, key=2, jobs=2, deadline=NOW + 60)
    new = replace(old, key=3, jobs=9, since=NOW - 5.0)
    world = gather(facts(jobs={(Lane.BATCH, State.RUNNING): 1}, held=(old, due, new), flush=(NOW - 10.0, 4)))
    assert [(each.key, each.jobs) for each in world.flushing] == [(2, 2), (1, 2)]
    assert [(each.key, each.jobs) for each in world.held] == [(1, 3), (3, 9)]
    assert world.batch_ahead == pytest.approx(2.0 * 5, rel=0.01)


def test_a_batch_that_has_all_instances_is_half_a_call_ahead_of_a_stream_job() -> None:
    """A running batch of a worker whose calls take 5 s each has half of that before a stream job at least."""
    shares = taught(Model(), [Observation(size=1.0, busy=7.0)] * 8)
    shares = replace(shares, overhead=replace(shares.overhead, seconds=5.0, jobs=8.0))
    busy = facts(jobs={(Lane.BATCH, State.RUNNING): 4}, estimate=Estimate(Model(), shares, HandlerConfig()))
    assert (gather(busy).stream_ahead or 0) >= 2.5
    assert gather(busy).batch_ahead > 0


def test_an_instance_is_warm_until_it_has_idled_too_long() -> None:
    """A worker used within `idle` is warm; one that starts with each call never is; a command needs nothing."""
    worker = HandlerConfig(idle=60.0)
    assert not gather(facts(worker)).warm
    assert gather(facts(worker, used=NOW - 59)).warm
    assert not gather(facts(worker, used=NOW - 60)).warm
    assert not gather(facts(replace(worker, protocol="lines"), used=NOW)).warm
    assert gather(facts(HandlerConfig(kind="shell"))).warm


def test_a_provider_knows_neither_our_tariff_nor_our_load() -> None:
    """Our load and hours count for what takes our machine's time, the hours alone for what is paid by the job."""
    for handler, factor, load in (
        (HandlerConfig(), 3.0, 4.0),
        (HandlerConfig(price=0.1), 3.0, 0.0),
        (HandlerConfig(kind="openai"), 1.0, 0.0),
    ):
        world = gather(facts(handler, load=4.0))
        assert (world.tariff.factor(NOW), world.load) == (factor, load)


def test_only_what_was_batched_joins_and_as_it_was_when_the_first_was_held() -> None:
    """Six came, three of them batched before the first that is held: so they are foreseen, however many came since."""
    lanes = (Lane.BATCH, Lane.BATCH, Lane.BATCH, Lane.STREAM, Lane.BATCH, Lane.BATCH)
    came = [(NOW - 60.0 + 10.0 * place, lane) for place, lane in enumerate(lanes)]
    held = Held(key=1, jobs=1, size=1.0, deadline=NOW + 900, since=NOW - 30.0, delay_cost=0.001)
    world = gather(facts(held=(held,), came=came, before=came[:3]))
    assert world.coming == pytest.approx(5 / 60)
    assert world.joining == pytest.approx(2 / 30)
    assert gather(facts(came=came, joins=True)).joining == pytest.approx(5 / 60)
