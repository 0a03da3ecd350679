"""The handler `shell`: real commands, their output, their ends."""

import asyncio
import json
import os
import signal
import sys
from contextlib import aclosing

import psutil
import pytest

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers import make_handler, process
from hybridq.handlers.shell import _Commands
from hybridq.job import Call, Detached, Failure, Lane, Output, Partial, Started

from ..support.handling import collect, ends, run, text, until

PATH = {"PATH": os.environ["PATH"]}


def shell(**runner):
    """A shell handler."""
    return make_handler("shell", HandlerConfig(kind="shell"), runner=RunnerConfig(**runner))


def line(script, number=1, **settings):
    """A call that runs a line of shell."""
    return Call(id=number, attempt=2, input=json.dumps({"shell": script}).encode(), env=PATH, **settings)


def argv(*words, number=1, **settings):
    """A call that runs an argument list."""
    return Call(id=number, attempt=2, input=json.dumps({"argv": words}).encode(), env=PATH, **settings)


def test_job_is_started_heard_and_ended():
    """The events of a job in their order: started with its process, output of both streams, its end."""
    events = run(shell(), [line("echo out; echo err >&2")], Lane.STREAM)
    assert isinstance(events[0], Started)
    assert events[0].pid > 0
    assert (text(events, 1), text(events, 2)) == (b"out\n", b"err\n")
    assert events[-1] == Output(1, 2, busy=events[-1].busy)
    assert 0 < events[-1].busy < 20


def test_output_is_seen_as_it_comes():
    """A follower sees the first words of a job that is still running."""

    async def main():
        async with aclosing(shell().run([line("echo first; exec sleep 60")], Lane.STREAM)) as bunches:
            async for bunch in bunches:
                if text(bunch):
                    return text(bunch)
        return None

    assert asyncio.run(main()) == b"first\n"


@pytest.mark.parametrize(
    ("script", "reason", "code"),
    [
        ("exit 3", "exit code 3", 3),
        ("kill -SEGV $$", "killed by SIGSEGV", -signal.SIGSEGV),
        ("no-such-command", "exit code 127", 127),
    ],
)
def test_bad_end_is_a_failure(script, reason, code):
    """A job that ends badly fails with the reason and its own code, and may be tried again."""
    end = ends(run(shell(), [line(script)]))[1]
    assert (end.reason, end.exit_code, end.retryable) == (reason, code, True)


@pytest.mark.parametrize(
    ("call", "reason", "code"),
    [
        (argv("/nowhere/x"), "no such command: /nowhere/x", 127),
        (argv("/etc"), "not executable: /etc", 126),
        (argv("true", cwd="/nowhere"), "no such folder: /nowhere", 126),
        (argv("a\0"), "cannot start: embedded null byte", None),
    ],
    ids=["command", "not executable", "folder", "NUL"],
)
def test_job_that_cannot_start_fails_for_good(call, reason, code):
    """No such command, not executable, no such folder: failed with that, and not tried again."""
    end = ends(run(shell(), [call]))[1]
    assert (end.reason, end.exit_code, end.retryable) == (reason, code, False)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"argv": []}', b'{"argv": [1]}', b'{"shell": 1}', b'"ls"', b"[" * 100_000], ids=range(7)
)
def test_input_that_is_no_command_fails_for_good(data):
    """Whatever an input is, the handler answers with a failure."""
    end = ends(run(shell(), [Call(id=1, attempt=1, input=data)]))[1]
    assert end.reason.startswith("the input is not a command")
    assert not end.retryable


def test_arguments_are_data():
    """No shell looks at an argument list, and bytes that are no text arrive as they are."""
    strange = ["$HOME; echo", "*", "", "caf\udce9", "-n"]
    events = run(shell(), [argv("printf", "%s|", *strange)])
    assert text(events) == b"$HOME; echo|*||caf\xe9|-n|"


def test_job_has_the_environment_that_it_was_given(monkeypatch, tmp_path):
    """Environment and folder are the job's own; standard input is empty."""
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("HYBRIDQ_RUNNER", "mark")
    events = run(shell(), [line("cat; pwd; env", cwd=str(tmp_path))])
    folder, *variables = text(events).decode().splitlines()
    assert folder == str(tmp_path)
    shown = dict(each.split("=", 1) for each in variables)
    wanted = {**PATH, "PYTHONUNBUFFERED": "1", "HYBRIDQ_JOB_ID": "1", "HYBRIDQ_ATTEMPT": "2", "HYBRIDQ_RUNNER": "mark"}
    assert {name: shown[name] for name in wanted} == wanted
    assert set(shown) - set(wanted) <= {"PWD", "OLDPWD", "SHLVL", "_"}


def test_timeout_ends_the_group(monkeypatch):
    """A job that takes too long fails with that reason; it and its children are gone, whatever they ignore."""
    monkeypatch.setattr(process, "GRACE", 0.1)
    events = run(shell(), [line("trap '' TERM; sleep 60 & sleep 60", timeout=0.2)])
    assert ends(events)[1].reason == "timed out after 0.2s"
    assert not psutil.Process().children(recursive=True)


