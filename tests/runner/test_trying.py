"""When a flush makes a call of one job to find out what sharing saves, and what it costs."""

from hybridq.brain.trials import AT_FIRST, CLEAR, KEPT, SPENT
from hybridq.runner.trying import ROW, Trying


def spent(known: int, alone: float, seconds: float, calls: int) -> tuple[float, int]:
    """The share of the time that calls of one job took, among shared ones of so many seconds; and what they told."""
    trying, single, told = Trying([(alone, alone / 8)] * known, []), 0.0, 0
    for _ in range(calls):
        if trying.due():
            single += alone
            trying.took(alone, 1)
        else:
            told += len(trying.took(seconds, 50))
    return single / (single + seconds * calls), told


def test_trials_cost_next_to_nothing() -> None:
    """Once enough are known, no more than their part of the time; until then a little more."""
    assert 0 < spent(KEPT, 0.005, 0.1, 2000)[0] <= SPENT
    share, told = spent(0, 0.005, 0.1, 100)
    assert share <= AT_FIRST
    assert told >= KEPT


def test_dear_calls_are_tried_rarely() -> None:
    """A call of a second beside shared ones of two: none in ten seconds, once what they take is known."""
    assert spent(CLEAR, 1.0, 2.0, 5) == (0.0, 0)


def test_neither_the_first_of_a_row_tells_nor_the_last() -> None:
    """Beside them results of a large call are stored, or one is claimed: a streamed job would not meet that."""
    trying = Trying([], [0.004] * 8)
    trying.took(0.5, 100)
    row = [trying.due() for _ in range(ROW)]
    for seconds in [0.05, *[0.004] * (ROW - 2), 0.05]:
        assert trying.took(seconds, 1) == []
    assert all(row)
    assert trying.took(0.2 + 0.004, 101) == [(0.004, 0.002)] * (ROW - 2)
    assert trying.took(0.2, 100) == []


def test_long_calls_tell_at_once() -> None:
    """What a call of a quarter of a second takes no other work changes: of the streamed jobs of late the last ones are
    trials as well, and one call tells."""
    trying = Trying([], [0.02, 0.255, 0.255, 0.255])
    assert trying.took(0.35, 20) == [(0.255, 0.005)] * CLEAR
    trying.took(0.255, 1)
    assert trying.took(0.35, 20) == [(0.255, 0.005)]
