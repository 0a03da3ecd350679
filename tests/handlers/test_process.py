"""One child process under asyncio: it always ends, and never takes memory or time that it should not."""

import asyncio
import os
import resource
import signal

import psutil
import pytest

from hybridq.handlers import process
from hybridq.handlers.ending import CannotStart
from hybridq.handlers.pipes import HIGH_WATER, READ_SIZE
from hybridq.handlers.process import Child
from hybridq.sentences import how_ended

from ..support.handling import until


def follow(script, act=lambda child: None, **settings):
    """Run a shell script to its end: `act` is called once it runs; returns the child and what it printed."""

    async def main():
        woken = asyncio.Event()
        child = Child(["sh", "-c", script], woken.set, **settings)
        if (more := act(child)) is not None:
            await more
        out = []
        async with asyncio.timeout(20):
            while not child.ended:
                await woken.wait()
                woken.clear()
                out.append(child.out.take())
        return child, b"".join([*out, child.out.take()]), child.err.take()

    return asyncio.run(main())


def running(pid):
    """Whether that process still runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def gone(pid):
    """Wait until that process runs no more."""
    await until(lambda: not running(pid))


def said(child, word):
    """Wait until the child has printed a word."""
    return until(lambda: word in b"".join(child.out._chunks))


def test_output_and_exit_code():
    """What it printed on each stream and how it exited."""
    child, out, err = follow("echo out; echo err >&2; exit 3")
    assert (out, err, child.returncode) == (b"out\n", b"err\n", 3)


def test_exit_is_noticed_without_pidfd(monkeypatch):
    """Where the system has no pidfd, a thread notices the exit just as well."""
    monkeypatch.setattr(os, "pidfd_open", lambda pid: os.open("/nowhere", 0))
    child, out, _ = follow("echo out; exit 3")
    assert (out, child.returncode) == (b"out\n", 3)
    assert follow("sleep 60", Child.terminate)[0].returncode == -signal.SIGTERM


def test_writing_and_reading_at_the_same_time():
    """20 MB through `cat` arrive whole: neither side waits for the other for ever."""
    data = os.urandom(1 << 20) * 20

    def feed(child):
        child.input.feed(data)
        child.input.end()

    assert follow("cat", feed, fed=True)[1] == data


def test_child_that_never_reads_holds_up_nothing():
    """Feeding a child that does not read returns at once, tells what is unread, and ending it works."""

    def feed(child):
        child.input.feed(b"x" * 50_000_000)
        assert child.input.unread == 50_000_000
        child.terminate()

    child, _, _ = follow("sleep 60", feed, fed=True)
    assert child.returncode == -signal.SIGTERM
    assert child.input.unread == 50_000_000


def test_closed_input_is_noticed():
    """A child that closes its input is known to refuse, also when nothing is being written."""

    async def see(child):
        await until(lambda: child.input.refused)
        child.input.feed(b"more")
        child.terminate()

    follow("exec <&-; sleep 60", see, fed=True)


def test_unread_input_is_counted():
    """The bytes that a child has not read are counted while it lives and after it died."""

    async def feed(child):
        child.input.feed(b"one\ntwo\n")
        await said(child, b"one")
        assert child.input.unread == 4
        child.kill()

    child, _, _ = follow("read line; echo $line; sleep 60", feed, fed=True)
    assert child.input.unread == 4


def test_output_that_nobody_takes_is_not_read():
    """A child that prints for ever waits for whoever takes its output; then it goes on."""

    async def watch(child):
        await until(lambda: child.out._paused)
        held = child.out.take()
        assert HIGH_WATER <= len(held) < HIGH_WATER + READ_SIZE
        await until(lambda: child.out._paused)
        child.terminate()

    follow("yes", watch)


def test_output_over_the_limit_is_dropped_and_counted():
    """What is over the limit is read, counted and not kept, so that the child ends as if it were."""
    child, out, err = follow("head -c 3000000 /dev/zero; head -c 10 /dev/zero >&2", limit=1000)
    assert (len(out), len(err), child.dropped, child.returncode) == (1000, 10, 2_999_000, 0)


def test_sigterm_that_is_ignored_is_followed_by_sigkill(monkeypatch):
    """After the grace time the child and its children are killed."""
    monkeypatch.setattr(process, "GRACE", 0.1)

    async def end(child):
        await said(child, b"\n")
        child.terminate()

    child, out, _ = follow("trap '' TERM; sleep 60 & echo $!; wait; sleep 60", end)
    assert child.returncode == -signal.SIGKILL
    asyncio.run(gone(int(out)))


def test_stopped_child_is_ended():
    """A child that stopped itself gets the signal all the same."""

    async def end(child):
        await until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
        child.terminate()

    assert follow("kill -STOP $$", end)[0].returncode == -signal.SIGTERM


def test_group_gets_its_time_to_end_well():
    """When the leader dies at once of SIGTERM, a child of it that cleans up is heard to its end."""

    async def end(child):
        await said(child, b"ready")
        child.terminate()

    script = "sh -c 'trap \"sleep 0.3; echo bye; exit\" TERM; echo ready; while :; do sleep 0.05; done'; :"
    child, out, _ = follow(script, end)
    assert child.returncode == -signal.SIGTERM
    assert out.endswith(b"bye\n")


def test_grandchild_on_the_pipe_is_not_waited_for():
    """The child's exit ends it, though a process that it left behind holds its pipes; that one lives on."""
    child, out, _ = follow("sleep 60 & echo $!")
    try:
        assert child.returncode == 0
        assert child.ran < 10
        assert running(int(out))
    finally:
        os.kill(int(out), signal.SIGKILL)


