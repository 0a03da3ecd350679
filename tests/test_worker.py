"""The handler `worker` against real processes, most of them bad ones."""

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from hybridq.config import HandlerConfig, RunnerConfig
from hybridq.errors import ConfigError, HybridqError
from hybridq.handlers import instance, make_handler, process, turn
from hybridq.handlers.worker import split
from hybridq.job import Call, Detached, Failure, Lane, Output, Started

from .handling import calls, collect, ends, items, program, run, text, until, values, worker


def starts(handler):
    """Count the processes that a handler starts."""
    count = []
    start = handler._start
    handler._start = lambda argv: count.append(1) or start(argv)
    return count


def gone(pid):
    """Whether that process runs no more."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def reasons(events):
    """The reasons of the calls that failed."""
    return {number: end.reason for number, end in ends(events).items() if isinstance(end, Failure)}


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
    assert found.pop(41).reason == "the worker died on it: killed by SIGSEGV"
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
    assert reasons(events) == {1: "the worker died on it: killed by SIGSEGV"}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"id": true, "output": 0}', "with a wrong id"),
        ('{"id": 1.0, "output": 0}', "with a wrong id"),
        ('{"id": "ID", "output": 0}', "with a wrong id"),
        ('{"id": null, "output": 0}', "with a wrong id"),
        ('{"id": 999, "output": 0}', "for an unknown id"),
        ('{"id": ID, "attempt": 7, "output": 0}', "for another attempt"),
        ('{"id": ID}', "without an answer"),
        ('{"id": ID, "outp', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_odd_line_is_counted_and_nothing_else(line, kind):
    """A line that is no answer is counted by its kind, and the answer after it is the one that counts."""
    handler = items()
    wish = ["all", ["raw", line], "answer"]
    assert values(run(handler, calls("answer", wish, "answer"))) == {1: 1, 2: 2, 3: 3}
    assert handler.oddities == {kind: 1}


@pytest.mark.parametrize(
    "wish",
    [
        ["raw", '{"id": true, "output": 0}'],
        ["raw", '{"id": "ID", "output": 0}'],
        ["raw", '{"id": 999, "output": 0}'],
        ["raw", '{"id": ID, "outp'],
        ["raw", '[{"id": ID, "output": 0}]'],
        ["raw", '{"id": ID}'],
    ],
)
def test_item_that_nobody_can_read_an_answer_for_fails(wish, monkeypatch):
    """A worker that answers in lines that nobody can read does not leave its item running for ever."""
    monkeypatch.setattr(turn, "QUIET", 0.05)
    events = run(items(), calls("answer", wish))
    assert set(reasons(events)) == {2}
    assert reasons(events)[2].startswith("the worker died on it: exit code 0")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (["raw", '{"id": ID, "output": NaN}'], "the worker's answer is not JSON"),
        (["nested"], "the worker's answer is not JSON"),
        (["long", 2], "the worker's answer is longer than the output limit"),
        (["raw", '{"id": ID, "error": "bad page"}'], "bad page"),
        (["raw", '{"id": ID, "output": 1, "error": {"code": 5}}'], '{"code": 5}'),
    ],
)
def test_answer_that_is_no_value_fails_its_item_alone(wish, reason):
    """An answer whose id is plain but whose value cannot be kept fails that item, in the same process."""
    handler = items()
    count = starts(handler)
    events = run(handler, calls("answer", wish, "answer"))
    assert reasons(events) == {2: reason}
    assert len(ends(events)) == 3
    assert len(count) == 1


def test_bad_characters_in_an_output_are_replaced_and_counted():
    """A lone surrogate or a byte that is no UTF-8 costs one character, not the output."""
    handler = items()
    odd = ["bytes", list(b'{"id": 2, "output": "a\xffb"}\n')]
    wishes = [["raw", '{"id": ID, "output": "a\\ud83d b \\ud83d\\ude00"}'], odd, "answer"]
    assert values(run(handler, calls(*wishes))) == {1: "a\ufffd b \U0001f600", 2: "a\ufffdb", 3: 3}
    assert handler.oddities == {"with a lone surrogate": 1, "not UTF-8": 1}


def test_answer_twice_counts_once():
    """The first answer stays; the second is counted, also when it comes in the next chunk."""

    async def main(handler):
        first = await collect(handler, calls(["all", ["answer", "a"], ["answer", "b"]], "answer"))
        again = await collect(handler, calls(["all", ["raw", '{"id": 1, "output": "c"}'], "answer"], first=3))
        await handler.close()
        return {**values(first), **values(again)}

    handler = items()
    count = starts(handler)
    assert asyncio.run(main(handler)) == {1: "a", 2: 2, 3: 3}
    assert handler.oddities == {"answered twice": 2}
    assert len(count) == 1


def test_items_left_unanswered_fail_with_the_end_of_the_log():
    """A worker that exits with 0 and leaves an item: that item fails with how it ended and what it last said."""
    assert reasons(run(items(), calls("answer", ["exit", 0], "answer"))) == {
        2: "the worker died on it: exit code 0\ngiving up"
    }


def test_worker_that_exits_at_once_is_given_up():
    """A worker that never begins fails all calls with its reason, after a few starts and not one an item."""
    handler = worker(*program("moods", "exits at once"))
    count = starts(handler)
    found = reasons(run(handler, calls(*range(500))))
    assert set(found.values()) == {"the worker answers nothing at all: exit code 3\nno model here"}
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
        ("closes its input", "the worker answers nothing at all: it closed its input"),
        ("closes its output", "the worker died on it: it closed its output"),
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
    assert found[500] == "the worker answers nothing at all: timed out after 0.1s"
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
from tests.handling import *
handler = worker(*program(*sys.argv[2:]), timeout=20.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = ends(run(handler, calls(*json.loads(sys.argv[1]))))
unit = 1 if sys.platform == "darwin" else 1024
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
print(json.dumps([grown, *[getattr(end, "reason", "done") for end in found.values()]]))
"""
TOO_LONG = "the worker's answer is longer than the output limit"


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
    root = Path(__file__).parents[1]
    shown = subprocess.run(argv, cwd=root, capture_output=True, timeout=60, check=True)
    grown, *ended = json.loads(shown.stdout)
    assert grown < 20_000_000
    assert ended == found


