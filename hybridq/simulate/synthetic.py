"""A workload that nobody had, but somebody might: office days, quiet nights, and bursts of documents.

Rule: drawn from its seed alone, so that the same seed is the same workload on every machine.
"""

import math
import random
from collections.abc import Iterator
from itertools import chain

from ..job import Audience
from .arrivals import Arrival, Arrivals
from .workload import MONDAY, Workload

DAY = 86400.0
PEOPLE = 1500.0  # questions that people ask a day, most of them at office hours
FEED = 900.0  # documents a day that come one by one, at any hour
BURSTS = 6.0  # a day, when somebody hands in a folder
BURST = 60.0  # documents of one, in the mean
DEADLINES = (900.0, 3600.0, 14400.0, 86400.0, None, None)  # seconds; every third has none
BUSIEST = 3.0  # how much more than in the mean of the day comes at its busiest hour


def synthetic(days: float, seed: int) -> Workload:
    """`days` days from a Monday on, drawn from `seed`."""
    chance = random.Random(seed)  # noqa: S311 - a draw, no secret
    found = Arrivals(chain(_asked(days, chance), _fed(days, chance), _handed_in(days, chance)))
    return Workload(found.ordered(), f"synthetic office, {days:g} days")


def _asked(days: float, chance: random.Random) -> Iterator[Arrival]:
    """Questions of people: by the hour of the day, seldom at weekends."""
    for at in _poisson(days, PEOPLE * BUSIEST, chance):
        if chance.random() < _awake(at) / BUSIEST:
            size, output = chance.lognormvariate(6.2, 0.9), chance.lognormvariate(4.8, 0.8)
            yield Arrival(at=at, size=size, output=output, audience=Audience.USER)


def _fed(days: float, chance: random.Random) -> Iterator[Arrival]:
    for at in _poisson(days, FEED, chance):
        yield _document(at, chance.choice(DEADLINES), chance)


def _handed_in(days: float, chance: random.Random) -> Iterator[Arrival]:
    """Bursts: their sizes have a long tail, and all of one is due at once."""
    for number, at in enumerate(_poisson(days, BURSTS, chance), 1):
        by, jobs = chance.choice(DEADLINES), math.ceil(chance.lognormvariate(math.log(BURST) - 0.5, 1.0))
        for _ in range(jobs):
            yield _document(at, by, chance, f"folder {number}")


def _document(at: float, by: float | None, chance: random.Random, group: str = "") -> Arrival:
    size, output = chance.lognormvariate(7.0, 0.7), chance.lognormvariate(5.0, 0.5)
    deadline = None if by is None else at + by
    return Arrival(at=at, size=size, output=output, audience=Audience.BACKGROUND, deadline=deadline, group=group)


def _poisson(days: float, a_day: float, chance: random.Random) -> Iterator[float]:
    """Instants of a Poisson process."""
    at = chance.expovariate(a_day / DAY)
    while at < days * DAY:
        yield MONDAY + at
        at += chance.expovariate(a_day / DAY)


def _awake(at: float) -> float:
    """How many ask then, of the day's mean: BUSIEST at two in the afternoon, next to none at night."""
    hour, weekday = at % DAY / 3600, (at - MONDAY) // DAY % 7
    return BUSIEST * math.exp(-(((hour - 14) / 4) ** 2)) * (0.2 if weekday >= 5 else 1.0)
