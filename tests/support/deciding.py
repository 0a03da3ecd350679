"""Builders of what the policy is asked: requests, and the world at one noon."""

from hybridq.brain.estimate import Estimate
from hybridq.brain.policy import Conditions
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.job import Audience, Request
from hybridq.reason import Reason
from hybridq.sentences import sentence

NOON = 1_795_867_200.0  # 12:00 UTC
HOUR = 3600.0
EVENING = Tariff(TariffConfig(window=(Window(start="22:00", end="06:00", factor=0.5, name="night"),)))


def request(audience: Audience = Audience.BACKGROUND, **changes: object) -> Request:
    return Request(handler="digest", audience=audience, signal="cron", **changes)  # type: ignore[arg-type]


def person(**changes: object) -> Request:
    return Request(handler="digest", audience=Audience.USER, signal="terminal", **changes)  # type: ignore[arg-type]


def conditions(expected: float | None = 10.0, fixed: float | None = 2.0, **changes: object) -> Conditions:
    fields: dict[str, object] = {
        "now": NOON,
        "tariff": EVENING,
        "policy": PolicyConfig(background_delay_cost=0.001),
        "estimate": Estimate(None, None, HandlerConfig(expected=expected, fixed=fixed)),
        "stream_slots": 4,
        "batch_slots": 2,
    }
    return Conditions(**(fields | changes))  # type: ignore[arg-type]


def told(reason: Reason | None) -> str:
    """The sentence at noon, as `explain` tells it."""
    return sentence(reason, NOON, long=True)