def test_stream_call_goes_before_waiting_chunks():
    """On one shared instance a stream call that comes last is served before batch chunks that wait."""

    async def main(handler):
        order = []

        async def job(lane, first, wish):
            order.extend(ends(await collect(handler, calls(wish, first=first), lane)))

        jobs = [asyncio.create_task(job(Lane.BATCH, 1, ["sleep", 0.2]))]
        await asyncio.sleep(0)
        jobs += [asyncio.create_task(job(Lane.BATCH, number, "answer")) for number in (2, 3)]
        await asyncio.sleep(0)
        jobs.append(asyncio.create_task(job(Lane.STREAM, 4, "answer")))
        await asyncio.gather(*jobs)
        await handler.close()
        return order

    assert asyncio.run(main(items())) == [1, 4, 2, 3]


def test_place_of_a_waiter_that_was_cancelled_is_passed_on():
    """A run that is cancelled in the moment in which it gets its place does not take the place with it."""

    async def main(handler):
        pool = handler._pool
        worker = await pool.acquire(Lane.BATCH)
        waiting = asyncio.create_task(pool.acquire(Lane.BATCH))
        await asyncio.sleep(0)
        pool.release(worker)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(10):
            assert await pool.acquire(Lane.BATCH) is worker
        await handler.close()

    asyncio.run(main(items()))


def test_instances_work_side_by_side():
    """Two instances serve two runs at once, and a third waits for one of them: never more than two processes."""

    async def main(handler):
        runs = [collect(handler, calls(["all", ["sleep", 0.1], ["pid"]], first=n)) for n in range(1, 4)]
        await asyncio.gather(*runs)
        found = len(psutil.Process().children())
        await handler.close()
        return found

    handler = items(instances=2)
    assert asyncio.run(main(handler)) == 2


