"""Schedules as people see them: a row each, or all that is known of one.

Rule: what does not fit is left out whole, the next time last; into a pipe one row is one line, with single tabs.
"""

import sys
from collections.abc import Iterator, Sequence

from hybridq.brain.recurrence import written
from hybridq.queue.schedules import Occurrence
from hybridq.status.recurring import Recurring, ScheduleDetail
from hybridq.visible import visible_line
from hybridq.when import clock, count, eta, how_many, money, span
from hybridq.when import written as spelled

from ..tell import is_tty
from .trying import retries
from .words import NONE, SEPARATOR

TITLES = ("NAME", "WHEN", "NEXT", "LAST", "ETA", "SAVED", "NOTE")
FIELD = 400  # cells
WHAT = 200  # cells of a command
STEPS = (("NAME", 24), ("NEXT", 0), ("LAST", 40), ("WHEN", 40), ("ETA", 20), ("SAVED", 16), ("NOTE", 80), ("NEXT", 80))


def print_schedules(found: Sequence[Recurring], now: float) -> None:
    """Print a row each."""
    if not found:
        return
    rows = [tuple(visible_line(field, FIELD) for field in _fields(each, now)) for each in found]
    if is_tty(sys.stdout):
        from .terminal import screen

        console = screen()
        if not console.is_dumb_terminal:
            _draw(rows, console.size.width)
            return
    for row in (TITLES, *rows):
        print("\t".join(row))


def print_schedule(found: ScheduleDetail, now: float) -> None:
    """Print all that is known of one."""
    facts = [(name, text) for name, text in _facts(found, now) if text]
    wide = max(len(name) for name, _ in facts)
    for name, text in facts:
        print(f"{name:>{wide}}  {visible_line(text, FIELD)}")


def next_words(found: Recurring, now: float) -> str:
    """`next tomorrow 02:00, 2026-12-02 02:00`, or that it is paused."""
    return f"next {_next(found, now)}" if found.next else "paused"


def _fields(found: Recurring, now: float) -> tuple[str, ...]:
    return (
        found.name,
        _when(found),
        _next(found, now) if found.next else "paused",
        _last(found, now),
        _eta(found, now),
        _saved(found),
        _note(found),
    )


def _draw(rows: Sequence[tuple[str, ...]], width: int) -> None:
    from .cells import GAP, MARGIN, Cell, Column, layout

    columns = []
    for place, title in enumerate(TITLES):
        cells = [Cell(row[place]) for row in rows]
        most = max(len(title), *(cell.widest for cell in cells))
        least = max(len(title), *(len(row[place].partition(",")[0]) for row in rows)) if title == "NEXT" else most
        columns.append(Column(title, cells, least, most))
    widths = layout(columns, STEPS, width - MARGIN)
    for line in (TITLES, *rows):
        fields = [_cut(text, widths[title]) for title, text in zip(TITLES, line, strict=True) if title in widths]
        print((" " * MARGIN + (" " * GAP).join(fields)).rstrip())


def _cut(text: str, width: int) -> str:
    """Of several instants those that fit whole."""
    from .cells import fit

    while len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return fit(text, width)


def _when(found: Recurring) -> str:
    return found.timing if found.within is None else f"{found.timing} +{spelled(found.within)}"


def _next(found: Recurring, now: float) -> str:
    return ", ".join(clock(at, now) for at in found.next)


def _last(found: Recurring, now: float) -> str:
    if found.last is None:
        return NONE
    return f"{_state(found.last)} {clock(found.last.instant, now)}"


def _state(of: Occurrence) -> str:
    return NONE if of.state is None else of.state.value


def _eta(found: Recurring, now: float) -> str:
    return NONE if found.eta is None else eta(found.eta, found.eta90, now)


def _saved(found: Recurring) -> str:
    return NONE if not found.jobs or found.saved is None else money(found.saved, found.currency, fine=True)


def _note(found: Recurring) -> str:
    failed = f"{count(found.failed)} failed" if found.failed else ""
    missed = f"{count(found.instants_missed)} missed" if found.instants_missed else ""
    overlapped = f"{count(found.instants_overlapped)} left out" if found.instants_overlapped else ""
    unended = f"{how_many(len(found.unended))} not ended" if found.unended else ""
    return SEPARATOR.join(filter(None, (unended, failed, missed, overlapped)))


def _facts(found: ScheduleDetail, now: float) -> Iterator[tuple[str, str]]:
    yield "schedule", found.name
    yield "what", visible_line(found.what, WHAT)
    yield "when", f"{found.timing} in {found.zone}"
    yield (
        "window",
        "" if found.within is None else f"{spelled(found.within)} from each time; it runs when that is cheapest",
    )
    yield "next", _next(found, now) if found.next else "paused: hybridq schedule resume " + found.name
    yield "next runs as", found.mode if found.next and not found.unended else ""
    yield "ETA", "" if found.eta is None else eta(found.eta, found.eta90, now)
    yield "not ended", ", ".join(f"job {job}" for job in found.unended)
    yield "if missed", found.missed.value
    yield "if overlapping", found.overlap.value
    yield from _asked(found)
    yield "jobs", _ran(found)
    yield "missed", f"{how_many(found.instants_missed, 'time')} left out" if found.instants_missed else ""
    yield "overlapped", f"{how_many(found.instants_overlapped, 'time')} left out" if found.instants_overlapped else ""
    for each in found.occurrences:
        yield written(each.instant, found.zone), _told(each)


def _asked(found: ScheduleDetail) -> Iterator[tuple[str, str]]:
    yield "group", found.group or ""
    yield "folder", found.cwd or ""
    yield "variables", " ".join(found.env)
    yield "priority", str(found.priority) if found.priority else ""
    yield "retries", retries(found.retries, found.backoff, found.retry_on) if found.retries else ""
    factor, limit = found.timeout_factor, "" if found.timeout is None else span(found.timeout)
    yield "time limit", limit if factor is None else f"{factor:g}x the usual time"
    yield "cost limit", "" if found.max_cost is None else money(found.max_cost, found.currency, fine=True)


def _ran(found: Recurring) -> str:
    if not found.jobs:
        return "none yet"
    cost = money(found.cost, found.currency, fine=True)
    saved = "not known yet" if found.saved is None else money(found.saved, found.currency, fine=True)
    failed = [f"{count(found.failed)} failed"] if found.failed else []
    return SEPARATOR.join([how_many(found.jobs), *failed, f"cost {cost}", f"saved {saved}"])


def _told(of: Occurrence) -> str:
    if of.job is not None:
        code = f" with exit code {of.exit_code}" if of.exit_code else ""
        return f"job {of.job}, {_state(of)}{code}"
    why = {
        "missed": "nothing ran",
        "overlap": "the one before had not ended",
        "key": "its key belongs to another job",
    }.get(of.kind, of.kind)
    many = "" if of.instants == 1 else f", the last of {count(of.instants)}"
    return f"left out{many}: {why}"
