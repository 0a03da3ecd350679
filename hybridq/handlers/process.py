"""One child process under asyncio, leader of its own session and process group, and the variables that it may see.

Rule: no key reaches a child by accident.
"""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, cast

from .ending import cannot_start
from .pipes import PipeReader, PipeWriter

MARK = "HYBRIDQ_RUNNER"  # names the runner, so that what it leaves behind when it dies can be found
PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", MARK)
PASSED_PREFIXES = ("LC_", "PYTHON")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}  # else what a Python program prints is seen at its end; its own value wins


_inherited: set[int] = set()


@contextlib.contextmanager
def inherited(*descriptors: int) -> Iterator[None]:
    """These open files go on to all that is started meanwhile, and to all that those start."""
    _inherited.update(descriptors)
    try:
        yield
    finally:
        _inherited.difference_update(descriptors)


def handed_on() -> tuple[int, ...]:
    """The open files that a process which is started now has beside its own three."""
    return tuple(_inherited)


def mark() -> dict[str, str]:
    """The mark of this runner, where it has one."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def worker_environment(own: Mapping[str, str], further: Sequence[str]) -> dict[str, str]:
    """What a worker sees of our environment: what programs need to run, and the variables named by `further`."""
    names = {*PASSED, *further}
    seen = {key: value for key, value in own.items() if key in names or key.startswith(PASSED_PREFIXES)}
    return UNBUFFERED | seen


OURS: set[int] = set()  # the processes that a Child waits for
DRAIN = 0.2  # seconds after the exit in which others that hold the pipes may still be heard
GRACE = 5.0  # seconds between SIGTERM and SIGKILL


async def woken(event: asyncio.Event, until: float) -> None:
    """Until somebody sets the event, or it is set at `until` by the event loop's clock; infinity: by others alone."""
    loop = asyncio.get_running_loop()
    timer = None if until == math.inf else loop.call_at(until, event.set)
    try:
        await event.wait()
    finally:
        if timer:
            timer.cancel()


def _start(
    argv: Sequence[str], cwd: str | None, env: Mapping[str, str] | None, stdin: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - running what the user asked for is the product
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=cwd,
            env=env,
            start_new_session=True,
            pass_fds=handed_on(),
        )
    except (OSError, ValueError) as error:
        raise cannot_start(error, argv[0], cwd) from None


class Child:
    """A running process. `wake` is called whenever something arrived, the input was refused, or it ended. Its input is
    `fed` through `input`, or it is the file `stdin`, or empty.

    Raises CannotStart with the reason when there is no such process to run.
    """

    def __init__(
        self,
        argv: Sequence[str],
        wake: Callable[[], None],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        fed: bool = False,
        stdin: IO[bytes] | None = None,
        limit: int = sys.maxsize,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._wake = wake
        began = time.monotonic()
        self._process = _start(argv, cwd, env, subprocess.PIPE if fed else stdin or subprocess.DEVNULL)
        self.pid = self._process.pid
        OURS.add(self.pid)
        self.ended = False
        self._began, self.ran = began, 0.0  # `ran`: seconds until the process itself exited
        self._exited = self._ending = self._killed = False
        self._timer: asyncio.TimerHandle | None = None
        self.out = PipeReader(loop, cast("IO[bytes]", self._process.stdout), self._heard, limit)
        self.err = PipeReader(loop, cast("IO[bytes]", self._process.stderr), self._heard, limit)
        self.input = PipeWriter(loop, self._process.stdin, wake) if self._process.stdin else None
        self._watch()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None until it ended."""
        return self._process.returncode if self.ended else None

    @property
    def dropped(self) -> int:
        """Bytes of output that were over the limit."""
        return self.out.dropped + self.err.dropped

    def lower(self) -> None:
        """Give the group the lowest CPU priority; on Linux its I/O priority follows (ioprio_set(2))."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self.pid, 19)

    def terminate(self) -> None:
        """End the group: politely now, by force after GRACE seconds. `wake` tells when it is over."""
        if self.ended or self._ending:
            return
        self._ending = True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        self._after(GRACE, self.kill)

    def kill(self) -> None:
        """End the group by force, now."""
        if self.ended:
            return
        self._ending = self._killed = True
        self._signal(signal.SIGKILL)
        if self._exited:
            self._settle()

    def _watch(self) -> None:
        """Notice the exit through a pidfd where the system has them, else with a thread."""
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            threading.Thread(target=self._await_exit, daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._pidfd_exit)

    def _await_exit(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._exit)

    def _pidfd_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._exit()

    def _exit(self) -> None:
        self._exited = True
        self.ran = time.monotonic() - self._began
        self._settle()

    def _settle(self) -> None:
        """The leader is gone: end when the pipes are empty, or others have had their time."""
        self.out.drain()
        self.err.drain()
        if self.out.ended and self.err.ended:
            self._finish()
        elif self._killed or not self._ending:
            self._after(DRAIN, self._finish)

    def _heard(self) -> None:
        if self._exited and not self.ended and self.out.ended and self.err.ended:
            self._finish()
        else:
            self._wake()

    def _finish(self) -> None:
        if self.ended:
            return
        if self._ending or self.input:
            # Whoever of the group outlived its leader. What a command leaves behind on its own is meant to live,
            # a worker's helpers are not.
            self._signal(signal.SIGKILL)
        if self._timer:
            self._timer.cancel()
        for pipe in (self.out, self.err):
            pipe.drain()
            pipe.close()
        if self.input:
            self.input.close()
        self._process.wait()
        OURS.discard(self.pid)
        self.ended = True
        self._wake()

    def _after(self, delay: float, then: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, then)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
