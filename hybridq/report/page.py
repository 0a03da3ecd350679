"""A report as a page: what ran when and why then, what it cost, who waited how long, and how promises were kept.

Rule: shows the figures of `report`; where single jobs, flushes or promises are drawn, it draws evenly spread ones
of very many and says how many.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ..brain.tariff import Tariff
from ..queue.account import Ledger
from ..when import clock, count, span
from .charts import promises_chart, saved_chart, timeline_chart, waits_chart
from .html import chart, figures, heading, page, spread, table, text
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
        else (f" Drawn from {count(found.counted)} of {count(found.done)} jobs, spread evenly.")
    )
    yield chart(
        "What ran when, and why then",
        f"Jobs done by lane in {SLOTS} slots of {span(work_series(ledger).width)}, and the price factor as it is now."
        " Each diamond is a flush, at the price that it met: hover over it for its reason. Drag to zoom,"
        f" double-click to go back.{evenly}{_some(ledger.flushes, 'flushes')}",
        timeline_chart(ledger, tariff, found.currency),
    )
    yield chart(
        "Cost and what was saved",
        "What the jobs done so far have cost, and would have cost streamed as they came: what lies between"
        f" is saved. Attempts that failed are not in it.{evenly}",
        saved_chart(ledger, found.currency),
    )
    yield chart(
        "How long until something was seen",
        "Which share of the jobs had their first byte after how long, by who waits; dotted, what gathering would"
        f" have made of what people saw streamed.{evenly}",
        waits_chart(ledger),
    )
    yield chart(
        "Promised and real finish",
        "A dot is a submission: on the line its promise was exact, below it was done sooner. Orange ones were later"
        f" than the promised 90th percentile.{_some(ledger.promised, 'promises')}",
        promises_chart(ledger),
    )


def _some(things: Sequence[object], name: str) -> str:
    drawn = len(spread(things))
    return "" if drawn == len(things) else f" {count(drawn)} of {count(len(things))} {name} are drawn, spread evenly."
