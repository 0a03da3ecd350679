"""What a plan is tried on: held work, the world around it, and two prices."""

import math

from hybridq.brain.conditions import Conditions
from hybridq.brain.plan import Plan
from hybridq.config.values import PolicyConfig
from hybridq.job import Flush, Held
from hybridq.sentences import sentence
from tests.support.judge import Ideal, Steps

NOON = 1_795_867_200.0  # 12:00 UTC
HOUR = 3600.0
FLAT = Steps(((0.0, 1.0),))
CHEAP_LATER = Steps(((0.0, 1.0), (NOON + 4 * HOUR, 0.5), (NOON + 8 * HOUR, 1.0)))


def held(key: int = 1, **changes: object) -> Held:
    """Ten jobs of cost 1 each, accepted now, without deadline, whose waiting is free."""
    fields = {"jobs": 10, "size": 1.0, "deadline": math.inf, "since": NOON, "delay_cost": 0.0} | changes
    return Held(key=key, **fields)  # type: ignore[arg-type]


def joining(seconds: float, first: float = NOON) -> dict[str, object]:
    """Conditions in which a submission came each so many seconds until `first`."""
    return {"joining": 1 / seconds, "joined": tuple(first - seconds * before for before in range(64))}


def conditions(**changes: object) -> Conditions:
    fields = {"now": NOON, "tariff": CHEAP_LATER, "policy": PolicyConfig(), "estimate": Ideal(1.0)} | changes
    return Conditions(**fields)  # type: ignore[arg-type]


def only(plan_: Plan) -> Flush:
    flushes = (*plan_.due, *plan_.later)
    assert len(flushes) == 1, flushes
    return flushes[0]


def told(flush: Flush) -> str:
    """Why it is run then, in a sentence of noon."""
    return sentence(flush.reason, NOON)
