"""`limit`, `--needs` and `[resources]`: what is over them waits, and everybody is told why."""

import json
from pathlib import Path

import pytest

from tests.support.user import Queue, until

CONFIG = """
[resources]
gpu = 2
memory = "48GiB"
licence = ["x y"]
"""
THERE = CONFIG.replace("x y", "red")
WARM = '[handlers.warm]\ncommand = ["cat"]\nneeds = { gpu = 1 }\n'


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue of a machine with two GPUs."""
    return Queue(tmp_path, THERE + WARM)


def running(queue: Queue) -> int:
    """How many jobs run."""
    return int(queue.rows("SELECT count(*) FROM job WHERE state = 'running'")[0][0])


def test_what_is_over_a_limit_waits_and_says_so(queue: Queue) -> None:
    """At submission, in status, show and explain; the list tells what runs."""
    queue.run("limit", "shell", "1")
    with queue.daemon():
        queue.run("submit", "--mode", "stream", "--detach", "--", "sleep", "60")
        until(lambda: running(queue) == 1)
        told = queue.run("submit", "--mode", "stream", "--detach", "--", "true")
        assert told.stderr == "hybridq: job 2: waits: 1 of 1 runs (limit of shell)\n"
        for command in ("status", "show", "explain"):
            assert "waits: 1 of 1 runs (limit of shell)" in queue.run(command, "2").stdout
        listed = json.loads(queue.run("limit", "--json").stdout)["limits"]
        assert [(each["handler"], each["limit"], each["running"]) for each in listed] == [("shell", 1, 1)]
        queue.run("limit", "shell", "--none")
        assert queue.run("wait", "2", "--timeout", "30s").returncode == 0
        queue.run("cancel", "1")


def test_a_job_finds_what_it_was_given(queue: Queue) -> None:
    """The units by name in two variables, a size in bytes; who waits for the rest is told for what."""
    needs = ["--needs", "gpu=2", "--needs", "memory=1.5GiB", "--needs", "licence=1"]
    with queue.daemon():
        queue.run("submit", "--mode", "stream", "--detach", *needs, "--", "sh", "-c", "env; sleep 60")
        until(lambda: running(queue) == 1)
        told = queue.run("submit", "--mode", "stream", "--detach", "--needs", "gpu=1", "--", "true")
        assert told.stderr == "hybridq: job 2: waits for gpu: 2 of 2 in use\n"
        until(lambda: "HYBRIDQ_LICENCE" in queue.run("output", "1").stdout)
        seen = set(queue.run("output", "1").stdout.splitlines())
        queue.run("cancel", "1")
        assert queue.run("wait", "2", "--timeout", "30s").returncode == 0
    given = {"CUDA_VISIBLE_DEVICES=0,1", "HYBRIDQ_GPU=0,1", "HYBRIDQ_MEMORY=1610612736", "HYBRIDQ_LICENCE=red"}
    assert given <= seen


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["submit", "--needs", "gpu=3", "--", "true"], "there is not so much gpu: 3 needed, 2 in all"),
        (["submit", "--needs", "memory=1TiB", "--", "true"], "memory: 1TiB needed, 48GiB in all"),
        (["submit", "--needs", "gpus=1", "--", "true"], "no resource 'gpus': did you mean gpu?"),
        (["submit", "--needs", "gpu=-1", "--", "true"], "expected gpu as a whole number, not '-1'"),
        (["submit", "--needs", "gpu", "--", "true"], "write NAME=AMOUNT, such as gpu=1"),
        (["submit", "--needs", "memory=8", "--", "true"], "the resource memory is a size: write it such as 8GiB"),
        (["submit", "--needs", "gpu=1GiB", "--", "true"], "the resource gpu is a number, not a size"),
        (["submit", "warm", "x", "--needs", "gpu=1"], "--needs is for commands. A worker's are in config.toml"),
        (["schedule", "add", "n", "@daily", "--needs", "gpu=3", "--", "true"], "3 needed, 2 in all"),
        (["limit", "shell", "0"], "a limit is a whole number from 1 to 1,000,000, not 0. To run none: hybridq pause"),
        (["limit", "shell", "--none"], "shell has no limit"),
        (["limit", "shell", "2", "--none"], "not both"),
    ],
)
def test_what_cannot_be_is_refused(queue: Queue, words: list[str], says: str) -> None:
    """With one sentence and the exit code of a wrong command line, and without any change."""
    refused = queue.run(*words)
    assert refused.returncode in (64, 66)
    assert says in refused.stderr
    assert queue.rows("SELECT 1 FROM job") == queue.rows("SELECT 1 FROM job_limit") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CONFIG, ":5: resources.licence: expected different names in quotes, without spaces and commas"),
        ("[resources]\ngpu = -1", ":2: resources.gpu: expected a number, a size such as 48GiB, or a list of names"),
        ("[resources]\nhome = 1", ":2: resources.home: a resource cannot be called home"),
        (THERE + "[handlers.shell]\nneeds = { gpu = 3 }", ":7: handlers.shell.needs: there is not so much gpu"),
        ('[handlers.shell]\nrate = "30"', ":2: handlers.shell.rate: expected a number of starts"),
        ("[handlers.shell]\nlimit = -1", ":2: handlers.shell.limit: expected a number of at least 0"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_at_its_line(tmp_path: Path, text: str, says: str) -> None:
    """And is its own exit code."""
    refused = Queue(tmp_path, text).run("drain")
    assert refused.returncode == 78
    assert says in refused.stderr
