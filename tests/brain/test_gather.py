"""One account of the world: what is ahead, what is warm and what comes, by facts alone."""

import ast
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.brain.estimate import Estimate, Model, Observation
from hybridq.brain.gather import Facts, gather
from hybridq.brain.lanes import Streaming
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
    began = (Streaming(NOW - 1.5, 1.0),)
    assert gather(facts(jobs=streaming, streams=began)).stream_ahead == pytest.approx(4.5, rel=0.01)


def test_a_batch_on_the_same_instance_is_ahead_of_a_stream_job() -> None:
    """Half of a call of one or two jobs, and one such call more before each other job that streams."""
    running = {(Lane.BATCH, State.RUNNING): 3}
    assert gather(facts(jobs=running)).stream_ahead == pytest.approx(5 / 3, rel=0.01)
    crowd = {**running, (Lane.STREAM, State.QUEUED): 1, (Lane.STREAM, State.RUNNING): 1}
    alone = {key: jobs for key, jobs in crowd.items() if key[0] is Lane.STREAM}
    longer = (gather(facts(jobs=crowd)).stream_ahead or 0) - (gather(facts(jobs=alone)).stream_ahead or 0)
    assert longer == pytest.approx(5.0, rel=0.01)  # all that is left of them: the flush has no more
    shell = facts(HandlerConfig(kind="shell"), jobs=crowd)
    assert gather(shell).stream_ahead == gather(replace(shell, jobs=alone)).stream_ahead


def test_what_streams_is_ahead_of_a_batch_on_the_same_instance() -> None:
    """A flush waits for stream jobs, for the rest of the one that runs, and longer the more stream jobs will come."""
    alone = {(Lane.BATCH, State.RUNNING): 3}
    crowd = {**alone, (Lane.STREAM, State.QUEUED): 1, (Lane.STREAM, State.RUNNING): 1}
    assert gather(facts(jobs=alone)).batch_ahead == pytest.approx(5.0, rel=0.01)
    assert gather(facts(jobs=crowd)).batch_ahead == pytest.approx(8.0, rel=0.01)
    assert gather(facts(jobs=alone, rate=0.1)).batch_ahead == pytest.approx(6.25, rel=0.01)
    assert gather(facts(HandlerConfig(kind="shell"), jobs=crowd, rate=0.1)).batch_ahead == pytest.approx(5.0, 0.01)


def test_the_rest_of_a_running_flush_is_no_held_work() -> None:
    """What the running flush will take goes before the next, the earliest deadline first; what came later stays."""
    old = Held(key=1, jobs=5, size=1.0, deadline=NOW + 900, since=NOW - 30.0, delay_cost=0.005)
    due = replace(old, key=2, jobs=2, deadline=NOW + 60)
    new = replace(old, key=3, jobs=9, since=NOW - 5.0)
    world = gather(facts(jobs={(Lane.BATCH, State.RUNNING): 1}, held=(old, due, new), flush=(NOW - 10.0, 4)))
    assert [(each.key, each.jobs) for each in world.flushing] == [(2, 2), (1, 2)]
    assert [(each.key, each.jobs) for each in world.held] == [(1, 3), (3, 9)]
    assert world.batch_ahead == pytest.approx(2.0 * 4.5, rel=0.01)


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


def test_the_start_that_runs_for_another_is_waited_for_and_not_paid_again() -> None:
    """An instance that takes 3 s to start began to, a second ago, for a job of 2 s: the next waits 4 s and is warm."""
    model = taught(Model(), [Observation(size=1.0, busy=2.0)] * 8 + [Observation(size=1.0, busy=2.0, startup=3.0)])
    known = Estimate(model, model, HandlerConfig())
    one = {(Lane.STREAM, State.RUNNING): 1}
    world = gather(facts(jobs=one, streams=(Streaming(NOW - 1.0, 1.0),), estimate=known))
    assert world.stream_ahead == pytest.approx(4.0, rel=0.02)
    assert world.warm
    assert not world.starts(NOW + 60)
    assert world.starts(NOW + 4000)
    two = facts(jobs=one, streams=(Streaming(NOW - 1.0, 1.0),), estimate=known, slots={Lane.STREAM: 2, Lane.BATCH: 2})
    assert not gather(two).warm  # it starts an instance of its own
    flushing = facts(jobs={(Lane.BATCH, State.RUNNING): 1}, flush=(NOW - 1.0, 0), estimate=known)
    assert gather(flushing).batch_ahead == pytest.approx(3.0, rel=0.02)