def test_output_of_the_exit_is_whole():
    """What a child prints just before it exits is there, though nobody took anything before."""

    async def main():
        child = Child(["head", "-c", "900000", "/dev/zero"], lambda: None)
        await until(lambda: child.ended)
        return child.out.take()

    assert len(asyncio.run(main())) == 900_000


def test_low_priority_is_the_whole_groups():
    """A lowered child and what it starts run at the lowest priority."""
    _, out, _ = follow("sleep 0.1; nice; sh -c nice", lambda child: child.lower())
    assert out.split() == [b"19", b"19"]


@pytest.mark.parametrize(
    ("argv", "settings", "reason", "code"),
    [
        (["/nowhere/at/all"], {}, "no such command: /nowhere/at/all", 127),
        (["no-such-command"], {}, "no such command: no-such-command", 127),
        (["/etc/passwd"], {}, "not executable: /etc/passwd", 126),
        (["/etc"], {}, "not executable: /etc", 126),
        (["true"], {"cwd": "/nowhere"}, "no such folder: /nowhere", 126),
        (["true"], {"cwd": "/etc/passwd"}, "cannot enter the folder (Not a directory): /etc/passwd", 126),
        (["a\0b"], {}, "cannot start: embedded null byte", None),
        (["true", "x" * 10_000_000], {}, "cannot execute true: Argument list too long", 126),
    ],
    ids=range(8),
)
def test_what_cannot_start_says_why(argv, settings, reason, code):
    """No such command, not executable, no such folder: told apart, with the codes of a shell."""

    async def main():
        with pytest.raises(CannotStart) as caught:
            Child(argv, lambda: None, **settings)
        return caught.value

    why = asyncio.run(main())
    assert (why.reason, why.exit_code, why.retryable) == (reason, code, False)


def test_full_machine_is_worth_another_try():
    """When there is no free process or file handle the reason says so, and another try may help."""

    async def main():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # the standard streams have these
        try:
            with pytest.raises(CannotStart) as caught:
                Child(["true"], lambda: None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return caught.value

    why = asyncio.run(main())
    assert why.reason.startswith("no free process or file handle")
    assert why.retryable


def test_endings_in_words():
    """Exit codes and signals as a user reads them, also a signal without a name."""
    assert [how_ended(code) for code in (0, 3, -11, -50)] == [
        "exit code 0",
        "exit code 3",
        "killed by SIGSEGV",
        "killed by signal 50",
    ]
