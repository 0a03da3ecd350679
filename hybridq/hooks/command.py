"""One hook's process: fed a document, ended with all that it started when it takes too long.

Rule: it sees no more of the environment than a worker does, what desktops need, and what its settings name.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..config.values import HooksConfig
from ..handlers.ending import CannotStart
from ..handlers.process import Child, worker_environment
from ..scrub import scrub
from .event import Event
from .urls import expanded

SHELL = "/bin/sh"
HEARD = 4096  # bytes of what it says that are kept
DESKTOP = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "USER", "LOGNAME")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


async def tell_command(hooks: HooksConfig, event: Event, folder: Path) -> str:
    """Run the command of an event in `folder`; why it failed, "" where it did not."""
    seen = worker_environment(os.environ, (*DESKTOP, *hooks.env)) | event.variables()
    data = msgspec.json.encode(event) + b"\n"
    return await run([SHELL, "-c", hooks.command(event.event)], data, seen, hooks.timeout, str(folder))


async def tell_by_url(hooks: HooksConfig, title: str, text: str, kind: str) -> str:
    """Send a message to all of `notify`, of a kind by `severity`; why it could not be sent, "" where it was."""
    urls, missing = expanded(hooks.notify, os.environ)
    if missing:
        return f"{missing} is not set, which notify names"
    seen = worker_environment(os.environ, (*DESKTOP, *PROXIES))
    data = msgspec.json.encode({"urls": urls, "title": title, "text": text, "kind": kind})
    return await run([sys.executable, "-m", "hybridq.hooks.sending"], data, seen, hooks.timeout)


async def run(argv: Sequence[str], data: bytes, env: Mapping[str, str], most: float, cwd: str | None = None) -> str:
    """Feed a process its input and wait for its end, `most` seconds at most; why it failed, "": it did not."""
    woke = asyncio.Event()
    try:
        child = Child(argv, woke.set, cwd=cwd, env=env, fed=True, limit=HEARD)
    except CannotStart as refused:
        return str(refused)
    assert child.input is not None  # noqa: S101 - it is fed
    child.input.feed(data)
    child.input.end()
    try:
        async with asyncio.timeout(most):
            await _ended(child, woke)
    except TimeoutError:
        return f"it took longer than {most:g} s and was ended"
    finally:
        child.kill()
        await _ended(child, woke)
    return _why(child.returncode or 0, child.err.take())


async def _ended(child: Child, woke: asyncio.Event) -> None:
    while not child.ended:
        await woke.wait()
        woke.clear()


def _why(code: int, said: bytes) -> str:
    if not code:
        return ""
    how = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
    lines = scrub(said.decode("utf-8", "replace")).strip().splitlines()
    return f"{how}: {lines[-1]}" if lines else how
