"""Jobs that a limit on money holds: every command names that limit, whether anybody runs the queue or not."""

import json
from pathlib import Path

import pytest

from hybridq.when import money
from tests.support.user import Queue, until

CONFIG = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\nprice = 1.0\ndaily_budget = 1\n'
SAYS = f"held: the daily budget of echo is {money(1)}, {money(1)} is spent; one costs about {money(1)}"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue whose budget for today is spent."""
    queue = Queue(tmp_path, CONFIG)
    assert queue.run("submit", "echo", "x", "--mode", "stream", "--wait").returncode == 0
    return queue


def test_submit_and_a_dry_run_name_the_limit(queue: Queue) -> None:
    """What would be held says so before and after it is accepted, as text and as JSON."""
    dry = queue.run("submit", "echo", "x", "--dry-run")
    dry_json = json.loads(queue.run("submit", "echo", "x", "--dry-run", "--json").stdout)
    done = queue.run("submit", "echo", "x")
    as_json = json.loads(queue.run("submit", "echo", "x", "--json").stdout)
    assert SAYS in dry.stdout
    assert done.stderr.startswith(f"hybridq: {SAYS}")
    assert dry_json["parts"][0]["held"] == as_json["held"]
    assert as_json["held"].startswith(f"{SAYS}; it is renewed ")


@pytest.mark.parametrize("served", [True, False], ids=["daemon", "alone"])
def test_staying_and_looking_name_the_limit(queue: Queue, served: bool) -> None:
    """`status`, `wait` and `follow` of held jobs tell of the limit, not of a runner that would not help."""
    queue.run("submit", "echo", "--lines", "-", "--group", "g", "--mode", "batch", input="a\nb\n")
    queue.run("submit", "echo", "y", "--mode", "batch")
    if served:
        with queue.daemon():
            until(lambda: SAYS in queue.run("status", "last").stdout)
            assert SAYS in queue.run("wait", "last", "--timeout", "0").stderr
        return
    for words in (["status", "last"], ["status", "g"], ["explain", "last"]):
        assert SAYS in " ".join(queue.run(*words).stdout.split()), words  # however wide the lines are
    for words in (["wait", "last", "--timeout", "0"], ["wait", "g", "--timeout", "0"]):
        assert queue.run(*words).stderr.startswith(f"hybridq: {'' if 'g' in words else 'job 4: '}{SAYS}"), words


def test_no_flush_is_promised_for_what_a_limit_holds(queue: Queue) -> None:
    """The head of `status` plans nothing that the budget does not let begin."""
    queue.run("submit", "echo", "--lines", "-", "--group", "g", "--mode", "batch", input="a\nb\n")
    with queue.daemon():
        until(lambda: SAYS in queue.run("status", "g").stdout)
        head = json.loads(queue.run("status", "--json").stdout)["head"]
    assert head["held"] == 2
    assert head["next_flush"] is None


def test_a_limit_that_was_raised_is_no_longer_told(queue: Queue) -> None:
    """What a runner said of money while it ran does not outlive it."""
    queue.run("submit", "echo", "y", "--mode", "batch")
    assert queue.run("drain").returncode == 75
    assert SAYS in queue.run("status", "last").stdout
    (queue.folder / "config.toml").write_text(CONFIG.replace("daily_budget = 1", "daily_budget = 9"))
    assert "waits for a daemon or a drain" in queue.run("status", "last").stdout


def test_without_a_limit_the_missing_runner_is_told(tmp_path: Path) -> None:
    """`wait` says that nobody runs what it waits for, once, and how many jobs that are."""
    queue = Queue(tmp_path)
    queue.run("submit", "shell", "--lines", "-", input="true\ntrue\n")
    done = queue.run("wait", "--timeout", "0")
    assert done.returncode == 75
    assert "no daemon runs, so 2 of these jobs wait for hybridq daemon or hybridq drain" in done.stderr


def test_a_drain_says_what_holds_what_it_leaves(tmp_path: Path) -> None:
    """Where a limit holds what is left, another drain would not help: the limit is told, in words and as JSON."""
    dear = CONFIG.replace("daily_budget = 1", "daily_budget = 0.5")
    made = Queue(tmp_path, dear)
    made.run("submit", "echo", "--lines", "-", "--mode", "batch", input="a\nb\n")
    done = made.run("drain")
    assert done.returncode == 75
    assert "2 jobs are left: one job costs about 1.00" in done.stderr
    assert "raise daily_budget in config.toml" in done.stderr
    assert json.loads(made.run("drain", "--json").stdout)["held"].startswith("held: ")


def test_a_job_above_its_own_limit_is_told_alike_everywhere(tmp_path: Path) -> None:
    """Submit, status, explain and drain say that it costs more than its limit, and what to do: no other drain helps."""
    queue = Queue(tmp_path, CONFIG.replace("daily_budget = 1\n", ""))
    says = f"one job costs about {money(1)}, more than its --max-cost of {money(0.5)}"
    does = "cancel it, and submit it with a higher --max-cost"
    assert f"more than --max-cost of {money(0.5)}" in queue.run("submit", "echo", "x", "--max-cost", "0.5").stderr
    for words in (("status",), ("explain", "1"), ("drain", "--quiet")):
        ended = queue.run(*words)
        told = " ".join((ended.stdout + ended.stderr).split())
        assert f"{says}: {does}" in told, words
        assert "drain again" not in told
    assert ended.returncode == 75


def test_a_job_above_the_limit_of_a_drain_is_told_to_whoever_drains(tmp_path: Path) -> None:
    """With a higher one it would run."""
    queue = Queue(tmp_path, CONFIG.replace("daily_budget = 1\n", ""))
    queue.run("submit", "echo", "x", "--mode", "batch")
    ended = queue.run("drain", "--quiet", "--max-cost", "0.5")
    assert ended.returncode == 75
    assert f"more than --max-cost of {money(0.5)}: run hybridq drain with a higher --max-cost" in ended.stderr
    assert queue.run("drain", "--quiet", "--max-cost", "1.5").returncode == 0
