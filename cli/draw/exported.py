"""Records of jobs as lines of JSON, as CSV, or as a table for people; each is made as it comes.

Rule: JSON and CSV hold all of a record, the table its beginning in one line a job. To a terminal nothing goes that it
might obey.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from hybridq.status.rows import subject
from hybridq.visible import visible
from hybridq.when import money, span

from ..documents import JobRecord
from ..tell import harmless

COLUMNS = JobRecord.__struct_fields__
TITLES = ("ID", "GROUP", "STATE", "EXIT", "TOOK", "COST", "INPUT", "OUTPUT")
GROUP_MOST, INPUT_SHARE = 20, 0.4


class Format(Protocol):
    """One way to write records down."""

    def head(self) -> str:
        """What stands before the first."""
        ...

    def text(self, records: Sequence[JobRecord]) -> str:
        """These records, with their line ends."""
        ...


class JsonLines:
    """An object a line."""

    def head(self) -> str:
        """See `Format`."""
        return ""

    def text(self, records: Sequence[JobRecord]) -> str:
        """See `Format`."""
        return "".join(f"{harmless(msgspec.json.encode(each).decode())}\n" for each in records)


class Csv:
    """A row a job, under the names of the fields; instants are ISO 8601 in UTC, as in the SQL views."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown  # on a terminal

    def head(self) -> str:
        """See `Format`."""
        return self._rows([COLUMNS])

    def text(self, records: Sequence[JobRecord]) -> str:
        """See `Format`."""
        return self._rows(map(_row, records))

    def _rows(self, rows: Iterable[Sequence[object]]) -> str:
        made = io.StringIO()
        csv.writer(made).writerows(rows)
        return visible(made.getvalue()) if self._shown else made.getvalue()


class Table:
    """A line a job, cut to the width. How wide its columns are, the first records say."""

    def __init__(self, width: int, currency: str) -> None:
        self._width, self._currency = width, currency
        self._widths: list[int] = []

    def head(self) -> str:
        """See `Format`."""
        return ""

    def text(self, records: Sequence[JobRecord]) -> str:
        """See `Format`."""
        rows = [self._cells(each) for each in records]
        if not self._widths:
            rows.insert(0, list(TITLES))
            self._widths = self._fitting(rows)
        return "".join(f"{self._line(row)}\n" for row in rows)

    def _cells(self, record: JobRecord) -> list[str]:
        took = None if None in (record.started, record.finished) else (record.finished or 0) - (record.started or 0)
        return [
            str(record.id),
            record.group or "",
            record.state,
            "" if record.exit_code is None else str(record.exit_code),
            "" if took is None else span(max(0.0, took)),
            "" if record.cost is None else money(record.cost, self._currency),
            _input(record.input)[: self._width],
            (record.error or _printed(record))[: self._width],
        ]

    def _fitting(self, rows: list[list[str]]) -> list[int]:
        from rich.cells import cell_len

        widths = [max(cell_len(row[at]) for row in rows) for at in range(len(TITLES) - 2)]
        widths[1] = min(widths[1], GROUP_MOST)
        left = max(20, self._width - sum(widths) - 2 * (len(TITLES) - 1))
        asked = max(cell_len(row[-2]) for row in rows)
        return [*widths, min(asked, int(left * INPUT_SHARE)), left - min(asked, int(left * INPUT_SHARE))]

    def _line(self, row: list[str]) -> str:
        from .cells import fit

        return "  ".join(fit(cell, width) for cell, width in zip(row, self._widths, strict=True)).rstrip()


def _printed(record: JobRecord) -> str:
    """What a person sees of an output in one line."""
    if record.base64 is not None:
        return "(not text)"
    return record.output_file or ("" if record.output is None else _output(record.output).strip())


def _input(data: Raw) -> str:
    return subject(bytes(data))


def _output(data: Raw | str) -> str:
    """A text is itself, anything else stays JSON."""
    if isinstance(data, str):
        return data
    text = bytes(data)
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()


@lru_cache(1024)
def _instant(seconds: float) -> str:
    """In ISO 8601; many jobs share theirs."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def _usage(counted: dict[str, int]) -> str:
    return msgspec.json.encode(counted).decode()


_FIELDS: dict[str, Callable[[Any], object]] = {  # of CSV; any other is written as it is, and None as nothing
    "input": _input,
    "output": _output,
    "draft": int,
    **dict.fromkeys(("submitted", "started", "first", "finished", "deadline"), _instant),
    "usage": _usage,
}
_PLACES = [(COLUMNS.index(name), made) for name, made in _FIELDS.items()]


def _row(record: JobRecord) -> list[object]:
    row = list(msgspec.structs.astuple(record))
    for place, made in _PLACES:
        if row[place] is not None:
            row[place] = made(row[place])
    return row
