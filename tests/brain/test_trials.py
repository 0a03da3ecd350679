"""What sharing calls is said to save, by calls of one job beside shared ones."""

import math
import random

import pytest

from hybridq.brain.estimate import Estimate, Model
from hybridq.brain.lessons import taught
from hybridq.brain.trials import CLEAR, KEPT, Trial, gain, kept, trial
from hybridq.config.values import HandlerConfig


def drawn(number: int, alone: float, shared: float, spread: float, seed: int = 1) -> list[Trial]:
    """So many trials of times that stray by so much, as a logarithm."""
    chance = random.Random(seed)
    return [(alone * math.exp(chance.gauss(0, spread)), shared) for _ in range(number)]


def test_a_trial_tells_a_call_from_its_jobs() -> None:
    """A call takes 250 ms and each job 5: one job 255 ms, twenty of them 350, and one more 5."""
    assert trial(0.255, 0.35, 20) == (pytest.approx(0.255), pytest.approx(0.005))


def test_what_a_call_takes_is_what_sharing_it_saves() -> None:
    """Calls of 4 ms, each job 2.4 ms: the gain is the difference, whatever a few odd ones took."""
    trials = [*drawn(KEPT - 2, 0.004, 0.0024, 0.1), (0.08, 0.0024), (0.05, 0.0024)]
    assert gain(trials) == pytest.approx(0.0016, rel=0.15)


@pytest.mark.parametrize(("spread", "says"), [(0.05, 0.0), (0.8, None)], ids=["steady", "noisy"])
def test_what_chance_would_tell_as_well_is_no_saving(spread: float, says: float | None) -> None:
    """Of handlers whose jobs take the same in both, one in ten at most is said to save or to lose, and little: of
    steady ones it is known that they do not, of noisy ones it is not known."""
    mean = 0.02 * math.exp(spread**2 / 2)
    claims = [gain(drawn(KEPT, 0.02, mean, spread, seed)) for seed in range(200)]
    assert sum(claim != says for claim in claims) <= 20
    assert sum(abs(claim or 0.0) for claim in claims) / 200 <= 0.02 * mean


def test_a_small_saving_is_not_told_as_none() -> None:
    """Of jobs that take a twenty-fifth more by themselves, and stray three times as far, it is told, or not known."""
    claims = [gain(drawn(KEPT, 0.0416, 0.04, 0.13, seed)) for seed in range(200)]
    assert sum(claim == 0.0 for claim in claims) <= 10


def test_a_loss_is_told_as_one() -> None:
    """Jobs that take longer in a shared call have lost that."""
    assert gain(drawn(KEPT, 0.02, 0.03, 0.1)) == pytest.approx(-0.01, rel=0.1)


def test_too_few_tell_nothing() -> None:
    """Under load a few calls may take three times as long by chance: more are needed, unless each took many times as
    long."""
    assert gain(drawn(KEPT - 1, 0.008, 0.0024, 0.3)) is None
    assert gain(drawn(CLEAR, 0.255, 0.005, 0.1)) == pytest.approx(0.25, rel=0.2)
    assert gain(drawn(CLEAR - 1, 0.255, 0.005, 0.1)) is None


def test_the_newest_are_kept() -> None:
    """No number tells nothing."""
    old = kept((), drawn(KEPT, 1.0, 1.0, 0.1))
    assert kept(old, [(3.0, 1.0), (math.nan, 1.0)]) == (*old[1:], (3.0, 1.0))


def test_an_estimate_tells_it_where_calls_are_shared() -> None:
    """Commands share no call, and a filter of lines is started for each."""
    model = taught(Model(), [], trials=drawn(KEPT, 0.25, 0.005, 0.0))
    assert Estimate(batch=model).gain == pytest.approx(0.245)
    assert Estimate().gain is None
    for alone in HandlerConfig(kind="shell"), HandlerConfig(protocol="lines"):
        assert Estimate(batch=model, handler=alone).gain == 0.0
