"""The handler `worker` against real processes, most of them bad ones."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.errors import ConfigError, HybridqError
from hybridq.handlers import make_handler, process
from hybridq.handlers.worker import instance
from hybridq.job import Detached, Lane, Output

from ..support.handling import (
    calls,
    collect,
    ends,
    gone,
    items,
    program,
    reasons,
    run,
    starts,
    text,
    until,
    values,
    worker,
)


def test_batch_is_answered_in_any_order_by_one_process():
    """A chunk of a batch is one process's work and every call gets its own output."""
    handler = items()
    count = starts(handler)
    assert values(run(handler, calls(*[["answer", n * n] for n in range(100)]))) == {n + 1: n * n for n in range(100)}
    assert len(count) == 1


def test_segfault_fails_the_one_item_alone():
    """The item that kills its worker fails with the reason; the other 99 are done, with two more starts."""
    handler = items()
    count = starts(handler)
    wishes = ["answer"] * 100
    wishes[40] = "die"
    found = ends(run(handler, calls(*wishes)))
    assert found.pop(41).reason == "the worker died while it ran this job: killed by SIGSEGV"
    assert len(found) == 99
    assert all(isinstance(end, Output) for end in found.values())
    assert len(count) == 3


def test_neighbouring_poison_is_found_item_by_item():
    """Thirty bad items side by side do not make the worker look broken: each fails by itself and no other."""
    wishes = ["die"] * 30 + ["answer"] * 70
    assert set(reasons(run(items(), calls(*wishes)))) == set(range(1, 31))


def test_item_that_dies_only_once_is_done(tmp_path):
    """A suspect is tried alone before it fails: what was no fault of its own is done."""
    wishes = ["answer", ["die once", str(tmp_path / "died")], "answer"]
    assert values(run(items(), calls(*wishes))) == {1: 1, 2: 2, 3: 3}


def test_suspect_whose_output_was_shown_is_not_tried_again(tmp_path):
    """A call that has shown partial output fails at once, so that nobody reads the same words twice."""
    wish = ["all", ["raw", '{"id": ID, "partial": "once "}'], ["die once", str(tmp_path / "died")]]
    events = run(items(), calls(wish, "answer"))
    assert text(events) == b"once "
    assert reasons(events) == {1: "the worker died while it ran this job: killed by SIGSEGV"}


def test_items_left_unanswered_fail_with_the_end_of_the_log():
    """A worker that exits with 0 and leaves an item: that item fails with how it ended and what it last said."""
    assert reasons(run(items(), calls("answer", ["exit", 0], "answer"))) == {
        2: "the worker died while it ran this job: exit code 0\ngiving up"
    }


def test_worker_that_exits_at_once_is_given_up():
    """A worker that never begins fails all calls with its reason, after a few starts and not one an item."""
    handler = worker(*program("moods", "exits at once"))
    count = starts(handler)
    found = reasons(run(handler, calls(*range(500))))
    assert set(found.values()) == {"the worker does not answer at all: exit code 3\nno model here"}
    assert len(found) == 500
    assert len(count) == 3


@pytest.mark.parametrize("mood", ["reads and exits", "reads and dies"])
def test_worker_that_never_answers_is_given_up(mood):
    """A worker that reads and always dies is broken, not its 500 items: a few items are tried, then all fail."""
    handler = worker(*program("moods", mood))
    count = starts(handler)
    found = reasons(run(handler, calls(*range(500))))
    assert len(found) == 500
    assert len(count) <= 25


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("closes its input", "the worker does not answer at all: it closed its input"),
        ("closes its output", "the worker died while it ran this job: it closed its output"),
    ],
)
def test_worker_that_closes_a_pipe_is_ended(mood, reason, monkeypatch):
    """A worker that can no longer be heard or talked to is ended, with that as the reason."""
    monkeypatch.setattr(instance, "QUIT", 0.1)
    assert reasons(run(worker(*program("moods", mood)), calls("a"), Lane.STREAM)) == {1: reason}


@pytest.mark.parametrize("mood", ["never reads", "ignores SIGTERM", "stops itself"])
def test_worker_that_hangs_is_ended_after_the_timeout(mood, monkeypatch):
    """Whatever a hanging worker does against its end, it is gone and the call failed."""
    monkeypatch.setattr(process, "GRACE", 0.2)
    handler = worker(*program("moods", mood), timeout=0.3)
    big = calls("x" * 3_000_000)
    assert reasons(run(handler, big, Lane.STREAM)) == {1: "timed out after 0.3s"}
    assert not psutil.Process().children(recursive=True)


def test_worker_that_reads_nothing_is_given_up():
    """A worker that never begins in time is broken: three starts are enough to fail all 500 calls."""
    handler = worker(*program("moods", "never reads"), timeout=0.1)
    count = starts(handler)
    found = reasons(run(handler, calls(*range(500))))
    assert len(found) == 500
    assert found[500] == "the worker does not answer at all: timed out after 0.1s"
    assert len(count) == 3


def test_timeout_fails_the_suspect_alone():
    """No answer in time fails the first unanswered item; those behind it go on in a new process."""
    events = run(items(timeout=0.5), calls("answer", ["sleep", 60], "answer"))
    assert reasons(events) == {2: "timed out after 0.5s"}
    assert len(ends(events)) == 3


def test_calls_own_timeout_counts_before_the_handlers():
    """A call's timeout is its own, also when the handler has a longer one."""
    events = run(items(timeout=60.0), calls(["sleep", 60], timeout=0.3), Lane.STREAM)
    assert reasons(events) == {1: "timed out after 0.3s"}


