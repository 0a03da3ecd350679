"""The chunk's size: as many jobs as a person may wait for, found out from the first chunk on."""

from random import Random
from statistics import median

import pytest

from hybridq.brain.calls import FIRST, ChunkSize, Overhead


def begun(each: float | None, start: float = 0.0, fixed: int = 0) -> ChunkSize:
    """For a flush of jobs that are known to take so long."""
    chunk = ChunkSize(0.5, 1000, fixed)
    chunk.begin(each, start)
    return chunk


def test_it_grows_fast_while_it_is_far_too_small() -> None:
    """A chunk that takes a small part of the target is followed by one of four times its size, up to the limit."""
    chunk = ChunkSize(0.5, 50)
    sizes = []
    for _ in range(5):
        sizes.append(chunk.size)
        chunk.took(0.001, chunk.size)
    assert sizes == [1, 4, 16, 50, 50]


def test_it_grows_by_steps_and_shrinks_by_half() -> None:
    """Near the target it grows by a step; beyond it, it is halved, and never below one."""
    chunk = begun(0.025)
    chunk.took(0.1, chunk.size)
    assert chunk.size == 4 * FIRST
    for _ in range(10):
        chunk.took(0.6 * chunk.size, chunk.size)
    assert chunk.size == 1


@pytest.mark.parametrize("each", [None, 5.05, 0.36])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_call_that_takes_long_however_few_jobs_it_has_gets_many(each: float | None, noise: float) -> None:
    """A model that takes 5 s for one and 0.05 s more for each further: as many as take those 5 s again, whatever was
    known before, and however calls vary."""
    random, chunk = Random(7), begun(each)
    sizes = []
    for _ in range(60):
        sizes.append(chunk.size)
        chunk.took(5 * random.lognormvariate(0, noise) + 0.05 * chunk.size, chunk.size)
    assert 50 <= median(sizes[20:]) <= 130


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
def test_jobs_that_are_done_one_by_one_are_handed_over_one_by_one(spread: float) -> None:
    """Each takes 2 s: more in one chunk save nothing, and one chunk in sixteen has two, to find out."""
    random, chunk = Random(7), ChunkSize(0.5, 1000)
    sizes = []
    for _ in range(640):
        sizes.append(chunk.size)
        chunk.took(sum(2 * random.lognormvariate(0, spread) for _ in range(chunk.size)), chunk.size)
    assert sum(size == 1 for size in sizes) >= 0.8 * len(sizes)
    assert sum(sizes) <= 1.3 * len(sizes)


def test_it_shrinks_once_each_job_counts() -> None:
    """What was found of a call that took long for any number is forgotten."""
    chunk = ChunkSize(0.5, 1000)
    for _ in range(40):
        chunk.took(0.6, chunk.size)
    assert chunk.size > 50
    for _ in range(40):
        chunk.took(0.6 * chunk.size, chunk.size)
    assert chunk.size <= 2


def test_the_next_flush_knows_what_the_last_one_found() -> None:
    """Its first chunks need not find out again what a call takes."""
    chunk = ChunkSize(0.5, 1000)
    for _ in range(40):
        chunk.took(5 + 0.05 * chunk.size, chunk.size)
    chunk.begin(0.05)
    assert chunk.size == 100
    assert chunk.overhead == Overhead(5.0, 100.0, 100)
    elsewhere = ChunkSize(0.5, 1000)
    elsewhere.begin(0.05, known=chunk.overhead)
    assert elsewhere.size == 100
    assert elsewhere.overhead == chunk.overhead


def test_a_flush_of_jobs_that_have_become_slow_begins_small() -> None:
    """What jobs of late took bounds the first chunk; and the halving of the last flush holds in the next."""
    chunk = ChunkSize(0.5, 1000)
    for _ in range(40):
        chunk.took(0.5 + 0.001 * chunk.size, chunk.size)
    assert chunk.size > 100
    chunk.begin(0.3)
    assert chunk.size <= 4
    chunk.begin(0.004)
    for _ in range(4):
        chunk.took(0.3 * chunk.size, chunk.size)
    chunk.begin(0.004)
    assert chunk.size <= 20


def test_what_was_found_is_forgotten_once_it_no_longer_holds() -> None:
    """Flushes of one size, each one chunk, whose jobs become five hundred times as slow: soon only one goes at a time,
    and a call has no part of its own any more."""
    chunk, most = ChunkSize(0.5, 1000), []
    for flush in range(60):
        chunk.begin(None if flush < 1 else (0.001 if flush < 22 else 0.5))
        left, sizes = 60, []
        while left:
            jobs = min(chunk.size, left)
            chunk.took(1 + jobs * (0.001 if flush < 20 else 0.5), jobs)
            left -= jobs
            sizes.append(jobs)
        most.append(max(sizes))
    assert most[19] == 60
    assert max(most[25:]) <= 4
    assert chunk.overhead.seconds <= 1.1


def test_two_that_were_handed_over_together_count_as_one() -> None:
    """Both are a little too long: the next one is half of them, not a quarter."""
    chunk = begun(0.05)
    chunk.size = 10
    chunk.took(0.51, 10)
    chunk.took(0.51, 10)
    assert chunk.size == 5


def test_it_grows_only_as_far_as_a_person_may_wait() -> None:
    """Jobs of 0.3 s that are done one by one are handed over one or two at a time; where most of a call's 0.2 s is the
    same for any number of jobs, as many as fit."""
    slow, together = begun(0.3), begun(0.21)
    sizes = []
    for _ in range(30):
        slow.took(0.3 * slow.size, slow.size)
        together.took(0.2 + 0.01 * together.size, together.size)
        sizes.append((slow.size, together.size))
    assert max(size for size, _ in sizes) == 2
    assert 24 <= max(size for _, size in sizes) <= 32


@pytest.mark.parametrize(("each", "first"), [(None, 1), (0.01, FIRST), (0.2, 2), (0.5, 1), (600.0, 1)])
def test_the_first_keeps_to_the_target(each: float | None, first: int) -> None:
    """Where it is known how long a job takes, nobody waits for the first chunk longer than for the next ones; where it
    is not, for one job at most."""
    assert begun(each).size == first


def test_a_configured_size_stays() -> None:
    """What the user set is never changed, whatever it takes."""
    chunk = begun(600.0, fixed=7)
    chunk.took(60.0, 7)
    assert chunk.size == 7


def test_a_short_last_chunk_teaches_only_that_it_was_slow() -> None:
    """The rest of a flush says nothing about larger chunks, unless even it took too long."""
    chunk = begun(0.01)
    chunk.took(0.001, 1)
    assert chunk.size == FIRST
    chunk.took(0.6, 2)
    assert chunk.size == 1


def test_where_each_chunk_starts_anew_its_work_may_take_as_long_as_the_start() -> None:
    """A start of four seconds is shared by jobs of four seconds, from the first chunk on where both are known."""
    assert begun(0.2, start=4.0).size == 20
    chunk = begun(0.01)
    chunk.took(0.8, chunk.size, 4.0)
    assert chunk.size == 4 * FIRST
    chunk.took(4.5, chunk.size, 4.0)
    assert chunk.size == 2 * FIRST
