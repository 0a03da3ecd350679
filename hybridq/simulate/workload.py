"""What a simulation is fed with: arrivals, from a trace, from the queue's own history, or made up by a seed.

Rule: what a trace does not say is drawn from the seed and named in `notes`, so that a reader knows what was
measured and what was supposed. Reading never guesses a format: a line that does not fit is named.
"""

import csv
import errno
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ..errors import BadData, UsageError
from ..files import Takes, open_file
from ..job import Audience
from ..when import parse_deadline, span
from .arrivals import TRACE as TRACE
from .arrivals import Arrival as Arrival
from .arrivals import Arrivals

MONDAY = 1767571200.0  # 2026-01-05 00:00 UTC: where a trace begins whose times are no dates
A_DATE = 1e8  # seconds; an arrival beyond is an instant since 1970, one before is counted from the start
LATEST = 2.5e11  # epoch seconds: before the year 9900


class Workload(Struct, frozen=True):
    """Arrivals in the order of time, what they are, and what had to be supposed of them."""

    arrivals: Sequence[Arrival]
    what: str
    notes: tuple[str, ...] = ()


class Suppose(Struct, frozen=True, kw_only=True):
    """What is supposed of jobs whose trace does not say it: the share that a person waits for, and by when
    the rest must be done (seconds after arrival, one drawn for each job; none: no deadline)."""

    people: float = 0.2
    deadlines: tuple[float, ...] = ()
    seed: int = 1


def read_trace(path: Path, suppose: Suppose) -> Workload:
    """A trace from a file: CSV with a header, the Azure format, or JSON Lines. Raises BadData, OSError."""
    try:
        opened = open_file(path, Takes.PIPES)
    except OSError as problem:
        if problem.errno == errno.EINVAL:
            raise BadData(f"cannot read {path}: {problem.strerror}") from None
        raise
    with TextIOWrapper(opened, encoding="utf-8-sig", errors="strict", newline="") as file:
        try:
            found = Arrivals(_arrivals(path.name, file))
        except UnicodeDecodeError as problem:
            raise BadData(f"{path.name} is not UTF-8 text (byte {problem.start})") from None
    if not found:
        raise BadData(f"{path.name} has no jobs")
    return complete(_anchored(found), path.name, suppose)


def complete(arrivals: Iterable[Arrival], what: str, suppose: Suppose) -> Workload:
    """The arrivals with an audience each, and a deadline where one is supposed; what was supposed is noted."""
    chance, notes, full = random.Random(suppose.seed), [], Arrivals()  # noqa: S311 - a draw, no secret
    silent = 0
    for arrival in arrivals:
        person, by = chance.random() < suppose.people, chance.choice(suppose.deadlines or (math.inf,))
        if arrival.audience is None:
            silent += 1
            arrival = replace(arrival, audience=Audience.USER if person else Audience.BACKGROUND)
        if arrival.audience is Audience.BACKGROUND and arrival.deadline is None and by < math.inf:
            arrival = replace(arrival, deadline=arrival.at + by)
        full.append(arrival)
    if silent:
        notes.append(f"the trace does not say who waits, so a person is assumed for {suppose.people:.0%} of the jobs")
    if suppose.deadlines:
        spans = ", ".join(span(seconds) for seconds in suppose.deadlines)
        notes.append(f"background jobs without a deadline got one of {spans}")
    return Workload(full.ordered(), what, tuple(notes))


def _arrivals(name: str, lines: Iterable[str]) -> Iterator[Arrival]:
    """Each line's job. The first line tells the format."""
    rest = iter(lines)
    first = next(rest, "").strip()
    if first.startswith("{"):
        yield _json_line(name, 1, first)
        for number, line in enumerate(rest, 2):
            if line.strip():
                yield _json_line(name, number, line)
        return
    header = [word.strip() for _, words in _rows(name, iter([first])) for word in words]
    row = _row_reader(name, header)
    for number, cells in _rows(name, rest):
        try:
            yield row(cells)
        except KeyError as problem:
            raise BadData(f"{name}, line {number}: {problem} is missing") from None
        except (ValueError, IndexError, OverflowError, UsageError) as problem:
            raise BadData(f"{name}, line {number}: {problem}") from None


def _rows(name: str, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Each line's cells, with its number; empty lines are none."""
    found = csv.reader(lines)
    try:
        for cells in found:
            if cells:
                yield found.line_num + 1, cells
    except csv.Error as problem:
        raise BadData(f"{name}, line {found.line_num + 1}: {problem}") from None


def _row_reader(name: str, header: Sequence[str]) -> Callable[[list[str]], Arrival]:
    if header[:3] == ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]:
        return lambda cells: Arrival(at=_instant(cells[0]), size=_size(cells[1]), output=_size(cells[2]))
    if {"arrival", "input_size", "output_size"} <= set(header):
        return lambda cells: _named(dict(zip(header, cells, strict=False)))
    raise BadData(
        f"{name} is not a trace: expected CSV with the columns arrival,input_size,output_size"
        "[,audience,deadline,handler,group] or TIMESTAMP,ContextTokens,GeneratedTokens, or JSON Lines with"
        " timestamp (ms), input_length and output_length"
    )


def _named(row: dict[str, str]) -> Arrival:
    at, by = _instant(row["arrival"]), row.get("deadline", "").strip()
    return Arrival(
        at=at,
        size=_size(row["input_size"]),
        output=_size(row["output_size"]),
        audience=_audience(row.get("audience", "").strip()),
        deadline=parse_deadline(by, at, UTC) if by else None,
        handler=row.get("handler", "").strip() or TRACE,
        group=row.get("group", "").strip(),
    )


def _json_line(name: str, number: int, line: str) -> Arrival:
    try:
        found = json.loads(line)
        return Arrival(
            at=_within(_finite(found["timestamp"]) / 1000),
            size=_size(found["input_length"]),
            output=_size(found["output_length"]),
            audience=_audience(str(found.get("audience", ""))),
            handler=str(found.get("handler", "")) or TRACE,
        )
    except KeyError as problem:
        raise BadData(f"{name}, line {number}: {problem} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
        raise BadData(f"{name}, line {number}: {problem}") from None


def _anchored(arrivals: Sequence[Arrival]) -> Iterable[Arrival]:
    """Arrivals that are counted from the start of a trace, put on a Monday."""
    if max(arrival.at for arrival in arrivals) >= A_DATE:
        return arrivals
    return (
        replace(a, at=a.at + MONDAY, deadline=None if a.deadline is None else a.deadline + MONDAY) for a in arrivals
    )


def _instant(text: str) -> float:
    """Seconds as they are, or the instant of an ISO time (UTC where it has no zone)."""
    try:
        seconds = _finite(text)
    except ValueError:
        at = datetime.fromisoformat(text.strip())
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return _within(seconds)


def _within(at: float) -> float:
    if abs(at) > LATEST:
        raise ValueError(f"expected seconds, but {at:g} is beyond any calendar")
    return at


def _size(value: str | float) -> float:
    number = _finite(value)
    if number < 0:
        raise ValueError(f"expected a size of 0 or more, not {number:g}")
    return number


def _finite(value: str | float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a number, not {value}")
    return number


def _audience(word: str) -> Audience | None:
    if not word:
        return None
    if word not in tuple(Audience):
        raise ValueError(f"expected user or background, not {word!r}")
    return Audience(word)
