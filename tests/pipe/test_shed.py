"""What cannot be answered in time becomes jobs, and each item has exactly one place."""

import subprocess

import pytest

from tests.support.building import until
from tests.support.user import Queue, inputs


def sums(queue: Queue) -> tuple[int, int, int, int, int]:
    """What the latest pipe has taken, answered, failed, shed and handed in."""
    sums = "SELECT taken, answered, failed, shed, handed FROM pipe ORDER BY id DESC LIMIT 1"
    return queue.rows(sums)[0]  # type: ignore[return-value]


@pytest.mark.parametrize("which", ["oldest", "newest"])
@pytest.mark.parametrize("more", [[], ["--volatile"], ["--unordered"]])
def test_a_burst_is_shed_and_adds_up(queue: Queue, which: str, more: list[str]) -> None:
    """Ten times what the worker can: every line was answered or is a job, none is both."""
    lines = [f"a{number}" for number in range(3000)]
    found = queue.run("pipe", "burst", "--within", "100ms", "--shed", which, *more, input="\n".join(lines))
    answered = [line.lower() for line in found.stdout.splitlines() if line]
    jobs = [str(each) for each in inputs(queue)]
    assert found.returncode == 0, found.stderr
    assert sorted(answered + jobs) == sorted(lines)
    assert len(jobs) > 1000
    assert sums(queue) == (3000, len(answered), 0, len(jobs), len(jobs))
    assert len(found.stdout.splitlines()) == 3000


def test_newest_keeps_the_first(queue: Queue) -> None:
    """What came first is answered, what came too much is not."""
    queue.run("pipe", "burst", "--within", "100ms", "--shed", "newest", input="warm\n")
    lines = "\n".join(f"a{number}" for number in range(2000))
    found = queue.run("pipe", "burst", "--within", "500ms", "--shed", "newest", input=lines)
    assert found.stdout.startswith("A0\nA1\n")


def test_never_sheds_nothing(queue: Queue) -> None:
    """All are answered, late; how many, is counted."""
    found = queue.run("pipe", "burst", "--within", "50ms", "--shed", "never", input="a\n" * 500)
    assert found.stdout == "A\n" * 500
    assert queue.rows("SELECT shed, late > 0 FROM pipe") == [(0, 1)]


def test_results_of_what_was_shed_come_by_its_group(queue: Queue) -> None:
    """Run by a drain, printed by `output`."""
    found = queue.run("pipe", "burst", "--within", "50ms", "--group", "g", input="a\n" * 1000)
    jobs = len(inputs(queue))
    assert f"{jobs} shed: hybridq wait g" in found.stderr
    assert queue.run("drain", "--quiet").returncode == 0
    assert queue.run("output", "g").stdout == "A\n" * jobs


def test_what_a_spent_budget_leaves_is_shed(queue: Queue) -> None:
    """Once the day's money is spent nothing more is answered live, and that is told."""
    queue.run("pipe", "dear", "-q", input="a\n" * 12)
    with queue.start("pipe", "dear", stdin=subprocess.PIPE) as process:
        until(lambda: queue.rows("SELECT 1 FROM pipe WHERE ended IS NULL AND at > since"))
        out, told = process.communicate("b\n" * 5, timeout=30)
    assert out == "\n" * 5
    assert "the daily budget is spent" in told
    assert inputs(queue) == ["b"] * 5
    assert queue.rows("SELECT total(cost) FROM spent") == [(12.0,)]


def test_while_it_is_paused_all_is_shed(queue: Queue) -> None:
    """As of other work nothing begins: the items are accepted, and wait as jobs."""
    queue.run("pause", "--handler", "upper")
    with queue.start("pipe", "upper", stdin=subprocess.PIPE) as process:
        until(lambda: queue.rows("SELECT 1 FROM pipe WHERE at > since"))
        out, told = process.communicate("b\n", timeout=30)
    assert (out, inputs(queue)) == ("\n", ["b"])
    assert "it is paused" in told
