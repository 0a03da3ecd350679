"""What is learned of run times from answers that come one by one, or together."""

import pytest

from hybridq.brain.lessons import Bursts
from hybridq.brain.model import SAMPLE, Observation


def learned(bunches: Bursts, *busy: float, startup: float | None = None) -> list[Observation]:
    """Of jobs of sizes 1, 2, 3 and so on, which cost as much."""
    told = []
    for number, seconds in enumerate(busy, 1):
        told += bunches.hear(number, seconds, float(number), startup if number == 1 else None)
    return told + bunches.told()


@pytest.mark.parametrize("busy", [(0.5, 0.5, 0.5, 0.5), (1.9985, 0.0005, 0.0005, 0.0005), (1.0, 1.0, 1e-4, 2e-4)])
def test_what_comes_together_took_its_time_together(busy: tuple[float, ...]) -> None:
    """Read at once, or a line shortly after the other: none of them took no time."""
    told = learned(Bursts(4), *busy)
    assert [each.busy for each in told] == pytest.approx([sum(busy) / 4] * 4)
    assert [(each.size, each.cost, each.together) for each in told] == [(n, n, 4) for n in (1.0, 2.0, 3.0, 4.0)]


def test_what_comes_one_by_one_is_told_apart() -> None:
    """Each job has its own time, as soon as the next one has come."""
    bunches = Bursts(3)
    assert bunches.hear(1, 0.3, None, None) == []
    (first,) = bunches.hear(2, 0.9, None, None)
    assert first.busy == 0.3
    assert [each.busy for each in bunches.hear(3, 0.2, None, None) + bunches.told()] == [0.9, 0.2]
    assert bunches.told() == []


def test_the_first_answers_after_a_start_are_one() -> None:
    """They share what was loaded at the first call; what comes later by itself does not."""
    start, later = learned(Bursts(4), 3.0, 3.0, 0.001, 1.0, startup=2.0)
    assert (start.startup, start.jobs, start.busy, start.size) == (2.0, 3, pytest.approx(6.001 / 3), 2.0)
    assert (later.startup, later.busy) == (None, 1.0)


@pytest.mark.parametrize("together", [True, False])
def test_of_many_some_are_learned(together: bool) -> None:
    """Evenly spread, as many as a model takes of one chunk."""
    bunches = Bursts(10 * SAMPLE)
    told = learned(bunches, *[0.1 if together else 0.1 + number / 1000 for number in range(10 * SAMPLE)])
    assert SAMPLE * 0.8 <= len(told) <= SAMPLE
    assert max(each.size for each in told) - min(each.size for each in told) > 8 * SAMPLE