def test_what_is_ahead_is_known_by_its_size() -> None:
    """Behind a long job one waits long, though most are short: by the size of what runs and of what waits."""
    rows = [Observation(size=1e4, busy=8.0)] * 4 + [Observation(size=10.0, busy=0.2)] * 12
    model = taught(Model(), rows)
    known = Estimate(model, model, HandlerConfig())
    jobs = {(Lane.STREAM, State.RUNNING): 1, (Lane.STREAM, State.QUEUED): 2}
    long = (Streaming(NOW, 1e4), Streaming(None, 10.0, 2))
    short = (Streaming(NOW, 10.0), Streaming(None, 10.0), Streaming(None, 1e4))
    assert gather(facts(jobs=jobs, streams=long, estimate=known)).stream_ahead == pytest.approx(8.4, rel=0.05)
    assert gather(facts(jobs=jobs, streams=short, estimate=known)).stream_ahead == pytest.approx(8.4, rel=0.05)
    alone = {(Lane.STREAM, State.RUNNING): 1}
    assert gather(facts(jobs=alone, streams=long, estimate=known)).stream_ahead == pytest.approx(8.0, rel=0.05)
    assert gather(facts(jobs=alone, streams=short, estimate=known)).stream_ahead == pytest.approx(0.2, rel=0.05)


def test_the_first_of_several_instances_that_is_free_takes_the_next() -> None:
    """Of three that began 0.2, 1 and 1.5 s ago the last has half a second left; where two are in a batch's calls, the
    next waits for the first of all three."""
    three = {Lane.STREAM: 3, Lane.BATCH: 3}
    began = tuple(Streaming(NOW - ran, 1.0) for ran in (0.2, 1.0, 1.5))
    full = facts(jobs={(Lane.STREAM, State.RUNNING): 3}, streams=began, slots=three)
    assert gather(full).stream_ahead == pytest.approx(0.5, rel=0.02)
    mixed = {(Lane.STREAM, State.RUNNING): 1, (Lane.BATCH, State.RUNNING): 4}
    ahead = gather(facts(jobs=mixed, streams=(Streaming(NOW - 1.0, 1.0),), slots=three)).stream_ahead
    assert ahead == pytest.approx(0.5, rel=0.2)


def test_a_call_that_began_when_something_ended_is_waited_for_no_longer_than_it_lasts() -> None:
    """On one instance jobs of a batch that take 2 s go one a call: with the last end 1.5 s ago half a second is left,
    before a job that streams as before one that was claimed a second ago and waits for it; or which runs since then."""
    flush = {"flush": (NOW - 60.0, 3), "held": (), "left": 3}
    calls = {(Lane.BATCH, State.RUNNING): 2}
    assert gather(facts(jobs=calls, ended=NOW - 1.5, **flush)).stream_ahead == pytest.approx(0.5, rel=0.02)
    crowd = {**calls, (Lane.STREAM, State.RUNNING): 1}
    waits, runs = (Streaming(NOW - 1.0, 1.0),), (Streaming(NOW - 2.0, 1.0),)
    waiting = gather(facts(jobs=crowd, streams=waits, ended=NOW - 1.5, **flush))
    assert waiting.stream_ahead == pytest.approx(0.5 + 2.0 + 2.0, rel=0.02)  # that, its own, and the next call
    running = gather(facts(jobs=crowd, streams=runs, ended=NOW - 0.5, **flush))
    assert running.stream_ahead == pytest.approx(1.5 + 2.0, rel=0.02)
    queued = (Streaming(NOW - 0.5, 1.0, queued=True),)
    after = gather(facts(jobs=crowd, streams=queued, ended=NOW - 0.5, **flush))
    assert after.stream_ahead == pytest.approx(1.5 + 2.0 + 2.0, rel=0.02)


def test_a_drain_of_one_group_takes_nothing_of_its_neighbours() -> None:
    """What is due before that which a drain has begun, and has not begun itself, is held as before; any other flush
    takes it."""
    held = [Held(key=key, jobs=5, size=1.0, deadline=NOW + key, since=NOW - 9, delay_cost=0.0) for key in (1, 2, 3)]
    running = {(Lane.BATCH, State.RUNNING): 1}
    drained = gather(facts(jobs=running, flush=(NOW - 5, 5), held=held, begun=frozenset({2})))
    assert ([each.key for each in drained.flushing], [each.key for each in drained.held]) == ([2], [1, 3])
    flushed = gather(facts(jobs=running, flush=(NOW - 5, 5), held=held))
    assert [each.key for each in flushed.flushing] == [1]
