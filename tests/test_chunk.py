"""The chunk's size: as many jobs as a person may wait for, found out from the first chunk on."""

import pytest

from hybridq.brain.chunk import FIRST, STEP, ChunkSize


def test_it_doubles_while_it_is_far_too_small() -> None:
    """A chunk that takes a small part of the target is followed by one of twice the size, up to the limit."""
    chunk = ChunkSize(0.5, 20)
    sizes = []
    for _ in range(4):
        sizes.append(chunk.size)
        chunk.took(0.001, chunk.size)
    assert sizes == [FIRST, 2 * FIRST, 4 * FIRST, 20]


def test_it_grows_by_steps_and_shrinks_by_half() -> None:
    """Near the target it grows by a step; beyond it, it is halved, and never below one."""
    chunk = ChunkSize(0.5, 1000)
    chunk.took(0.1, chunk.size)
    assert chunk.size == FIRST + min(STEP, 4 * FIRST)
    for _ in range(10):
        chunk.took(0.6 * chunk.size, chunk.size)
    assert chunk.size == 1


def test_a_call_that_takes_long_however_few_jobs_it_has_gets_many() -> None:
    """A smaller chunk would keep nobody shorter: it grows while that is so, and no further once each job counts."""
    chunk = ChunkSize(0.5, 1000)
    for _ in range(40):
        chunk.took(0.6, chunk.size)
    assert chunk.size > 50
    for _ in range(40):
        chunk.took(0.6 * chunk.size, chunk.size)
    assert chunk.size <= 2


def test_two_that_were_handed_over_together_count_as_one() -> None:
    """Both are a little too long: the next one is half of them, not a quarter."""
    chunk = ChunkSize(0.5, 1000, each=0.05)
    chunk.size = 10
    chunk.took(0.51, 10)
    chunk.took(0.51, 10)
    assert chunk.size == 5


def test_it_grows_only_as_far_as_a_person_may_wait() -> None:
    """Jobs of 0.3 s that are done one by one are handed over one or two at a time; where most of a call's 0.4 s is the
    same for any number of jobs, it finds out that many fit."""
    slow, together = ChunkSize(0.5, 1000, each=0.3), ChunkSize(0.5, 1000, each=0.42)
    sizes = []
    for _ in range(30):
        slow.took(0.3 * slow.size, slow.size)
        together.took(0.4 + 0.01 * together.size, together.size)
        sizes.append((slow.size, together.size))
    assert max(size for size, _ in sizes) == 2
    assert max(size for _, size in sizes) >= 9


@pytest.mark.parametrize(("each", "first"), [(None, FIRST), (0.01, FIRST), (0.2, 2), (0.5, 1), (600.0, 1)])
def test_the_first_keeps_to_the_target(each: float | None, first: int) -> None:
    """Where it is known how long a job takes, nobody waits for the first chunk longer than for the next ones."""
    assert ChunkSize(0.5, 1000, each=each).size == first


def test_a_configured_size_stays() -> None:
    """What the user set is never changed, whatever it takes."""
    chunk = ChunkSize(0.5, 1000, 7, each=600.0)
    chunk.took(60.0, 7)
    assert chunk.size == 7


def test_a_short_last_chunk_teaches_only_that_it_was_slow() -> None:
    """The rest of a flush says nothing about larger chunks, unless even it took too long."""
    chunk = ChunkSize(0.5, 1000)
    chunk.took(0.001, 1)
    assert chunk.size == FIRST
    chunk.took(0.6, 2)
    assert chunk.size == 1


def test_where_each_chunk_starts_anew_its_work_may_take_as_long_as_the_start() -> None:
    """A start of four seconds is shared by jobs of four seconds, from the first chunk on where both are known."""
    assert ChunkSize(0.5, 1000, each=0.2, start=4.0).size == 20
    chunk = ChunkSize(0.5, 1000)
    chunk.took(0.8, chunk.size, 4.0)
    assert chunk.size == FIRST + min(STEP, 4 * FIRST)
    chunk.took(4.5, chunk.size, 4.0)
    assert chunk.size == (FIRST + STEP) // 2
