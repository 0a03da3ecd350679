"""The flush plan against the judge: the exact optimum of small cases, the lower bound of long ones."""

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hybridq.brain.conditions import Conditions
from hybridq.brain.plan import plan
from hybridq.config.values import PolicyConfig
from hybridq.job import Held

from ..support.judge import Case, Ideal, Item, Steps, busy_week, lower_bound, optimum, run, small_case

cases = st.builds(lambda seed, delay: small_case(random.Random(seed), delay=delay), st.integers(0), st.booleans())


@settings(max_examples=150, deadline=None)
@given(cases)
def test_never_better_than_the_optimum_and_never_late(case: Case) -> None:
    """Seeing only the past, the plan keeps every latest start and stays within three times the optimum."""
    best = optimum(case)
    spent = run(case, PolicyConfig())
    assert best * (1 - 1e-9) <= spent <= 3 * best


def test_random_cases_without_delay() -> None:
    """Over random cases without cost of delay: worst 1.9, mean 1.005 (the full hundred thousand: the benchmark)."""
    source = random.Random(7)
    cases = [small_case(source, delay=False) for _ in range(2000)]
    ratios = [run(case, PolicyConfig()) / optimum(case) for case in cases]
    assert max(ratios) <= 1.9
    assert sum(ratios) / len(ratios) <= 1.005


def test_random_cases_with_delay() -> None:
    """Over random cases with cost of delay: worst 2.5, mean 1.08."""
    source = random.Random(8)
    cases = [small_case(source, delay=True) for _ in range(2000)]
    ratios = [run(case, PolicyConfig(), forecast=False) / optimum(case) for case in cases]
    assert max(ratios) <= 2.5
    assert sum(ratios) / len(ratios) <= 1.08


@settings(max_examples=60, deadline=None)
@given(cases)
def test_lower_bound_is_below_the_optimum(case: Case) -> None:
    """The linear relaxation never claims more than the enumerated optimum."""
    assert lower_bound(case) <= optimum(case) * (1 + 1e-4)


@settings(max_examples=100, deadline=None)
@given(st.integers(0))
def test_free_starts_make_the_exact_optimum(seed: int) -> None:
    """With F = 0 and no cost of delay every job runs at its own cheapest instant."""
    case = small_case(random.Random(seed), delay=False)
    free = Case(case.tariff, case.items, 0.0)
    assert run(free, PolicyConfig()) == pytest.approx(optimum(free))


@settings(max_examples=100, deadline=None)
@given(st.integers(0))
def test_flat_price_makes_the_exact_optimum(seed: int) -> None:
    """With a flat price and no cost of delay, flushing all at the first latest start is optimal."""
    case = small_case(random.Random(seed), delay=False)
    flat = Case(Steps(((0.0, 1.0),)), case.items, case.fixed)
    assert run(flat, PolicyConfig()) == pytest.approx(optimum(flat))


@settings(max_examples=100, deadline=None)
@given(st.integers(0))
def test_known_work_is_planned_exactly(seed: int) -> None:
    """When all is there at once, nothing is due yet and waiting is free, the plan costs what the optimum costs."""
    case = small_case(random.Random(seed), delay=False)
    items = tuple(Item(0.0, item.latest, item.cost) for item in case.items)
    case = Case(case.tariff, items, case.fixed)
    planned = plan(
        [
            Held(key=i, jobs=1, size=item.cost, deadline=item.latest, since=0.0, delay_cost=0.0)
            for i, item in enumerate(items)
        ],
        Conditions(now=0.0, tariff=case.tariff, policy=PolicyConfig(), estimate=Ideal(case.fixed)),
    )
    assume(not any(f.rule == "deadline" for f in planned.due))
    flushes = (*planned.due, *planned.later)
    spent = sum(case.fixed + sum(items[k].cost * case.tariff.factor(f.at) for k in f.keys) for f in flushes)
    assert spent == pytest.approx(optimum(case))


@pytest.mark.parametrize("fixed", [0.1, 1.0, 10.0, 50.0])
def test_long_workload_is_near_its_lower_bound(fixed: float) -> None:
    """Five hundred jobs over three days cost at most 1.03 times the linear-programming bound, none late."""
    case = busy_week(random.Random(5), 500, 3, fixed)
    assert run(case, PolicyConfig(hold=1e9)) <= 1.03 * lower_bound(case)