def test_warm_instance_is_kept_then_ended_when_idle():
    """Calls share a process while it is warm; after the idle time `tend` ends it and the next call starts another."""

    async def main(handler):
        pids = [values(await collect(handler, calls(["pid"]), Lane.STREAM))[1] for _ in range(2)]
        now = asyncio.get_running_loop().time()
        due = await handler.tend(now)
        assert now + 90 < due <= now + 100
        assert not gone(pids[0])
        assert await handler.tend(due) is None
        await until(lambda: gone(pids[0]))
        pids.append(values(await collect(handler, calls(["pid"]), Lane.STREAM))[1])
        await handler.close()
        return pids

    first, second, third = asyncio.run(main(items(idle=100.0)))
    assert first == second != third
    assert gone(third)


def test_instance_that_died_while_idle_is_replaced():
    """A warm worker that somebody killed between two calls costs a start, not a call."""

    async def main(handler):
        pid = values(await collect(handler, calls(["pid"]), Lane.STREAM))[1]
        os.kill(pid, signal.SIGKILL)
        found = values(await collect(handler, calls("answer"), Lane.STREAM))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_cancelled_call_ends_its_instance():
    """Closing a run ends the worker that was at it, and the next call gets a new one."""

    async def main(handler):
        wish = ["all", ["raw", '{"id": ID, "partial": "begun"}'], ["sleep", 60]]
        async with aclosing(handler.run(calls(wish), Lane.STREAM)) as bunches:
            async for bunch in bunches:
                if text(bunch):
                    break
        assert not psutil.Process().children()
        found = values(await collect(handler, calls("answer")))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_cancelled_call_that_answers_in_time_keeps_its_instance():
    """A worker that answers within a moment after its call was cancelled stays warm."""

    async def main(handler):
        async with aclosing(handler.run(calls(["sleep", 0.05]), Lane.STREAM)) as bunches:
            await anext(bunches)
        await collect(handler, calls("answer"))
        await handler.close()

    handler = items()
    count = starts(handler)
    asyncio.run(main(handler))
    assert len(count) == 1


