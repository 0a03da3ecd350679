"""What the plan is held against: the exact optimum of small cases, and a lower bound for large ones.

Both know the future, which the plan does not. A case is prices as steps, jobs that arrive, and a fixed cost;
running a flush takes no time, so that `latest` is a job's deadline.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, identity

from hybridq.brain.arrivals import ARRIVALS
from hybridq.brain.calls import NONE, Overhead
from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Estimate, Model
from hybridq.brain.plan import Plan, plan
from hybridq.config.values import PolicyConfig
from hybridq.job import Held, Lane


@dataclass(frozen=True)
class Steps:
    """A tariff of given steps `(instant, factor)`, the first at 0 or before."""

    steps: tuple[tuple[float, float], ...]
    at: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(at for at, _ in self.steps))

    def factor(self, at: float) -> float:
        return self.steps[max(0, bisect_right(self.at, at) - 1)][1]

    def name(self, at: float) -> str:
        return ""

    def changes(self, after: float, until: float) -> list[tuple[float, float]]:
        return list(self.steps[max(1, bisect_right(self.at, after)) : bisect_right(self.at, until)])


class Ideal(Estimate):
    """Without doubt: a job of size x costs x and takes no time; a flush costs `fixed`, its calls have an `overhead`."""

    def __init__(self, fixed: float, overhead: Overhead = NONE) -> None:
        super().__init__(batch=Model(overhead=overhead))
        self._fixed = fixed

    def cost(self, lane: Lane, size: float) -> float:
        return size

    def run_time(self, lane: Lane, size: float, q: float = 0.5) -> float:
        return 0.0

    def mean_time(self, lane: Lane, size: float) -> float:
        return 0.0

    def total_time(self, lane: Lane, size: float, jobs: int, q: float = 0.5) -> float:
        return 0.0

    def fixed_cost(self) -> float:
        return self._fixed


@dataclass(frozen=True)
class Item:
    """One job: seconds at which it comes and at which it must start, money it costs, money a second it waits."""

    arrival: float
    latest: float
    cost: float
    delay: float = 0.0


@dataclass(frozen=True)
class Case:
    """Everything about one run: known in advance to the judge, as it happens to the plan."""

    tariff: Steps
    items: tuple[Item, ...]
    fixed: float


def optimum(case: Case) -> float:
    """The least cost of all, by trying every set of flush instants.

    An optimal flush can be moved earlier, at no more cost, until a job of it arrives or the price before
    would be dearer; so arrivals and starts of cheaper prices are all the candidates there are.
    """
    items = case.items
    best = np.full((1, len(items)), math.inf)
    count = np.zeros(1)
    for at in _earlier(case):
        price = case.tariff.factor(at)
        row = [i.cost * price + i.delay * (at - i.arrival) if i.arrival <= at <= i.latest else math.inf for i in items]
        best = np.concatenate([best, np.minimum(best, row)])
        count = np.concatenate([count, count + 1])
    return float((best.sum(axis=1) + count * case.fixed).min())


def run(case: Case, policy: PolicyConfig, decide: Callable[..., Plan] = plan, *, forecast: bool = True) -> float:
    """What the plan makes of a case that it sees only as it happens; with `forecast` it is told who came of late."""
    pending: dict[int, Held] = {}
    ahead = sorted(range(len(case.items)), key=lambda i: case.items[i].arrival)
    estimate, spent, now, look = Ideal(case.fixed), 0.0, 0.0, None
    while ahead or pending:
        arrival = case.items[ahead[0]].arrival if ahead else math.inf
        now = max(now, min(arrival, math.inf if look is None else look))
        while ahead and case.items[ahead[0]].arrival <= now:
            i = ahead.pop(0)
            pending[i] = _held(i, case.items[i])
        came = [item.arrival for item in case.items if item.arrival <= now]
        held = tuple(pending.values())
        conditions = Conditions(
            now=now,
            tariff=case.tariff,
            policy=policy,
            estimate=estimate,
            joined=_joined(came, min((each.since for each in held), default=now)) if forecast else None,
        )
        planned = decide(held, conditions)
        for flush in planned.due:
            spent += case.fixed
            for key in flush.keys:
                item = case.items[key]
                if now > item.latest + 1:
                    raise AssertionError(f"flushed at {now}, after its latest start {item.latest}")
                spent += item.cost * case.tariff.factor(now) + item.delay * (now - item.arrival)
                del pending[key]
        look = now if planned.due and pending else planned.look
    return spent


def _joined(came: Sequence[float], first: float) -> tuple[float, ...]:
    """As a runner tells it: the last that had come when the first of what is held came."""
    return tuple(came[: bisect_right(came, first)][-ARRIVALS:])


def _held(key: int, item: Item) -> Held:
    return Held(
        key=key,
        jobs=1,
        size=item.cost,
        deadline=item.latest,
        since=item.arrival,
        delay_cost=item.delay * 3600,
    )


def small_case(random: random.Random, *, delay: bool) -> Case:
    """A random case: prices of 1-4 levels, up to seven jobs, a fixed cost of 0.1-30 mean jobs."""
    horizon = 86400.0
    levels = [random.uniform(0.1, 2.0) for _ in range(random.randint(1, 4))]
    changes = sorted(random.uniform(0, horizon) for _ in range(random.randint(0, 5)))
    tariff = Steps(_distinct([(float(int(at)), random.choice(levels)) for at in [0.0, *changes]]))
    mean = random.choice([0.05, 0.2, 1.0]) * horizon
    spread = random.choice([0.01, 0.3, 1.0]) * horizon
    begin = random.uniform(0, horizon - spread)
    items = []
    weight = math.exp(random.uniform(math.log(0.01), math.log(30.0))) / horizon if delay else 0.0
    for _ in range(random.randint(1, 7)):
        arrival = float(int(begin + random.uniform(0, spread)))
        cost = random.lognormvariate(0.0, 0.7)
        latest = arrival + float(int(random.expovariate(1 / mean)))
        items.append(Item(arrival, latest, cost, weight * random.lognormvariate(0.0, 0.7)))
    average = sum(item.cost for item in items) / len(items)
    fixed = average * math.exp(random.uniform(math.log(0.1), math.log(30.0)))
    return Case(tariff, tuple(items), fixed)


def _distinct(steps: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Steps that really change, one an instant."""
    kept: list[tuple[float, float]] = []
    for at, factor in dict(steps).items():
        if not kept or kept[-1][1] != factor:
            kept.append((at, factor))
    return tuple(kept)