def test_output_over_the_limit_is_told():
    """Each stream keeps its limit; the end says how much was dropped."""
    events = run(shell(output_limit=1000), [line("head -c 5000 /dev/zero; head -c 1500 /dev/zero >&2; exit 1")])
    assert (len(text(events, 1)), len(text(events, 2))) == (1000, 1000)
    assert ends(events)[1].dropped == 4500


def test_flood_passes_in_bounded_memory():
    """500 MB of output are read to their end and almost none of it is kept."""
    before = psutil.Process().memory_info().rss
    events = run(shell(output_limit=1000), [line("head -c 500000000 /dev/zero")])
    assert ends(events)[1] == Output(1, 2, busy=ends(events)[1].busy, dropped=499_999_000)
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_closing_a_run_ends_its_jobs():
    """When nobody listens any more, the jobs of the run are ended with all their children."""

    async def main():
        handler = shell(batch_slots=2)
        async with aclosing(handler.run([line("sleep 60 & wait", n) for n in range(4)], Lane.BATCH)) as bunches:
            await anext(bunches)
        assert not psutil.Process().children(recursive=True)
        assert set(values_of(await collect(handler, [line("true", 9)]))) == {9}

    def values_of(events):
        return [number for number, end in ends(events).items() if isinstance(end, Output)]

    asyncio.run(main())


def test_job_that_ends_with_many_words_is_not_held_up(tmp_path):
    """A job whose run is closed may print as much as it likes while it cleans up, though nobody reads it."""
    script = "trap 'head -c 5000000 /dev/zero; echo >cleaned; exit' TERM; echo; while :; do sleep 0.02; done"

    async def main():
        async with aclosing(shell().run([line(script, cwd=str(tmp_path))], Lane.STREAM)) as bunches:
            async for bunch in bunches:
                if text(bunch):
                    break

    asyncio.run(main())
    assert (tmp_path / "cleaned").exists()


def test_cancelled_task_ends_its_job():
    """Cancelling the task of a run ends the job, as `cancel` does."""

    async def main():
        task = asyncio.create_task(collect(shell(), [line("exec sleep 60")], Lane.STREAM))
        await until(lambda: bool(psutil.Process().children()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return psutil.Process().children()

    assert asyncio.run(main()) == []


def test_close_ends_every_run():
    """After `close` nothing runs; what ran has failed, what had not begun is given back."""

    async def main():
        handler = shell(batch_slots=2)
        jobs = [line("sleep 0.1; exec sleep 60", n) for n in (1, 2, 3)]
        task = asyncio.create_task(collect(handler, jobs, Lane.BATCH))
        await until(lambda: len(psutil.Process().children()) == 2)
        await handler.close()
        assert not psutil.Process().children()
        return ends(await task)

    found = asyncio.run(main())
    assert [found[n].reason for n in (1, 2, 3)] == ["killed by SIGTERM", "killed by SIGTERM", "hybridq is stopping"]
    assert [found[n].gave_back for n in (1, 2, 3)] == [False, False, True]


def test_batch_slots_hold_over_all_runs(tmp_path):
    """Two batch runs at once together never run more jobs than there are slots, and all of them end."""
    script = "n=$(ls running* 2>/dev/null | wc -l); echo $n; : > running$$; sleep 0.02; rm running$$"

    async def main():
        handler = shell(batch_slots=2)
        jobs = [[line(script, n, cwd=str(tmp_path)) for n in numbers] for numbers in (range(10), range(10, 20))]
        return [
            event for events in await asyncio.gather(*(collect(handler, each) for each in jobs)) for event in events
        ]

    events = asyncio.run(main())
    assert len(ends(events)) == 20
    assert {int(event.data) for event in events if isinstance(event, Partial)} <= {0, 1}


def test_waiting_runs_let_each_other_sleep(monkeypatch):
    """Runs that share the slots look again only when something happened: they do not wake each other for ever."""
    steps = []
    step = _Commands.step
    monkeypatch.setattr(_Commands, "step", lambda run: steps.append(run) or step(run))

    async def main():
        handler = shell(batch_slots=2)
        await asyncio.gather(*(collect(handler, [line("sleep 0.2", n)], Lane.BATCH) for n in range(3)))

    asyncio.run(main())
    assert len(steps) < 50


def test_batch_jobs_run_at_low_priority():
    """A batch job leaves the processor to others; a stream job does not."""
    script = f"sleep 0.1; {sys.executable} -S -c 'import os; print(os.nice(0))'"
    assert text(run(shell(), [line(script)], Lane.BATCH)) == b"19\n"
    assert text(run(shell(), [line(script)], Lane.STREAM)) == b"%d\n" % os.nice(0)


def test_one_bad_command_fails_alone():
    """In a batch the jobs that cannot start or fail are told apart from those that run."""
    found = ends(run(shell(), [argv("true"), argv("/nowhere", number=2), line("exit 1", 3), argv("true", number=4)]))
    assert [number for number, end in sorted(found.items()) if isinstance(end, Failure)] == [2, 3]


def test_commands_never_detach():
    """There is nothing to resume."""
    with pytest.raises(ValueError, match="never detaches"):
        shell().resume(Detached((), {}))


def test_check_names_the_shell():
    """`check` says how jobs would run."""
    assert "/bin/sh" in asyncio.run(shell().check())
