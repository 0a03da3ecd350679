"""`log`: what the daemon has logged, in its own words.

Rule: what is kept is read as it is, while it is written and after it was put away; a line that a crash tore is left
out. Reads only.
"""

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated, Self

import msgspec
import typer

from hybridq.errors import NoSuchJob
from hybridq.home import Home
from hybridq.outlook import Outlook
from hybridq.queue.flushes import flushes_by, flushes_with
from hybridq.queue.select import ranges
from hybridq.selection import Group, parse_selector
from hybridq.when import parse_since

from .documents import LogLine
from .logs import text_line
from .reach import look
from .tell import print_document, say

app = typer.Typer()
LINES = 40  # shown unasked
PACE = 0.25  # seconds between two looks at a log that is followed
_NUMBERED = re.compile(r"\b(job|flush) ([0-9]+)")
_read = msgspec.json.Decoder(LogLine).decode
Wanted = Callable[[LogLine], bool]


@app.command()
def log(
    about: Annotated[
        str | None,
        typer.Argument(metavar="[SELECTOR]", help="Only lines that name this job, group or handler, or its flushes."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new line.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only lines since then: 2h (ago), 06:00, 2026-12-01.")
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, metavar="N", help=f"Only the last N (default {LINES}; with --since all)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")] = False,
) -> None:
    """Show what the daemon has logged.

    hybridq keeps the newest 8 to 16 MB. What your jobs print is in their output: hybridq output JOB.
    """
    home = Home.find(os.environ)
    first = None if since is None else parse_since(since, time.time())
    wanted = _wanted(about)
    tell: Callable[[LogLine], None] = (lambda line: print_document(line, one_line=True)) if json else _print
    most = lines if lines is not None else None if first is not None else LINES
    with _Tail(home) as tail:
        found = deque((each for each in tail.before() if each.at >= (first or 0.0) and wanted(each)), most)
        for event in found:
            tell(event)
        if not found and not follow and lines != 0:
            say(_nothing(home, narrowed=about is not None or since is not None))
        while follow:
            for event in filter(wanted, tail.new()):
                tell(event)
            time.sleep(PACE)


def _print(event: LogLine) -> None:
    print(text_line(event.at, event.level, event.message), flush=True)


def _nothing(home: Home, *, narrowed: bool) -> str:
    if not (home.log.exists() or home.earlier_log.exists()):
        return "there is no log yet: it begins with the first hybridq daemon"
    return "no matching lines. To see the last ones: hybridq log" if narrowed else "the log is empty"


class _Tail:
    """The kept log from its beginning, then each line that comes. Another file takes its place when it is long."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: IO[bytes] | None = None
        self._torn = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def before(self) -> Iterator[LogLine]:
        """All that is kept."""
        if (earlier := _open(self._home.earlier_log)) is not None:
            with earlier:
                yield from _events(earlier)
        yield from self.new()

    def new(self) -> Iterator[LogLine]:
        """What came since; the rest of a file that was put away, first."""
        while True:
            if self._file is None:
                self._file = _open(self._home.log)
            if self._file is None:
                return
            yield from _events(self._whole(self._file.read()))
            if _is_there(self._file, self._home.log):
                return
            yield from _events(self._whole(self._file.read()))
            self._file.close()
            self._file = None

    def _whole(self, data: bytes) -> list[bytes]:
        """The lines that have come to their end."""
        *lines, self._torn = (self._torn + data).split(b"\n")
        return lines


def _open(path: Path) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _is_there(file: IO[bytes], path: Path) -> bool:
    """Whether the file still has its name, or has lost it to no other yet."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return True


def _events(lines: Iterable[bytes]) -> Iterator[LogLine]:
    for line in lines:
        try:
            yield _read(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _wanted(about: str | None) -> Wanted:
    """Which lines are about a job, a group or a handler. Raises NoSuchJob, UsageError."""
    if about is None:
        return lambda _: True
    outlook = look()
    with outlook.store:
        return _Named(outlook, about).meets


class _Named:
    """Lines that name something, or the jobs or flushes that belong to it."""

    def __init__(self, outlook: Outlook, about: str) -> None:
        self._jobs: list[tuple[int, int]] = []
        self._flushes: set[int] = set()
        self._name = ""
        selector = parse_selector(about)
        try:
            spans = ranges(outlook.store, selector)
        except NoSuchJob:
            if about not in outlook.config.handlers:
                raise
            spans = []
        for span in spans:
            self._jobs.append(span[:2])
            self._flushes.update(flushes_with(outlook.store, *span))
        if about in outlook.config.handlers:
            self._flushes.update(flushes_by(outlook.store, about))
        if isinstance(selector, Group):
            self._name = rf"(?<![\w-]){re.escape(about)}(?![\w-])"

    def meets(self, event: LogLine) -> bool:
        """Whether a line names it."""
        if self._name and (re.search(self._name, event.message) or re.search(f"[.]{self._name}$", event.logger)):
            return True
        for found in _NUMBERED.finditer(event.message):
            number = int(found[2])
            if found[1] == "flush" and number in self._flushes:
                return True
            if found[1] == "job" and any(first <= number <= last for first, last in self._jobs):
                return True
        return False
