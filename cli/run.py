"""`daemon` and `drain`: the two commands that run jobs, and what they say while they do.

Rule: a daemon's log goes to standard error, one line an event, harmless for a terminal. A drain shows a
bar to a person, one line to cron, nothing with `--quiet`; errors are always told.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Self

import typer

from hybridq.asking.options import check_money
from hybridq.config.read import load_config
from hybridq.config.values import Config
from hybridq.errors import TryAgain, UsageError
from hybridq.home import Home
from hybridq.queue.select import ranges
from hybridq.queue.store import Store
from hybridq.runner.drain import DrainLimits, Progress, run_drain
from hybridq.selection import Group, check_group
from hybridq.when import count, money, parse_deadline

from .documents import Drained
from .draw.words import SEPARATOR
from .logs import to_stderr
from .tell import is_tty, print_document

app = typer.Typer()


@app.command()
def daemon(
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Log JSON, one object per line.")] = False,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Serve figures for Prometheus: :9464 is on this machine alone."),
    ] = None,
) -> None:
    """Run jobs as they come, until stopped.

    Stays in the foreground. SIGTERM or Control-C stops it gently, a second one at once. Closing the terminal
    (SIGHUP) stops it gently, unless you start it with nohup. It reloads config.toml when the file changes.
    """
    from hybridq.runner.daemon import run_daemon

    home = Home.find(os.environ)
    to_stderr(as_json=json_logs, keep=home)
    config = load_config(home, os.environ)
    with ExitStack() as beside:
        run_daemon(home, config, ready=_serving(home, config, metrics, beside) if metrics else lambda: None)


def _serving(home: Home, config: Config, address: str, beside: ExitStack) -> Callable[[], None]:
    """What begins to serve metrics at this address, until the stack is left."""
    from .metrics import require

    require()
    from hybridq.metrics.exposition import parse_address, served

    where = parse_address(address)

    def serve() -> None:
        url = beside.enter_context(served(home, config, os.environ, where))
        logging.getLogger("hybridq").info("serves metrics on %s", url)

    return serve


@app.command()
def drain(
    handler: Annotated[str | None, typer.Option(metavar="HANDLER", help="Only jobs of this handler.")] = None,
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="Only jobs of this group.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Stop at this time: 06:00, 2h.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Stop when this much is spent.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print totals as JSON; no progress bar.")] = False,
) -> None:
    """Run all held jobs now, then exit.

    Exits with 0 if every job is done, 1 if a job failed, 75 if jobs are left. On SIGTERM, Control-C or a closed
    terminal (SIGHUP) it lets running jobs finish and leaves the rest; a second SIGTERM or Control-C stops it at once.
    """
    to_stderr(as_json=False, warnings_only=True)
    home = Home.find(os.environ)
    config = load_config(home, os.environ)
    if handler is not None and handler not in config.handlers:
        raise UsageError(f"no handler named {handler!r}. List them: hybridq handlers")
    check_money(max_cost)
    if group is not None:
        with Store.open(home) as store:
            ranges(store, Group(check_group(group)))
    limits = DrainLimits(
        handler=handler,
        group=group,
        max_cost=max_cost,
        until=None if until is None else parse_deadline(until, time.time()),
    )
    with _Bar(not (quiet or json) and is_tty(sys.stderr)) as bar:
        end = run_drain(home, config, limits, told=bar.told)
    if json:
        print_document(_sums(end), one_line=True)
    elif not quiet:
        print(_summary(end, config.policy.currency))
    if end.left:
        left = "1 job is" if end.left == 1 else f"{count(end.left)} jobs are"
        why = end.why or end.held
        again = "" if end.lasting or "hybridq " in why else " Run hybridq drain again, or hybridq daemon"
        raise TryAgain(
            f"{left} left: {why}.{again}".rstrip(".") if why else f"{left} left;{again.replace('Run', 'run')}"
        )
    if end.unserved:
        raise TryAgain(f"jobs are held because config.toml lacks their handlers: {', '.join(end.unserved)}")
    if end.broken:
        raise TryAgain(f"jobs are held: {'; '.join(end.broken)}")
    raise typer.Exit(1 if end.failed else 0)


class _Bar:
    """A progress bar for a person, drawn from the first word of progress on; rich is imported only for that."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._open = ExitStack()
        self._tell: Callable[..., None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def told(self, so_far: Progress) -> None:
        """Draw how far it is."""
        if not self._wanted:
            return
        if self._tell is None:
            from .draw.bar import draining
            from .draw.terminal import Terminal

            self._tell = self._open.enter_context(draining("drain", so_far.total, Terminal(stderr=True)))
        self._tell(so_far.total - so_far.left, so_far.failed, so_far.finish, so_far.finish90)


def _sums(end: Progress) -> Drained:
    """It has ended, so there is no ETA."""
    return Drained(
        jobs=end.total,
        done=end.done,
        failed=end.failed,
        cancelled=end.cancelled,
        left=end.left,
        cost=end.cost,
        unserved=tuple(end.unserved),
        held=end.held or None,
    )


def _summary(end: Progress, currency: str) -> str:
    if not end.total:
        return "nothing was held"
    parts = [(end.done, "done"), (end.failed, "failed"), (end.cancelled, "cancelled"), (end.left, "left")]
    named = [f"{count(number)} {word}" for number, word in parts if number or word == "done"]
    return SEPARATOR.join([*named, *([f"cost {money(end.cost, currency)}"] if end.cost else [])])