def lower_bound(case: Case) -> float:
    """A cost that no plan can go below: the linear relaxation of choosing flush instants.

    Without cost of delay a flush can as well be moved later, to a latest start or to the last instant of a
    price; with it earlier, to an arrival or the start of a price. The fewer candidates, the sooner solved.
    """
    instants = np.array(_later(case) if all(i.delay == 0 for i in case.items) else _earlier(case))
    price = np.array([case.tariff.factor(at) for at in instants])
    m, rows, columns, costs = len(instants), [], [], []
    for row, item in enumerate(case.items):
        able = np.flatnonzero((instants >= item.arrival) & (instants <= item.latest))
        rows += [row] * len(able)
        columns += able.tolist()
        costs += (item.cost * price[able] + item.delay * (instants[able] - item.arrival)).tolist()
    n, one = len(rows), np.ones(len(rows))
    served = csr_matrix((one, (rows, range(m, m + n))), shape=(len(case.items), m + n))
    opened = hstack([csr_matrix((-one, (range(n), columns)), shape=(n, m)), identity(n)], format="csr")
    objective = np.concatenate([np.full(m, case.fixed), np.array(costs)])
    found = linprog(
        objective,
        A_ub=opened,
        b_ub=np.zeros(n),
        A_eq=served,
        b_eq=np.ones(len(case.items)),
        bounds=(0, None),
        method="highs",
    )
    if not found.success:
        raise AssertionError(found.message)
    return float(found.fun)


def _earlier(case: Case) -> list[float]:
    steps = case.tariff.steps
    drops = {at for (_, before), (at, after) in pairwise(steps) if after < before}
    return sorted({item.arrival for item in case.items} | drops)


def _later(case: Case) -> list[float]:
    steps = case.tariff.steps
    rises = {at - 1e-3 for (_, before), (at, after) in pairwise(steps) if after > before}
    return sorted({item.latest for item in case.items} | rises)


def busy_week(random: random.Random, jobs: int, days: float, fixed: float) -> Case:
    """Jobs of four deadlines under a tariff that doubles from 01 to 04 and from 06 to 10 o'clock.

    `fixed` is in mean jobs. Arrivals come in bursts by the hour, sizes are log-normal.
    """
    hours = [random.lognormvariate(0, 0.8) for _ in range(int(24 * days))]
    items = []
    for hour in random.choices(range(len(hours)), hours, k=jobs):
        arrival = (hour + random.random()) * 3600
        latest = arrival + random.choice([900, 3600, 14400, 86400])
        items.append(Item(arrival, latest, random.lognormvariate(0, 1.0)))
    edges = [(0, 1.0), (1, 2.0), (4, 1.0), (6, 2.0), (10, 1.0)]
    steps = [((24 * day + hour) * 3600.0, factor) for day in range(int(days) + 2) for hour, factor in edges]
    average = sum(item.cost for item in items) / jobs
    return Case(Steps(_distinct(steps)), tuple(items), average * fixed)
