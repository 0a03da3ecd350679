"""Workloads that resemble nothing in particular and each other least: what promises and costs are tried on.

Each is drawn from its seed alone. Times are those of `Times`, unless a job says what keeps it busy.
"""

import math
import random
from collections.abc import Callable, Iterator

from hybridq.job import Audience
from hybridq.simulate.workload import MONDAY, Arrival, Workload

HOUR, DAY = 3600.0, 86400.0
SHORT = (900.0, 3600.0, 14400.0)
MIXED = (*SHORT, DAY, None)


def poisson(rate: Callable[[float], float], most: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """Instants within `seconds` at `rate(t)` a second, which is `most` at most."""
    at = chance.expovariate(most)
    while at < seconds:
        if chance.random() * most < rate(at):
            yield at
        at += chance.expovariate(most)


def job(
    at: float,
    chance: random.Random,
    *,
    people: float = 0.0,
    deadlines: tuple[float | None, ...] = (None,),
    busy: float | None = None,
    size: float | None = None,
    handler: str = "trace",
    group: str = "",
) -> Arrival:
    """One job; `busy` seconds in the median, a third more or less."""
    person, by = chance.random() < people, chance.choice(deadlines)
    took = None if busy is None else busy * chance.lognormvariate(0.0, 0.3)
    return Arrival(
        at=MONDAY + at,
        size=chance.lognormvariate(7, 0.8) if size is None else size,
        output=chance.lognormvariate(5, 0.3),
        audience=Audience.USER if person else Audience.BACKGROUND,
        deadline=None if by is None or person else MONDAY + at + by,
        busy=took,
        handler=handler,
        group=group,
    )


def steady(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 1 / 60, 1 / 60, 2 * DAY, chance):
        yield job(at, chance, people=0.2, deadlines=MIXED)


def bursts(chance: random.Random) -> Iterator[Arrival]:
    for number, at in enumerate(poisson(lambda t: 12 / DAY, 12 / DAY, 3 * DAY, chance)):
        by = chance.choice(MIXED)
        for _ in range(math.ceil(chance.lognormvariate(4, 1))):
            yield job(at, chance, deadlines=(by,), group=f"folder {number}")
    for at in poisson(lambda t: 1 / 120, 1 / 120, 3 * DAY, chance):
        yield job(at, chance, people=1.0)


def loose_bursts(chance: random.Random) -> Iterator[Arrival]:
    for start in poisson(lambda t: 1 / HOUR, 1 / HOUR, 2 * DAY, chance):
        for _ in range(chance.randint(5, 80)):
            yield job(start + chance.expovariate(1 / 20), chance, people=0.1, deadlines=SHORT)


def on_off(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 0.3 if t % 7200 < 1200 else 0.002, 0.3, 1.5 * DAY, chance):
        yield job(at, chance, people=0.2, deadlines=MIXED)


def diurnal(chance: random.Random) -> Iterator[Arrival]:
    """Two handlers: one by day, one at night."""
    for handler, peak, busy in (("day", 14, 3.0), ("night", 2, 20.0)):

        def rate(t: float, peak: int = peak) -> float:
            return 0.03 * math.exp(-((((t / HOUR - peak + 12) % 24 - 12) / 4) ** 2))

        for at in poisson(rate, 0.03, 3 * DAY, chance):
            yield job(at, chance, people=0.3, deadlines=MIXED, busy=busy, handler=handler)


def heavy(chance: random.Random) -> Iterator[Arrival]:
    """Sizes of a Pareto tail, and times in proportion."""
    for at in poisson(lambda t: 0.02, 0.02, 1.5 * DAY, chance):
        size = 300 * chance.paretovariate(1.2)
        yield job(at, chance, people=0.2, deadlines=MIXED, size=size, busy=min(600.0, size / 500))


def urgent(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 0.05, 0.05, DAY, chance):
        yield job(at, chance, people=0.1, deadlines=(120.0, 300.0, 900.0, 1800.0))


def ten_seconds(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 1 / 30, 1 / 30, 1.5 * DAY, chance):
        yield job(at, chance, people=0.2, deadlines=MIXED, busy=10.0)


def ten_minutes(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 1 / 400, 1 / 400, 4 * DAY, chance):
        yield job(at, chance, people=0.1, deadlines=(HOUR, 4 * HOUR, DAY, None), busy=600.0)


def background(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 0.1, 0.1, 1.5 * DAY, chance):
        yield job(at, chance)


def sparse(chance: random.Random) -> Iterator[Arrival]:
    for at in poisson(lambda t: 1 / 1200, 1 / 1200, 7 * DAY, chance):
        yield job(at, chance, people=0.3, deadlines=MIXED)


def slower(chance: random.Random) -> Iterator[Arrival]:
    """Twice as slow from the middle on."""
    for at in poisson(lambda t: 0.02, 0.02, 2 * DAY, chance):
        yield job(at, chance, people=0.3, deadlines=MIXED, busy=4.0 if at < DAY else 8.0)


ALL: tuple[Callable[[random.Random], Iterator[Arrival]], ...] = (
    steady,
    bursts,
    loose_bursts,
    on_off,
    diurnal,
    heavy,
    urgent,
    ten_seconds,
    ten_minutes,
    background,
    sparse,
    slower,
)


def workload(make: Callable[[random.Random], Iterator[Arrival]], seed: int) -> Workload:
    """One of them in the order of time."""
    return Workload(tuple(sorted(make(random.Random(seed)), key=lambda a: a.at)), make.__name__)
