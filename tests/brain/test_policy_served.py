"""Whom a mode serves: drafts only for people, and batches for a person only where that is worth a second."""

import pytest
from msgspec.structs import replace

from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.policy import classify
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig
from hybridq.job import Decision, Held, Mode
from tests.support.deciding import HOUR, NOON, conditions, person, request, told

FLAT = Tariff(TariffConfig())
ALL = frozenset(Mode)
HELD = (Held(key=1, jobs=50, size=100, deadline=NOON + 1, since=NOON, delay_cost=0.001),)


def drafted(draft: float, final: float, asked: object = None, **changes: object) -> Decision:
    """What is decided where a draft takes `draft` seconds and the whole `final`."""
    small = conditions(draft, 0.0, tariff=FLAT)
    world = conditions(final, 0.0, modes=ALL, draft=small, tariff=FLAT, **changes)
    return classify(asked or person(), 1, 100, world)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("draft", "final", "mode"),
    [
        (0.2, 0.1, Mode.STREAM),  # the draft is slower than the whole
        (0.2, 0.9, Mode.STREAM),  # less than a second sooner
        (6.0, 10.0, Mode.STREAM),  # more than half of the time
        (600.0, 660.0, Mode.STREAM),  # ten minutes of draft
        (2.0, 30.0, Mode.ADAPTIVE),
        (60.0, 600.0, Mode.ADAPTIVE),
    ],
)
def test_a_draft_must_come_much_sooner(draft: float, final: float, mode: Mode) -> None:
    """A draft is made where it takes at most half of the time and is a second sooner, else all streams at once."""
    assert drafted(draft, final).mode is mode


def test_nobody_in_the_background_gets_a_draft() -> None:
    """However much sooner a draft would be, work that nobody waits for has none, though only it makes the deadline."""
    assert drafted(1.0, 600.0, request()).mode is not Mode.ADAPTIVE
    assert drafted(1.0, 600.0, request(deadline=NOON + 60)).mode is not Mode.ADAPTIVE
    assert drafted(1.0, 600.0, request(mode=Mode.ADAPTIVE)).mode is Mode.ADAPTIVE


def test_the_reason_of_a_draft_has_its_seconds() -> None:
    """Of a draft the reason names both times, of one that is not made too."""
    assert told(drafted(2.0, 30.0).reason) == ("runs now: a draft takes 2s, streaming 30s; you are waiting (terminal)")


def test_a_final_is_waited_for_at_the_price_of_background_work() -> None:
    """After the draft nobody waits: the rest until the final costs what background work costs, not nothing."""
    small = conditions(1.0, 0.0, tariff=FLAT)
    world = conditions(100.0, 0.0, modes=ALL, draft=small, tariff=FLAT, batch_ahead=HOUR)
    _, _, adaptive = classify(person(), 1, 100, world).considered
    assert adaptive.delay == pytest.approx(30 * 0.5 / HOUR + 0.001 * (HOUR + 100 - 1) / HOUR, rel=0.01)


def test_a_person_is_not_batched_for_next_to_nothing() -> None:
    """Beside others a batch would save a little of a cent: whoever waits runs now all the same, and is told so;
    a minute behind others the batch is taken."""
    quick = learn_many(Model(), [Observation(size=100, busy=0.5)] * 10)
    known = Estimate(quick, quick, HandlerConfig(fixed=0.5))
    beside = conditions(estimate=known, tariff=FLAT, held=HELD)
    assert classify(person(), 1, 100, beside).mode is Mode.STREAM
    behind = conditions(estimate=known, tariff=FLAT, stream_ahead=60.0)
    assert classify(person(), 1, 100, behind).mode is Mode.BATCH


def test_what_a_second_is_worth_is_what_a_batch_must_save() -> None:
    """The same saving sends whoever waits to the batch lane once a second of waiting is worth less than it."""
    world = {"estimate": Estimate(None, None, HandlerConfig(expected=1.0, fixed=2.0)), "tariff": FLAT, "held": HELD}
    dear, near, cheap = (
        classify(person(), 1, 100, conditions(policy=PolicyConfig(user_delay_cost=cost), **world))
        for cost in (30.0, 0.076, 0.01)
    )
    assert (dear.mode, near.mode, cheap.mode) == (Mode.STREAM, Mode.STREAM, Mode.BATCH)
    assert told(near.reason).startswith("runs now: you are waiting (terminal); a batch saves only 0.0005")


def test_a_final_counts_its_draft() -> None:
    """A final of two seconds after a draft of one is there in three, not in two; one that is held stays as it is."""
    small = conditions(1.0, 0.0)
    world = conditions(2.0, 0.0, modes=ALL, draft=small, tariff=FLAT)
    (found,) = [f for f in classify(person(), 1, 100, world).considered if f.mode is Mode.ADAPTIVE]
    assert (found.first or 0) - NOON == pytest.approx(1.0, rel=0.01)
    assert (found.finish or 0) - NOON == pytest.approx(3.0, rel=0.01)
    later = replace(world, batch_ahead=60.0)
    (found,) = [f for f in classify(person(), 1, 100, later).considered if f.mode is Mode.ADAPTIVE]
    assert (found.finish or 0) - NOON == pytest.approx(62.0, rel=0.01)
