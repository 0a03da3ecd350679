"""A report as a page: what ran when and why then, what it cost, who waited how long, and how promises were kept.

Rule: shows the figures of `report`; where single jobs, flushes or promises are drawn, it draws evenly spread ones
of very many and says how many.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ..brain.tariff import Tariff
from ..queue.account import SUBMISSION, Ledger
from ..when import clock, count, span
from .charts import promises_chart, saved_chart, timeline_chart, waits_chart
from .markup import chart, figures, heading, page, spread, table, text
from .report import Report
from .series import SLOTS, work_series

Section = tuple[str, str, Sequence[str], Sequence[Sequence[str]]]
"""title, what it says, columns, rows: a table that a terminal shows too"""


def report_page(
    found: Report,
    ledger: Ledger,
    tariff: Tariff,
    headline: str,
    numbers: Iterable[tuple[str, str]],
    sections: Iterable[Section],
) -> str:
    """The page. `numbers` are the few that matter most, each with what it is. Raises UsageError without plotly."""
    begin = clock(found.since or found.begin or found.now, found.now)
    tables = (
        heading(title) + table([(column, "") for column in columns], rows, lead=False) + text(says)
        for title, says, columns, rows in sections
    )
    charts = _charts(found, ledger, tariff) if ledger.ran else ()
    return page(f"What ran since {begin}", chain((text(headline), figures(numbers)), charts, tables))


def _charts(found: Report, ledger: Ledger, tariff: Tariff) -> Iterator[str]:
    evenly = (
        ""
        if found.counted == found.done
        else (f" Drawn from an even sample of {count(found.counted)} of {count(found.done)} jobs.")
    )
    yield chart(
        "What ran when, and why",
        f"Finished jobs per lane in {SLOTS} slots of {span(work_series(ledger).width)}, and the price factor of the"
        " current tariff. Each diamond is a flush at the price it paid; hover over it for its reason. Drag to zoom,"
        f" double-click to reset.{evenly}{_some(ledger.flushes, 'flushes')}",
        timeline_chart(ledger, tariff, found.currency),
    )
    yield chart(
        "Cost and savings",
        "The cost of finished jobs, and their cost if streamed as they came; the gap is what you saved."
        f" Failed attempts are not counted.{evenly}",
        saved_chart(ledger, found.currency),
    )
    yield chart(
        "Time to first output",
        "The share of jobs that have their first byte after a given time, by who waits."
        f" Dotted: what people saw streamed, if it had been batched.{evenly}",
        waits_chart(ledger),
    )
    yield chart(
        "Promised and actual finish",
        "Each dot is a submission. On the line, its promise was exact; below it, it finished sooner. Orange: outside"
        f" the range that was told.{_some([p for p in ledger.promised if p.said == SUBMISSION], 'promises')}",
        promises_chart(ledger),
    )


def _some(things: Sequence[object], name: str) -> str:
    drawn = len(spread(things))
    return "" if drawn == len(things) else f" Shows an even sample of {count(drawn)} of {count(len(things))} {name}."
