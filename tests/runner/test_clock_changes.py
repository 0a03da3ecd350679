"""A real daemon in a night in which the clock changes, by libfaketime: one occurrence, as Debian's cron would."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.building import HYBRIDQ, until
from tests.support.user import Queue

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is missing: apt-get install faketime"
)
ZONE = "Europe/Berlin"
SKIPPED = ("2026-03-28", "2026-03-29 00:59:57", "2026-03-29 01:29:57", "2026-03-29T03:00:00+02:00")
TWICE = ("2026-10-24", "2026-10-25 00:29:57", "2026-10-25 01:29:57", "2026-10-25T02:30:00+02:00")


def by(queue: Queue, instant: str) -> dict[str, str]:
    """The queue's environment, by a clock that shows this instant, in UTC, when a process begins."""
    told = subprocess.run(["faketime", "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
    preload = next(line.partition("=")[2] for line in told.splitlines() if line.startswith("LD_PRELOAD="))
    clock = {"LD_PRELOAD": preload, "FAKETIME": f"@{instant}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {**queue.environment, **clock, "TZ": "UTC"}


def add(queue: Queue, day: str, name: str, line: str, zone: str) -> None:
    """A schedule that is added at noon of that day."""
    words = ("schedule", "add", name, line, "--zone", zone, "--mode", "stream", "--clean-env", "--", "true")
    subprocess.run([*HYBRIDQ, *words], env=by(queue, f"{day} 12:00:00"), check=True, capture_output=True)


@contextmanager
def daemon(queue: Queue, instant: str) -> Iterator[None]:
    """A daemon that begins then."""
    with (
        (queue.folder / "log").open("ab") as log,
        subprocess.Popen([*HYBRIDQ, "daemon"], env=by(queue, instant), stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def done(queue: Queue, name: str) -> list[str]:
    """The keys of a schedule's jobs that are done."""
    found = "SELECT name FROM key JOIN job ON job.id = key.job WHERE state = 'done' AND name LIKE ? || '@%'"
    return [key for (key,) in queue.rows(found, name)]


@pytest.mark.parametrize(("before", "first", "second", "instant"), [SKIPPED, TWICE], ids=["skipped", "twice"])
def test_half_past_two_comes_once(tmp_path: Path, before: str, first: str, second: str, instant: str) -> None:
    """In spring right after the hour that is left out, in autumn the first time; a daemon that sees half past two
    again, or half past three, makes none."""
    queue = Queue(tmp_path)
    add(queue, before, "nightly", "30 2 * * *", ZONE)
    add(queue, before, "later", "30 1 * * *", "UTC")
    with daemon(queue, first):
        until(lambda: done(queue, "nightly"), 60)
    with daemon(queue, second):
        until(lambda: done(queue, "later"), 60)
    assert done(queue, "nightly") == [f"nightly@{instant}"]
