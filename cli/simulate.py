"""`simulate`: what hybridq would do with a workload, beside what people do without it.

Rule: the queue is only read; the decisions are those that would really be made. It prints, and decides nothing.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from hybridq.config.values import Config
from hybridq.errors import UsageError
from hybridq.home import Home
from hybridq.simulate.clock import SimulatedRun, World
from hybridq.simulate.overrides import changed, handler_times, supposed, told
from hybridq.simulate.simulation import Rehearsal, rehearse, summarise
from hybridq.simulate.station import Times
from hybridq.simulate.workload import Suppose, Workload, read_trace
from hybridq.when import parse_span

from .tell import columns, is_tty, print_document

app = typer.Typer()
DAYS = 3.0
PIPE = 160  # cells of a line where no terminal says how wide it is


@app.command()
def simulate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The trace to simulate.", show_default=False)
    ] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="The trace to simulate, as an option.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Simulate the jobs of your own queue.")] = False,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Simulate an invented office (default).")] = False,
    days: Annotated[
        float | None, typer.Option(min=0.01, max=400, help="Length of --synthetic in days (default 3).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for all random choices.")] = 1,
    people: Annotated[
        float, typer.Option(min=0, max=1, help="Share of jobs with a person waiting, if the trace does not say.")
    ] = 0.2,
    deadline: Annotated[
        list[str] | None,
        typer.Option(metavar="SPAN", help="Deadline for background jobs without one. Repeat it to draw one at random."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as policy.theta=0.5."),
    ] = None,
    handler_time: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Set a run time: start, job, input, output, call (seconds), batch (share), spread.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON. Times are epoch seconds (UTC).")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML page with charts.")] = None,
) -> None:
    """Simulate a workload: hybridq beside streaming or batching everything.

    A trace is CSV with the columns arrival,input_size,output_size[,audience,deadline,handler,group] or
    TIMESTAMP,ContextTokens,GeneratedTokens, or JSON Lines with timestamp (ms), input_length and output_length.
    """
    if sum((file is not None, trace is not None, history, synthetic)) > 1:
        raise UsageError("--trace FILE, --history and --synthetic cannot be used together")
    home = Home.find(os.environ)
    config = changed(home, os.environ, set_ or ())
    times = handler_times(handler_time or (), Times())
    suppose = Suppose(people=people, deadlines=tuple(parse_span(text) for text in deadline or ()), seed=seed)
    drawn = None if history else _drawn(trace or file, days or DAYS, suppose)
    world = _own(config, seed) if drawn is None else _world(drawn, config, times, seed)
    if set_:
        tried = replace(world.workload, what=f"{world.workload.what} with {told(set_)}")
        world = replace(world, workload=tried)
    contenders = rehearse(world)
    first, ours = next(contenders)
    found = summarise(world, [first, *(verdict for verdict, _ in contenders)], ours)
    if html is not None:
        _write_page(html, found, ours)
    if json:
        print_document(found)
    else:
        _print_table(found)


def _drawn(trace: Path | None, days: float, suppose: Suppose) -> Workload:
    if trace is not None:
        return read_trace(trace, suppose)
    from hybridq.simulate.synthetic import synthetic

    return synthetic(days, suppose.seed)


def _world(workload: Workload, config: Config, times: Times, seed: int) -> World:
    names = {arrival.handler for arrival in workload.arrivals}
    slots = {name: max(1, config.handlers[name].instances) for name in names if name in config.handlers}
    workload = replace(workload, notes=(*workload.notes, supposed(times)))
    return World(config=config, times=dict.fromkeys(names, times), workload=workload, seed=seed, slots=slots)


def _write_page(path: Path, found: Rehearsal, ours: SimulatedRun) -> None:
    from hybridq.simulate.page import simulation_page

    from .draw.simulation import COLUMNS, rows

    path.write_text(simulation_page(found, ours, (("", ""), *COLUMNS), rows(found)), encoding="utf-8")


def _print_table(found: Rehearsal) -> None:
    from .draw.simulation import simulation_table

    if not is_tty(sys.stdout):
        from .draw.plain import unpadded

        width = columns(PIPE)
        print(unpadded(simulation_table(found, width), width))
        return
    from .draw.terminal import screen

    console = screen()
    console.print(simulation_table(found, console.width))


def _own(config: Config, seed: int) -> World:
    """The world of the user's own queue. Raises UsageError where it has nothing to tell."""
    from hybridq.outlook import Outlook
    from hybridq.simulate.past import past
    from hybridq.submit import connect

    outlook = connect(dict(os.environ))
    with outlook.store:
        world = past(Outlook(outlook.store, config), seed)
    if not world.workload.arrivals:
        raise UsageError("this queue has no finished jobs to simulate. Try: hybridq simulate --synthetic")
    return world