def test_cancelled_task_ends_its_worker_and_frees_its_place():
    """Cancelling the task of a run, and of one that waits for the place, leaves nothing behind."""

    async def main(handler):
        tasks = [asyncio.create_task(collect(handler, calls(["sleep", 60], first=n))) for n in (1, 2)]
        await until(lambda: bool(psutil.Process().children()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not psutil.Process().children()
        found = values(await collect(handler, calls("answer")))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_close_ends_what_is_at_work_and_gives_the_rest_back():
    """After `close` no process is left; calls that had not begun are given back, not failed."""

    async def main(handler):
        task = asyncio.create_task(collect(handler, calls(["sleep", 60], "answer")))
        await until(lambda: bool(psutil.Process().children()))
        await handler.close()
        assert not psutil.Process().children()
        return ends(await task)

    found = asyncio.run(main(items()))
    assert {number: end.gave_back for number, end in found.items()} == {1: True, 2: True}


def test_partials_come_before_the_output():
    """What a worker streams is passed on as it is written, then its output with usage and cost."""
    line = '{"id": ID, "output": {"n": 1}, "cost": 0.5, "usage": {"input_tokens": 7, "output_tokens": 2}}'
    wish = ["all", ["raw", '{"id": ID, "partial": "h\u00e4"}'], ["raw", '{"id": ID, "partial": "\\n"}'], ["raw", line]]
    events = run(items(), calls(wish), Lane.STREAM)
    assert text(events) == "hä\n".encode()
    end = ends(events)[1]
    assert (end.value, end.cost, end.usage.input_tokens, end.usage.output_tokens) == (b'{"n": 1}', 0.5, 7, 2)
    assert isinstance(events[0], Started)
    assert events[-1] is end


def test_wrong_cost_or_usage_is_counted_and_left_out():
    """A cost below nothing or usage that is no object does not spoil the output."""
    handler = items()
    wish = ["raw", '{"id": ID, "output": 1, "cost": -1, "usage": "much"}']
    end = ends(run(handler, calls(wish)))[1]
    assert (end.value, end.cost, end.usage) == (b"1", None, None)
    assert handler.oddities == {"with a wrong cost": 1, "with a wrong usage": 1}


def test_partial_output_over_the_limit_is_dropped_and_told():
    """Partial output is kept up to the limit, and the end says how much was not."""
    piece = ["raw", json.dumps({"id": 1, "partial": "x" * 400})]
    handler = worker(*program("items"), runner=RunnerConfig(output_limit=1000))
    events = run(handler, calls(["all", *[piece] * 4, "answer"]), Lane.STREAM)
    assert len(text(events)) == 1000
    assert ends(events)[1].dropped == 600


def test_start_up_is_told_apart_from_the_work():
    """The first call of a new worker is told its start-up; its busy time and that of later calls are without it."""

    async def main(handler):
        first = await collect(handler, calls("a", "b"))
        second = await collect(handler, calls("c", first=3))
        await handler.close()
        return first, second

    first, second = asyncio.run(main(worker(*program("moods", "is slow to start", 0.5))))
    startups = [event.startup for event in (*first, *second) if isinstance(event, Started)]
    assert startups[0] >= 0.5
    assert startups[1:] == [0.0, 0.0]
    assert sum(end.busy for end in ends(first).values()) < 0.5


@pytest.mark.parametrize("settings", [{}, {"protocol": "lines"}])
def test_busy_is_never_negative(settings):
    """A call that is answered before anybody saw that it was read has cost nothing, not less than that."""
    script = 'sleep 0.3; while read -r line; do echo "{\\"id\\": 1, \\"output\\": 1}"; done'
    for _ in range(3):
        assert ends(run(worker("sh", "-c", script, **settings), calls("a")))[1].busy >= 0


def test_busy_is_the_time_between_answers():
    """In a chunk each call bears the time since the answer before it."""
    found = ends(run(items(), calls("answer", ["sleep", 0.3], ["sleep", 0.1])))
    assert found[2].busy > found[3].busy > found[1].busy
    assert sum(end.busy for end in found.values()) >= 0.4


def test_workers_see_only_what_they_are_given(monkeypatch):
    """A worker gets the variables that programs need and those that the configuration names; no key by accident."""
    for name in ("API_KEY", "WANTED", "LC_TIME", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, "1")
    shown = values(run(worker(*program("moods", "shows its environment"), env=("WANTED",)), calls("a"), Lane.STREAM))[1]
    assert {"WANTED", "LC_TIME", "PYTHONHASHSEED", "PATH", "HOME"} <= set(shown)
    assert "API_KEY" not in shown


def test_log_and_odd_lines_are_logged_as_visible_text(caplog):
    """What a worker writes beside its answers reaches the log with its escape sequences made visible."""
    with caplog.at_level(logging.INFO, "hybridq.worker.w"):
        run(items(), calls(["all", ["raw", "loading \x1b[31m"], ["raw", '{"id": 999, "output": "\x9b"}'], "answer"]))
    assert "loading \\x1b[31m" in caplog.messages
    assert any(message.startswith("a line not JSON (1 so far)") for message in caplog.messages) or any(
        message.startswith("a line for an unknown id (1 so far)") for message in caplog.messages
    )
    assert not any("\x1b" in message or "\x9b" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b'"a" "b"', b"[" * 100_000, b'{"a": 1}]', b'1, "x": 2'], ids=range(7)
)
def test_input_that_is_not_json_is_refused_alone(data):
    """An input that cannot be sent fails for good by itself and does not spoil the chunk."""
    bad = Call(id=2, attempt=1, input=data)
    found = ends(run(items(), [*calls("answer"), bad, *calls("answer", first=3)]))
    assert isinstance(found[2], Failure)
    assert found[2].reason.startswith("the input is not JSON")
    assert not found[2].retryable
    assert isinstance(found[1], Output)
    assert isinstance(found[3], Output)


def test_input_over_several_lines_is_one_call():
    """JSON with line ends between its tokens is sent as one line."""
    assert values(run(items(), [Call(id=1, attempt=1, input=b'[\n"answer",\r\n 5]\n')])) == {1: 5}


def test_big_inputs_go_in_several_chunks():
    """Inputs of 36 MB in all are written a bounded part at a time, in their order, and all answered."""
    big = calls(*[["answer", n, "x" * 4_000_000] for n in range(9)])
    parts = [chunk.calls for chunk in split(big)]
    assert [len(part) for part in parts] == [4, 4, 1]
    assert [call for part in parts for call in part] == big
    assert len(values(run(items(), big))) == 9


@pytest.mark.parametrize("lane", Lane)
def test_any_line_filter_is_a_worker(lane):
    """With protocol = "lines" a filter that holds its output back until its input ends is a worker all the same."""
    handler = worker("tr", "a-z", "A-Z", protocol="lines")
    some = ["one", "two ä", {"k": "v"}] if lane is Lane.BATCH else ["one"]
    wanted = ["ONE", "TWO ä", '{"K": "V"}'][: len(some)]
    assert list(values(run(handler, calls(*some), lane)).values()) == wanted


def test_line_filter_is_told_its_start_up():
    """A filter is started for each chunk, and its start-up is told apart from its work."""
    script = "sleep 0.3; exec cat"
    events = run(worker("sh", "-c", script, protocol="lines"), calls("a", "b"))
    assert events[0].startup >= 0.3
    assert sum(end.busy for end in ends(events).values()) < 0.3


def test_line_filter_that_dies_loses_one_line():
    """A filter that dies on a line: the lines before and behind it are answered."""
    script = 'while read -r line; do [ "$line" = bad ] && kill -9 $$; echo "<$line>"; done'
    events = run(worker("sh", "-c", script, protocol="lines"), calls("a", "b", "bad", "c"))
    assert reasons(events) == {3: "the worker died on it: killed by SIGKILL"}
    assert [end.value for end in ends(events).values() if isinstance(end, Output)] == [b'"<a>"', b'"<b>"', b'"<c>"']


def test_line_filter_gets_one_line_a_call():
    """An input of two lines would shift all answers behind it: it is refused; extra lines are counted."""
    handler = worker("sh", "-c", 'while read -r line; do echo "$line"; done; echo extra', protocol="lines")
    events = run(handler, calls("a", "b\nc", "d"))
    assert reasons(events) == {2: 'the input has more than one line; a worker with protocol = "lines" takes one'}
    assert [end.value for end in ends(events).values() if isinstance(end, Output)] == [b'"a"', b'"d"']


def test_file_name_that_is_no_text_reaches_a_filter():
    """A lone surrogate stands for a byte of a file name and is sent as that byte."""
    handler = worker("od", "-An", "-tx1", protocol="lines")
    assert values(run(handler, [Call(id=1, attempt=1, input=b'"a\\udcff"')])) == {1: " 61 ff 0a"}


def test_check_says_how_it_would_run():
    """`check` starts the worker, sends nothing, and ends it."""

    async def main(handler):
        said = await handler.check()
        return said, psutil.Process().children()

    said, left = asyncio.run(main(items()))
    assert said.endswith("items.py` starts and waits for input")
    assert left == []


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (lambda: worker("/nowhere/x"), "handlers.w: no such command: /nowhere/x"),
        (
            lambda: worker(*program("moods", "exits at once")),
            "handlers.w.command: it ends at once: exit code 3\nno model here",
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
    assert asyncio.run(worker(call="json:loads").check()) == f"json:loads is there, in {sys.executable}"


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
