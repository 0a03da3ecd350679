"""Commands of hybridq as processes that are forked from one that has the libraries loaded, so that each begins in a
third of the time.

They are as real as others: the environment, folder, standard streams, exit code and signals are their own, and of
hybridq itself nothing is loaded before the fork. What reads the environment as Python starts is not for them: see
`alike`. The first command starts the server, which ends with the process that started it.
"""

import contextlib
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from threading import Lock, Thread
from typing import BinaryIO

LIBRARIES = "asyncio json logging msgspec sqlite3 ssl typer typer._click.core"
_LOCK = Lock()
AS_PYTHON_STARTS = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC")  # what names of variables begin with


def alike(env: Mapping[str, str]) -> bool:
    """Whether a Python that starts with this environment would be as this one is, on a system that can do this."""
    names = {name for name in (*env, *os.environ) if name.startswith(AS_PYTHON_STARTS)}
    return hasattr(os, "memfd_create") and all(env.get(name) == os.environ.get(name) for name in names)


def run(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    given: bytes | None,
    stdin: int | None,
    cwd: str | None,
    timeout: float,
) -> "subprocess.CompletedProcess[bytes]":
    """`hybridq ARGS` to its end. `given` comes through a pipe; else `stdin` is read. Raises TimeoutExpired."""
    with contextlib.ExitStack() as stack:
        out, err = _Pipe(stack), _Pipe(stack)
        fed = None if given is None else _Pipe(stack)
        null = stack.enter_context(open(os.devnull, "rb"))
        source = fed.reads.fileno() if fed else null.fileno() if stdin == subprocess.DEVNULL else stdin or 0
        answer = _begin([*args], env, cwd, (source, out.writes.fileno(), err.writes.fileno()))
        reading = [Thread(target=pipe.read, daemon=True) for pipe in (out, err)]
        if fed is not None:
            fed.reads.close()
            reading.append(Thread(target=fed.feed, args=[given], daemon=True))
        for thread, pipe in zip(reading, (out, err, None), strict=False):
            if pipe is not None:
                pipe.writes.close()
            thread.start()
        until = time.monotonic() + timeout
        code = _wait(answer, timeout)
        for thread in reading[:2]:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired("hybridq", timeout)
    return subprocess.CompletedProcess(["hybridq", *args], code, b"".join(out.data), b"".join(err.data))


class _Pipe:
    """A pipe, and what was read from it."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        reads, writes = os.pipe()
        self.reads = stack.enter_context(os.fdopen(reads, "rb", buffering=0))
        self.writes = stack.enter_context(os.fdopen(writes, "wb", buffering=0))
        self.data: list[bytes] = []

    def read(self) -> None:
        """Read to its end."""
        while data := self.reads.read(1 << 16):
            self.data.append(data)

    def feed(self, data: bytes) -> None:
        """Write all of it, or as much as is wanted."""
        with contextlib.suppress(BrokenPipeError), self.writes:
            view = memoryview(data)
            while view:
                view = view[self.writes.write(view) :]


def _begin(args: list[str], env: Mapping[str, str], cwd: str | None, streams: tuple[int, int, int]) -> BinaryIO:
    """Where its pid is told at once, and its wait status at its end."""
    request = os.memfd_create("request")
    answer, told = os.pipe()
    try:
        there = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
        wanted = [list(map(os.fsdecode, args)), there, cwd and os.fsdecode(cwd)]
        os.write(request, json.dumps(wanted).encode())
        with _LOCK:
            socket.send_fds(_server(), [b"."], [request, told, *streams])
    finally:
        os.close(request)
        os.close(told)
    return os.fdopen(answer, "rb", buffering=0)


def _wait(answer: BinaryIO, timeout: float) -> int:
    with answer:
        pid = _number(answer)
        if not select.select([answer], [], [], timeout)[0]:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired("hybridq", timeout)
        return os.waitstatus_to_exitcode(_number(answer))


def _number(answer: BinaryIO) -> int:
    return int.from_bytes(answer.read(4), sys.byteorder)


@cache
def _server() -> socket.socket:
    """It is no child of this process, of which tests ask what it has started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        argv = [sys.executable, __file__, "hybridq", str(theirs.fileno())]  # named for whoever lists processes
        subprocess.run(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, check=True, timeout=60)
    return ours


def _run() -> None:
    from hybridq_cli.main import run as command

    command()


def _serve(number: int) -> bool:
    """Fork for each request until the other side has gone: True in a child, that has become the command."""
    for name in LIBRARIES.split():
        __import__(name)
    gc.freeze()
    running: dict[int, int] = {}
    rings, rung = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rung)
    with socket.socket(fileno=number) as server:
        while True:
            ready, _, _ = select.select([server, rings], [], [])
            if rings in ready:
                os.read(rings, 1 << 16)
                _reap(running)
            if server not in ready:
                continue
            said, fds, _, _ = socket.recv_fds(server, 1, 5)
            if not said:
                return False
            request, told, *streams = fds
            pid = os.fork()
            if pid == 0:
                server.detach()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _become(request, streams)
                return True
            for each in (request, *streams):
                os.close(each)
            running[pid] = told
            os.write(told, pid.to_bytes(4, sys.byteorder))


def _reap(running: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            told = running.pop(found[0])
            with contextlib.suppress(BrokenPipeError):
                os.write(told, found[1].to_bytes(4, sys.byteorder))
            os.close(told)


def _become(request: int, streams: list[int]) -> None:
    """This process becomes the command that was asked for."""
    with open(request, "rb") as file:
        file.seek(0)
        args, env, cwd = json.loads(file.read())
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    if cwd is not None:
        os.chdir(cwd)
    sys.argv[:], sys.path[0] = ["-c", *args], ""
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, name)
        raw = io.FileIO(place, "r" if place == 0 else "w", closefd=False)
        buffered = io.BufferedReader(raw) if place == 0 else io.BufferedWriter(raw)
        stream = io.TextIOWrapper(
            buffered, encoding=was.encoding, errors=was.errors, line_buffering=place == 2 or raw.isatty()
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    if _serve(int(sys.argv[2])):
        _run()
