"""How fast a handler sends: its own limits, and pauses that all its calls share."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.handlers.llm.errors import retry_after
from hybridq.handlers.llm.ratelimit import FIRST_PAUSE, LAST_PAUSE, RateLimit


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sent_in(limit: RateLimit, clock: Clock, seconds: float, tokens: float = 0.0) -> int:
    """How many requests get through within so many seconds, each sent as soon as it may be."""
    end, sent = clock.now + seconds, 0
    while True:
        wait = limit.wait(tokens)
        if clock.now + wait >= end:
            return sent
        clock.now += wait
        limit.take(tokens)
        sent += 1


@given(st.floats(1, 600))
def test_requests_a_minute_are_kept(rate: float) -> None:
    """Over two minutes never more than the limit and a second's worth."""
    clock = Clock()
    assert sent_in(RateLimit(requests=rate, clock=clock), clock, 120) <= rate * 2 + max(1, rate / 60) + 1


def test_tokens_a_minute_are_kept() -> None:
    """Requests of 100 tokens under 6,000 a minute: one a second, after the first ten seconds' worth."""
    clock = Clock()
    assert 60 <= sent_in(RateLimit(tokens=6000, clock=clock), clock, 60, 100) <= 71


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    """It waits for a full bucket, not for ever, and those after it wait for what it took."""
    clock = Clock()
    limit = RateLimit(tokens=600, clock=clock)
    assert limit.wait(5000) == 0
    limit.take(5000)
    assert limit.wait(1) == pytest.approx((5000 - 100 + 1) / 10, rel=0.01)


def test_without_limits_nothing_waits() -> None:
    """No limit, no refusal: at once."""
    clock = Clock()
    limit = RateLimit(clock=clock)
    for _ in range(1000):
        assert limit.wait(1e9) == 0
        limit.take(1e9)


def test_a_pause_is_shared_and_ends_gently() -> None:
    """After Retry-After nothing goes for so long, then one at a time, and freely again once they succeed."""
    clock = Clock()
    limit = RateLimit(clock=clock)
    assert limit.slow(limit.take(0), 5.0) == 5.0
    clock.now += 5.0
    assert limit.wait() == 0
    limit.take(0)
    assert limit.wait() > 0
    for _ in range(10):
        limit.well()
    clock.now += 1
    limit.take(0)
    assert limit.wait() == 0


def test_pauses_grow_while_refusals_go_on() -> None:
    """Each refusal of a request that was sent after the last pause doubles it, up to a minute."""
    clock = Clock()
    limit = RateLimit(clock=clock)
    pauses = []
    for _ in range(9):
        clock.now += limit.wait()
        pauses.append(limit.slow(limit.take(0)))
        clock.now += 0.001
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], rel=0.2)
    assert max(pauses) == pytest.approx(LAST_PAUSE, rel=0.2)


def test_many_refusals_of_one_burst_count_once() -> None:
    """A hundred requests that were under way together: one pause, not a hundred doublings."""
    clock = Clock()
    limit = RateLimit(clock=clock)
    sent = [limit.take(0) for _ in range(100)]
    clock.now += 0.1
    assert max(limit.slow(each) for each in sent) == FIRST_PAUSE


def test_who_waits_is_served_in_order() -> None:
    """Calls are admitted first come, first served."""

    async def main() -> list[int]:
        limit, order = RateLimit(requests=6000), list[int]()

        async def ask(number: int) -> None:
            await limit.admit()
            order.append(number)

        await asyncio.gather(*(ask(number) for number in range(120)))
        return order

    assert asyncio.run(main()) == list(range(120))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """A number, milliseconds, a date; what is none of them or absurd says nothing."""
    assert retry_after(headers, datetime(2026, 11, 23, 10, 0, tzinfo=UTC)) == seconds