def test_grandchild_on_the_pipe_keeps_nobody_waiting(tmp_path):
    """A worker that exits and leaves a process on its pipes has ended, and what it left behind is ended too."""
    note = tmp_path / "grandchild"
    handler = worker(*program("moods", "leaves a grandchild", note))
    assert values(run(handler, calls("a", "b"))) == {1: 1, 2: 2}
    left = [int(pid) for pid in note.read_text().split()]
    assert len(left) == 2
    asyncio.run(until(lambda: all(map(gone, left))))


@pytest.mark.parametrize(
    ("command", "settings", "reason"),
    [
        (("/nowhere/at/all",), {}, "no such command: /nowhere/at/all"),
        (("/etc",), {}, "not executable: /etc"),
        (("true",), {"cwd": "/nowhere"}, "no such folder: /nowhere"),
    ],
)
def test_worker_that_cannot_start_fails_for_good(command, settings, reason):
    """What cannot start fails every call at once, with the reason and no more tries."""
    found = ends(run(worker(*command, **settings), calls(*range(10))))
    assert {(end.reason, end.retryable) for end in found.values()} == {(reason, False)}
    assert len(found) == 10


def test_command_that_was_mended_is_found(tmp_path):
    """A worker that could not start is tried anew at the next run: nothing about it is remembered."""
    tool = tmp_path / "tool"

    async def main(handler):
        before = await collect(handler, calls("a"))
        tool.write_text('#!/bin/sh\nread line; echo \'{"id": 1, "output": 5}\'\n')
        tool.chmod(0o755)
        after = await collect(handler, calls("a"))
        await handler.close()
        return reasons(before), values(after)

    assert asyncio.run(main(worker(str(tool)))) == ({1: f"no such command: {tool}"}, {1: 5})


MEMORY = """
import resource, sys
from tests.support.handling import *
handler = worker(*program(*sys.argv[2:]), timeout=20.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = ends(run(handler, calls(*json.loads(sys.argv[1]))))
unit = 1 if sys.platform == "darwin" else 1024
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
print(json.dumps([grown, *[getattr(end, "reason", "done") for end in found.values()]]))
"""
TOO_LONG = "the worker's answer exceeds the output limit"


@pytest.mark.parametrize(
    ("command", "inputs", "found"),
    [
        (("items",), [["long", 100], "answer"], [TOO_LONG, "done"]),
        (("moods", "floods", "100", "1"), ["a"], ["done"]),
        (("moods", "floods", "100", "2"), ["a"], ["done"]),
    ],
    ids=["answer", "output", "log"],
)
def test_flood_is_read_in_bounded_memory(command, inputs, found):
    """100 MB without a line end, in an answer, before it or in the log, take a few MB and spoil nothing else."""
    argv = [sys.executable, "-c", MEMORY, json.dumps(inputs), *command]
    root = Path(__file__).parents[2]
    shown = subprocess.run(argv, cwd=root, capture_output=True, timeout=60, check=True)
    grown, *ended = json.loads(shown.stdout)
    assert grown < 20_000_000
    assert ended == found


def test_workers_see_only_what_they_are_given(monkeypatch):
    """A worker gets the variables that programs need and those that the configuration names; no key by accident."""
    for name in ("API_KEY", "WANTED", "LC_TIME", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, "1")
    shown = values(run(worker(*program("moods", "shows its environment"), env=("WANTED",)), calls("a"), Lane.STREAM))[1]
    assert {"WANTED", "LC_TIME", "PYTHONHASHSEED", "PATH", "HOME"} <= set(shown)
    assert "API_KEY" not in shown


def test_check_says_how_it_would_run():
    """`check` starts the worker, sends nothing, and ends it."""

    async def main(handler):
        said = await handler.check()
        return said, psutil.Process().children()

    said, left = asyncio.run(main(items()))
    assert said.endswith("items.py` starts, and waits for input")
    assert left == []


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (lambda: worker("/nowhere/x"), "handlers.w: no such command: /nowhere/x"),
        (
            lambda: worker(*program("moods", "exits at once")),
            "handlers.w.command: it exits at once: exit code 3\nno model here",
        ),
        (lambda: worker(call="json:nothing"), "json:nothing cannot be imported: AttributeError"),
        (lambda: worker(call="json:loads", python="/nowhere/python"), "no such command: /nowhere/python"),
    ],
)
def test_check_tells_what_is_wrong(handler, message):
    """`check` raises with the reason when the worker would not run."""
    with pytest.raises(HybridqError, match=re.escape(message)):
        asyncio.run(handler().check())


def test_check_of_a_function_imports_it():
    """`check` of a `call` says that the function is there, and where."""
    assert asyncio.run(worker(call="json:loads").check()) == f"found json:loads in {sys.executable}"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HandlerConfig(kind="nope"), "unknown kind 'nope'; there are: .*shell, worker"),
        (HandlerConfig(), "expected either `command` or `call`"),
        (HandlerConfig(command=("a",), call="a:b"), "expected either `command` or `call`"),
        (HandlerConfig(call="a.b"), "expected `module:function`, not 'a.b'"),
    ],
)
def test_wrong_configuration_is_named(config, message):
    """A handler that makes no sense is refused when it is made."""
    with pytest.raises(ConfigError, match=message):
        make_handler("w", config, runner=RunnerConfig())


def test_workers_never_detach():
    """There is nothing to resume."""
    with pytest.raises(ValueError, match="never detaches"):
        items().resume(Detached((), {}))
