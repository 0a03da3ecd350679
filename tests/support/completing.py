"""What the completion scripts are tried on: a queue with names to complete, and `hybridq` as a program of its own."""

import sys
from pathlib import Path

from hybridq.brain.occurrence import Missed, Overlap
from hybridq.home import Home
from hybridq.job import Audience, Decision, Mode, Request
from hybridq.queue import schedules
from hybridq.queue.intake import accept
from hybridq.queue.schedules import Schedule
from hybridq.queue.store import Store
from hybridq.reason import said

KEPT = Path(__file__).parents[2] / "completions"


def filled(folder: Path, hostile: str, *more: str, last: int = 3) -> Path:
    """The folder as a home with a handler, the groups `nightly`, `hostile` and those named, the schedule
    `weekly-audit`, and a job `last`."""
    folder.chmod(0o700)
    (folder / "config.toml").write_text("[handlers.digest]\ncommand = 'cat'\n")
    with Store.open(Home.find({"HYBRIDQ_HOME": str(folder)})) as store:
        for group in ("nightly", hostile, *more, None):
            if group is None:
                with store.tx() as connection:
                    connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'job'", (last - 1,))
            request = Request(handler="digest", audience=Audience.USER, group=group)
            accept(store, request, b"x", lambda *_: (Decision(mode=Mode.BATCH, reason=said("x")), 0.0), now=1.0)
        schedules.add(store, _schedule("weekly-audit"))
    return folder


def _schedule(name: str) -> Schedule:
    return Schedule(
        name=name,
        timing="@weekly",
        zone="UTC",
        since=0.0,
        within=None,
        missed=Missed.ONCE,
        overlap=Overlap.QUEUE,
        request=Request(handler="digest", audience=Audience.BACKGROUND),
        input=b"x",
        reached=0.0,
        due=None,
    )


def program(path: Path) -> Path:
    """An executable file there that is `hybridq`."""
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from hybridq_cli.main import run; run()" "$@"\n')
    path.chmod(0o755)
    return path
