"""After how long, and after what, a failed attempt is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from hybridq.brain.outcome import may_help, retry_delay, settle
from hybridq.job import Failure, State
from hybridq.queue.claims import Claim

CLAIM = Claim(id=7, attempt=1, tries=0, cohort=1, input=b"1")


def after(code: int | None, *codes: int, tries: int = 0) -> State:
    """What becomes of a job that may be tried three more times, after it ended so."""
    claim = Claim(id=7, attempt=1, tries=tries, cohort=1, input=b"1")
    return settle(Failure(7, 1, "x", exit_code=code), claim, retries=3, retry_on=codes, now=0.0).state


@given(st.floats(0.001, 1e6), st.integers(0, 1000), st.integers(0, 10**9))
def test_a_wait_is_doubled_and_never_shorter(backoff: float, tries: int, seed: int) -> None:
    """At least as long as was asked for, doubled each time up to an hour, and at most a quarter more."""
    whole = min(max(3600.0, backoff), backoff * 2.0 ** min(tries, 60))
    assert whole <= retry_delay(tries, backoff, seed) <= 1.25 * whole


def test_those_that_fail_together_do_not_come_back_together() -> None:
    """Each job has a wait of its own, the same whoever asks."""
    waits = [retry_delay(0, 30.0, job) for job in range(100)]
    assert len(set(waits)) == 100
    assert waits == [retry_delay(0, 30.0, job) for job in range(100)]
    assert max(waits) - min(waits) > 5


def test_without_a_wait_it_is_as_ever() -> None:
    """One second, then twice as long, up to five minutes."""
    assert [retry_delay(tries) for tries in (0, 1, 2, 20)] == [1, 2, 4, 300]


def test_only_the_codes_that_were_named_are_tried_again() -> None:
    """Any where none was; a signal by what a shell calls it; nothing without a code."""
    assert [after(75, 75, 101), after(3, 75, 101), after(None, 75), after(3)] == [
        "queued",
        "failed",
        "failed",
        "queued",
    ]
    assert (may_help(-9, (137,)), may_help(-9, (9,))) == (True, False)


def test_the_other_side_may_ask_for_more() -> None:
    """What a provider asks for counts where it is longer."""
    event = Failure(7, 1, "x", retry_after=600.0)
    assert settle(event, CLAIM, retries=3, backoff=30.0, now=0.0).ready == 600.0
