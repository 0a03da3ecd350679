"""Snapshots made by hand, for the views: a busy afternoon, rows of every kind, and what a view makes of them."""

import io

from rich.console import Console, RenderableType

from hybridq.job import Audience, Lane, Mode, State
from hybridq.status.snapshot import Head, Row, Snapshot

NOW = 1_795_443_515.0
HOSTILE = "a\x1b[2J\x1b]52;c;eA==\x07\u202eb\nc\x9b31m[/nope][bold]\x00"


def row(
    number: int, what: str = "digest a.md", *, mode: Mode = Mode.STREAM, state: State = State.QUEUED, **more: object
) -> Row:
    """One job; `more` overrides any field."""
    fields: dict[str, object] = {
        "id": number,
        "last": number,
        "group": None,
        "what": what,
        "handler": "digest",
        "audience": Audience.BACKGROUND,
        "mode": mode,
        "lane": Lane.STREAM if mode is Mode.STREAM else Lane.BATCH,
        "state": state,
        "counts": {state: 1},
        "submitted": NOW - 900,
    }
    return Row(**{**fields, **more})  # type: ignore[arg-type]


def group(first: int, name: str, counts: dict[State, int], state: State, **more: object) -> Row:
    """One group of the batch lane."""
    last = first + sum(counts.values()) - 1
    return row(first, name, mode=Mode.BATCH, state=state, last=last, group=name, counts=counts, **more)


def busy(now: float = NOW, held: int = 20, hidden: int = 0) -> Snapshot:
    """A person's job that streams, a group that is flushed, `held` jobs that wait for the night, one that failed."""
    night = now + 8 * 3600
    rows = [
        row(
            900,
            "transcribe müller.wav",
            state=State.RUNNING,
            started=now - 72,
            eta=now + 48,
            eta90=now + 70,
            why="--follow",
        ),
        group(101, "stdlib", {State.QUEUED: 5836, State.DONE: 4161, State.FAILED: 3}, State.RUNNING, eta=now + 840),
        row(
            899, "shell ./backup.sh", state=State.FAILED, started=now - 60, finished=now - 2, exit_code=3, why="exit 3"
        ),
    ]
    why = "held until the night: saves 1.80, waiting costs 0.12"
    rows += [
        row(800 - n, f"ocr page-{n}.png", mode=Mode.BATCH, eta=night + n, eta90=night + 2 * n + 60, why=why)
        for n in range(held)
    ]
    head = Head(
        now=now,
        daemon="pid 4711, since 09:12",
        load=0.42,
        factor_name="day",
        factor_until=night,
        factor_next=0.4,
        counts={State.RUNNING: 1, State.QUEUED: 5836 + held, State.DONE: 4161, State.FAILED: 4},
        held=5836 + held,
        next_flush=night,
        next_flush_why="saves 1.80, waiting costs 0.12",
        cost=4.2,
        saved=12.6,
    )
    return Snapshot(head=head, rows=tuple(rows), hidden=hidden)


def console(width: int = 120, height: int = 30, **more: object) -> Console:
    """A terminal that keeps what is written to it; `more` overrides what it can do."""
    settings: dict[str, object] = {"force_terminal": True, "color_system": "256", "legacy_windows": False}
    file = io.StringIO()
    return Console(file=file, width=width, height=height, _environ={}, **{**settings, **more})  # type: ignore[arg-type]


def shown(view: RenderableType, **more: object) -> str:
    """What a pipe would get: no colours, no controls of ours."""
    target = console(**{"force_terminal": False, "color_system": None, **more})
    target.print(view)
    return target.file.getvalue()  # type: ignore[attr-defined]


def queue(rows: list[Row], **head: object) -> Snapshot:
    """A snapshot of these rows alone; `head` overrides any field of the head."""
    return Snapshot(head=Head(now=NOW, **head), rows=tuple(rows))  # type: ignore[arg-type]
