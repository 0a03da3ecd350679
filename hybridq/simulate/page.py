"""A simulation as a page: who costs what and waits how long, and what hybridq did when and why.

Rule: shows the figures of `simulation`; of very many jobs it draws evenly spread ones and says how many.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..job import LANES, Audience
from ..report.markup import COLOURS, DRAWN, chart, hover, page, seconds, spread, table, text
from ..sentences import sentence
from ..when import count, money, span
from .clock import SimulatedRun
from .simulation import Rehearsal
from .station import SimulatedFlush, Task

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BARS = 120  # of the time line
LEAST = 0.01  # seconds; what is sooner is drawn here, on a logarithmic scale


def simulation_page(
    found: Rehearsal, ours: SimulatedRun, titles: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]
) -> str:
    """The page. `titles` and `rows` are the table that a terminal shows."""
    many = f"{count(found.jobs)} jobs submitted within {span(found.last - found.begin)}, seed {found.seed}."
    return page(
        f"Simulated: {found.what}",
        (
            text(many, *(f"{note[0].upper()}{note[1:]}." for note in found.notes)),
            table(titles, rows),
            chart(
                "Cost and waiting", "Cheapest at the bottom, each with its cost; further left is faster.", _trade(found)
            ),
            chart(
                "What hybridq did when",
                "Jobs started per lane, and the price factor; hover over a flush (a diamond) for its reason.",
                _timeline(found, ours),
            ),
            chart("Time to first output", "For half of the jobs, 95% and 99%, by who waits.", _waits(found)),
            chart(
                "Promised and actual finish",
                _sampled(
                    len(_promised(ours)), "On the line, the promise was exact; below the line, the job finished sooner."
                ),
                _promises(ours),
            ),
        ),
    )


def _trade(found: Rehearsal) -> "Figure":
    """A line for each contender, so that no name is printed over another, however near their costs are."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    cheapest = sorted(found.verdicts, key=lambda v: v.cost)
    names = {v.name: f"{v.name}, {money(v.cost, found.currency)}" for v in cheapest}
    for audience in Audience:
        known = [(v, v.waits[audience]) for v in cheapest if v.waits[audience].p50 is not None]
        figure.add_trace(
            Scatter(
                x=[max(LEAST, w.p50 or 0.0) for _, w in known],
                y=[names[v.name] for v, _ in known],
                name=audience.value,
                mode="markers",
                marker={"size": 12, "color": COLOURS[audience.value]},
                hovertext=[
                    hover(
                        f"{v.name}: {v.says}\ncost {money(v.cost, found.currency)}, half wait {span(w.p50 or 0)}, 99%"
                        f" {span(w.p99 or 0)}"
                    )
                    for v, w in known
                ],
                hoverinfo="text",
            )
        )
    figure.update_xaxes(seconds("time to first output, half of the jobs"))
    figure.update_yaxes(categoryorder="array", categoryarray=list(names.values()), automargin=True)
    return figure


def _timeline(found: Rehearsal, ours: SimulatedRun) -> "Figure":
    from plotly.graph_objects import Bar, Figure, Scatter

    figure, width = Figure(), max(1.0, (found.end - found.begin) / BARS)
    for lane in LANES:
        begun = Counter(int((t.start - found.begin) // width) for t in ours.tasks if t.lane is lane)
        figure.add_trace(
            Bar(
                x=[_when(found.begin + (slot + 0.5) * width) for slot in begun],
                y=list(begun.values()),
                width=width * 1000,
                name=lane.value,
                marker={"color": COLOURS[lane.value]},
                hovertemplate="%{y} jobs<br>%{x}",
            )
        )
    edges = (*found.prices, (found.end, found.prices[-1][1]))
    factors = {factor for _, factor in found.prices}
    figure.add_trace(
        Scatter(
            x=[_when(at) for at, _ in edges],
            y=[factor for _, factor in edges],
            yaxis="y2",
            name="price factor",
            line={"shape": "hv", "color": COLOURS["tariff"], "width": 3},
            hovertemplate="price factor %{y}<br>%{x}",
        )
    )
    flushes = spread(ours.flushes)
    figure.add_trace(
        Scatter(
            x=[_when(f.at) for f in flushes],
            y=[f.jobs for f in flushes],
            mode="markers",
            name="flush",
            marker={"symbol": "diamond", "size": 9, "color": COLOURS["user"]},
            hoverinfo="text",
            hovertext=[_told(f, found.currency) for f in flushes],
        )
    )
    figure.update_layout(
        barmode="stack",
        yaxis={"title": "jobs", "rangemode": "tozero"},
        xaxis={"title": "UTC"},
        yaxis2={
            "title": "price factor",
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "range": [0, 1.05 * max(factors)],
            "tickvals": [0, *sorted(factors)],
        },
    )
    return figure


def _waits(found: Rehearsal) -> "Figure":
    from plotly.graph_objects import Bar, Figure

    figure = Figure()
    for audience in Audience:
        for name, shade in (("p50", 1.0), ("p95", 0.65), ("p99", 0.35)):
            waits = [getattr(v.waits[audience], name) for v in found.verdicts]
            figure.add_trace(
                Bar(
                    x=[v.name for v in found.verdicts],
                    y=waits,
                    name=f"{audience.value} {name}",
                    marker={"color": COLOURS[audience.value], "opacity": shade},
                    hovertext=[hover(f"{audience.value} {name}: {span(s or 0.0)}") for s in waits],
                    hoverinfo="text",
                )
            )
    figure.update_layout(barmode="group", yaxis=seconds("time to first output"))
    return figure


def _promises(ours: SimulatedRun) -> "Figure":
    from plotly.graph_objects import Figure, Scatter

    figure, known = Figure(), _promised(ours)
    for lane in LANES:
        drawn = spread([(t, finish) for t, finish in known if t.lane is lane])
        figure.add_trace(
            Scatter(
                x=[max(LEAST, finish - t.at) for t, finish in drawn],
                y=[max(LEAST, t.finish - t.at) for t, _ in drawn],
                mode="markers",
                name=lane.value,
                marker={"size": 5, "opacity": 0.6, "color": COLOURS[lane.value]},
                hovertemplate="promised after %{x:.1f} s, done after %{y:.1f} s",
            )
        )
    most = max((t.finish - t.at for t, _ in known), default=1.0)
    line = {"dash": "dot", "color": COLOURS["tariff"]}
    figure.add_trace(Scatter(x=[LEAST, most], y=[LEAST, most], mode="lines", line=line, name="exact"))
    figure.update_xaxes(seconds("promised, after submission"))
    figure.update_yaxes(seconds("done, after submission"))
    return figure


def _promised(ours: SimulatedRun) -> list[tuple[Task, float]]:
    return [(t, t.promise.finish) for t in ours.tasks if t.promise is not None and t.promise.finish is not None]


def _sampled(many: int, says: str) -> str:
    return says if many <= DRAWN else f"{says} Shows at most {count(DRAWN)} of {count(many)} jobs per lane."


def _when(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _told(flush: SimulatedFlush, currency: str) -> str:
    why = sentence(replace(flush.reason, runs=None), flush.at, currency)
    return hover(f"{flush.jobs} jobs, {flush.rule}: {why}\nran {span(flush.end - flush.at)}")
