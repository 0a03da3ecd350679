"""`pipe`: items that never end, answered as they come; results on standard output, news on standard error.

Rule: of news there is a line a second at most, and none with `--quiet` but what went wrong at the end.
"""

import errno
import os
import sys
from typing import Annotated

import typer

from hybridq.config.read import load_config
from hybridq.errors import UsageError
from hybridq.home import Home
from hybridq.pipe.asked import Asked, End, News
from hybridq.pipe.item import Form
from hybridq.pipe.pipe import run_pipe
from hybridq.pipe.shedding import Shed
from hybridq.selection import check_group
from hybridq.submit import connect
from hybridq.visible import visible_line
from hybridq.when import count, how_many, parse_span

from .exit_codes import INTERRUPTED
from .tell import is_tty, say

app = typer.Typer()

FAILED = 1  # what `wait` says of jobs that failed without an exit code of their own
REASON = 200  # characters of a failure


@app.command()
def pipe(
    handler: Annotated[str, typer.Argument(metavar="HANDLER", help="The handler that gets the items.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="Read these, one after another; - is standard input."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-F", help="Go on as the files grow, and when they are rotated or cut.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Each line is a JSON value; print each result with its id, input and times.")
    ] = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="Items end with a NUL, and so do results.")] = False,
    within: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Answer each item within this time: 50ms. What cannot be becomes a job."),
    ] = None,
    shed: Annotated[
        Shed | None, typer.Option(help="Which items become jobs where not all can be answered in time.")
    ] = None,
    unordered: Annotated[bool, typer.Option("--unordered", help="Print results as they come, in any order.")] = False,
    volatile: Annotated[
        bool, typer.Option("--volatile", help="Keep nothing of what was read: faster, and lost with a kill -9.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on in FILE where the pipe of this name stopped.")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="The group of the jobs that it makes.")] = None,
    ack: Annotated[
        int | None,
        typer.Option(metavar="FD", help="Write to this descriptor how many items and bytes survive a power cut."),
    ] = None,
    session: Annotated[
        bool, typer.Option("--session", help="Make all of the input one job, which hears it as it comes.")
    ] = False,
    raw: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Of a session: a piece is what comes within this time, not a line."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no news.")] = False,
) -> None:
    """Run each line that comes, at once, for as long as lines come.

    Each line is an item of HANDLER's warm workers; its result is printed as soon as it is there, a line for a line.

    \b
    tail -F app.log | hybridq pipe detect --within 50ms
    arecord -f S16_LE -r 16000 -t raw | hybridq pipe --session transcribe --raw 100ms
    """
    paths = tuple(files or ())
    if session:
        _only_of_items(files=paths, follow=follow, null=null, within=within, shed=shed, unordered=unordered, key=key)
        _only_of_items(volatile=volatile, ack=ack is not None)
        raise typer.Exit(_session(handler, raw, group, json=json))
    if raw is not None:
        raise UsageError("--raw needs --session")
    _check(paths, follow=follow, json=json, null=null, shed=shed, within=within, volatile=volatile, key=key, ack=ack)
    home = Home.find(os.environ)
    asked = Asked(
        handler=handler,
        files=paths,
        form=Form.JSON if json else Form.NULL if null else Form.LINES,
        follow=follow,
        within=None if within is None else parse_span(within),
        shed=shed or Shed.OLDEST,
        volatile=volatile,
        ordered=not unordered,
        key=None if key is None else check_group(key),
        group=None if group is None else check_group(group),
        ack=ack,
        safe=is_tty(sys.stdout),
    )
    sys.stdout.flush()
    end = run_pipe(home, load_config(home, os.environ), asked, _Teller(quiet=quiet))
    raise typer.Exit(_ended(end, quiet=quiet))


def _only_of_items(**options: object) -> None:
    """Raise UsageError for an option that a session has no use for."""
    for name, value in options.items():
        if value:
            what = "a file: it reads standard input" if name == "files" else f"--{name}"
            raise UsageError(f"--session cannot be used with {what}")


def _session(handler: str, raw: str | None, group: str | None, *, json: bool) -> int:
    from .staying.session import run_session

    outlook = connect(dict(os.environ))
    with outlook.store:
        every = 0.0 if raw is None else parse_span(raw)
        return run_session(outlook, handler, "lines" if raw is None else "raw", every, group, json=json)


def _check(
    paths: tuple[str, ...],
    *,
    follow: bool,
    json: bool,
    null: bool,
    shed: Shed | None,
    within: str | None,
    volatile: bool,
    key: str | None,
    ack: int | None,
) -> None:
    """Raise UsageError for what cannot go together."""
    if json and null:
        raise UsageError("--json and --null cannot be used together")
    if shed not in (None, Shed.NEVER) and within is None:
        raise UsageError(f"--shed {shed} needs --within: hybridq pipe HANDLER --within 50ms")
    if (follow or key is not None) and (not paths or "-" in paths):
        raise UsageError(f"{'--follow' if follow else '--key'} needs files: hybridq pipe HANDLER FILE")
    if len(set(paths)) < len(paths):
        raise UsageError("each file can be named once")
    if volatile and (key is not None or ack is not None):
        raise UsageError(f"--volatile keeps nothing that {'--key' if key is not None else '--ack'} could go by")
    if ack is not None:
        try:
            os.fstat(ack)
        except (OSError, OverflowError):
            raise UsageError(f"--ack: descriptor {ack} is not open") from None


class _Teller:
    """Says what is new, as often as it is told."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._shed = self._failed = 0
        self._disk = self._closed = ""
        self._left = self._stopping = False

    def __call__(self, news: News) -> None:
        """Say it in one line; nothing, where nothing is new."""
        if self._quiet:
            return
        parts = []
        if news.left and not self._left:
            self._left = True
            parts.append(f"{how_many(news.left)} of a pipe that died queued")
        if news.disk != self._disk:
            self._disk = news.disk
            parts.append(f"paused, the disk refuses: {news.disk}" if news.disk else "going on")
        if news.closed != self._closed:
            self._closed = news.closed
            parts.append(f"{news.closed}: all is shed until that ends" if news.closed else "going on")
        if news.stopping and not self._stopping:
            self._stopping = True
            parts.append("stopping: what was read is answered first; a second Control-C stops at once")
        figures = news.figures
        if more := figures.shed - self._shed:
            parts.append(f"{count(more)} shed to {visible_line(news.group, 60)}")
        if more := figures.failed - self._failed:
            parts.append(f"{count(more)} failed, the last: {visible_line(news.failure, REASON)}")
        self._shed, self._failed = figures.shed, figures.failed
        if parts:
            say("; ".join(parts))


def _ended(end: End, *, quiet: bool) -> int:
    """Tell how it ended; returns the exit code."""
    figures = end.figures
    if not quiet:
        parts = [f"{count(figures.taken)} in", f"{count(figures.answered)} answered"]
        parts += [f"{count(figures.failed)} failed"] if figures.failed else []
        parts += [f"{count(figures.shed)} shed"] if figures.shed else []
        if end.gone is None or end.jobs:
            say(" · ".join(parts) + (f": hybridq wait {end.group}" if end.jobs else ""))
    if end.problem is not None:
        raise end.problem
    if end.gone is not None:
        if end.gone.errno == errno.EPIPE:
            raise BrokenPipeError
        raise end.gone
    if end.signal:
        return INTERRUPTED
    return FAILED if figures.failed else 0
