"""What a simulation came to, as a table that explains itself.

Rule: each column has its line of explanation below; unknown is a dash, never a zero.
"""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hybridq.job import Audience
from hybridq.simulate.simulation import Rehearsal
from hybridq.simulate.verdict import Promises, Verdict, WaitTimes
from hybridq.visible import visible
from hybridq.when import clock, count, money, span

from .palette import PLAIN, QUIET, STRONG
from .words import NONE, RULES, percent_of

WIDE = 125  # cells that the table needs with one line a contender
COLUMNS = (
    (
        "cost",
        "the cost of run time and starts at the prices of the day; in brackets, compared with streaming everything",
    ),
    ("with waiting", "cost plus the cost of waiting (policy.user_delay_cost, background_delay_cost); lower is better"),
    ("a person waits", "time until a waiting person sees the first output: half of them, 95 %, 99 %"),
    ("others wait", "the same for background work, where nobody waits"),
    ("deadlines", "share of jobs with a deadline that met it"),
    ("streamed", "share of jobs that ran at once, on their own; the others ran in a batch"),
    ("flushes", "number of batches that ran"),
)


def simulation_table(found: Rehearsal, width: int) -> RenderableType:
    """The whole answer in `width` cells: what was simulated, the table, its legend, hybridq's own figures."""
    stacked = width < WIDE
    grid = Table(box=None, padding=(0, 1 if stacked else 2, 0, 0), header_style=QUIET, pad_edge=False)
    grid.add_column("", no_wrap=True)
    for title, _ in COLUMNS:
        longest = max(map(len, title.split()))
        grid.add_column(title, justify="right", min_width=longest, overflow="fold")
    for place, row in enumerate(rows(found)):
        cells = [cell.replace(" / ", "\n").replace(" (", "\n(") for cell in row] if stacked else row
        grid.add_row(*cells, style=PLAIN if place else STRONG)
    parts: list[RenderableType] = [_head(found), *_notes(found), Padding(grid, (1, 0)), _legend(found)]
    return Group(*parts, *_ours(found.verdicts[0]))


def rows(found: Rehearsal) -> list[Sequence[str]]:
    """The table's cells: a contender a row, its name first, hybridq at the top."""
    streaming = found.verdicts[1].cost
    return [_cells(verdict, streaming, found.currency) for verdict in found.verdicts]


def _cells(verdict: Verdict, streaming: float, currency: str) -> Sequence[str]:
    relative = f" ({verdict.cost / streaming - 1:+.0%})" if streaming > 0 else ""
    return (
        verdict.name,
        f"{money(verdict.cost, currency)}{relative}",
        money(verdict.cost + verdict.waited, currency),
        *(_waits(verdict.waits[audience]) for audience in Audience),
        percent_of(verdict.kept),
        percent_of(verdict.streamed / (verdict.streamed + verdict.batched)),
        count(sum(verdict.flushes.values())),
    )


def _head(found: Rehearsal) -> Text:
    came = f"{count(found.jobs)} jobs submitted within {span(found.last - found.begin)} from {clock(found.begin, 0.0)}"
    text = f"  {came}, seed {found.seed}"
    return Text.assemble((visible(found.what), STRONG), text)


def _notes(found: Rehearsal) -> list[Text]:
    return [Text(visible(note), style=QUIET) for note in found.notes]


def _legend(found: Rehearsal) -> RenderableType:
    legend = Table.grid(padding=(0, 2, 0, 0))
    legend.add_column(no_wrap=True)
    legend.add_column(style=QUIET)
    for name, says in (*COLUMNS, *((v.name, v.says) for v in found.verdicts)):
        legend.add_row(Text(name), Text(says))
    return legend


def _ours(verdict: Verdict) -> list[RenderableType]:
    flushes = ", ".join(f"{number} {RULES.get(rule, rule)}" for rule, number in verdict.flushes.items()) or "none"
    return [Text(""), _line("flushes", flushes), *_kept(verdict.promises)]


def _kept(made: Promises) -> list[RenderableType]:
    """What was promised, and what came of it."""
    if made.error is None:
        return [_line("promises", "none: hybridq promises a time once some jobs of a handler have finished")]
    kept = (
        f"{count(made.made)} made; {percent_of(made.covered)} finished by the promised 90th percentile; half were"
        f" off by at most {percent_of(made.error)} of the time to the end ({percent_of(made.best)} is the best"
        " possible: with every start known in advance, and only chance in the run times)"
    )
    if made.started is None or made.late is None:
        return [_line("promises", kept)]
    starts = (
        f"{percent_of(made.started)} of held jobs started within a minute of the promise,"
        f" {percent_of(1 - made.started - made.late)} sooner (more jobs or urgent ones came),"
        f" {percent_of(made.late)} later"
    )
    return [_line("promises", kept), _line("starts", starts)]


def _line(name: str, says: str) -> Text:
    return Text.assemble((f"{name}: ", STRONG), says)


def _waits(waits: WaitTimes) -> str:
    if not waits.jobs:
        return NONE
    known = [NONE if seconds is None else span(seconds) for seconds in (waits.p50, waits.p95, waits.p99)]
    return " / ".join(known)
