"""The charts of a report, as plotly figures that zoom and explain themselves on hover.

Rule: draws what it is given; of very many flushes or promises evenly spread ones. Text from outside is escaped.
Needs the extra `hybridq[report]`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..brain.tariff import Tariff
from ..job import LANES, Audience, Lane
from ..queue.account import SUBMISSION, FlushDone, Ledger, Promised
from ..sentences import sentence
from ..when import count, span
from ..when import money as amount
from .markup import COLOURS, QUIET, hover, seconds, spread
from .series import WaitCurve, cost_series, curve, extent, work_series
from .series import wait_curves as wait_curve
from .waits import held_waits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

WHOLE = 4  # jobs; up to these an axis would show halves of them
LEAST_SECONDS = 0.01  # what is promised or done sooner is drawn here


def timeline_chart(ledger: Ledger, tariff: Tariff, currency: str = "") -> "Figure":
    """Jobs done over time, a row a lane, above the price factor with the flushes in it."""
    from plotly.graph_objects import Bar, Scatter
    from plotly.subplots import make_subplots

    figure, done, (begin, end) = (
        make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.04, row_heights=[0.36, 0.36, 0.28]),
        work_series(ledger),
        extent(ledger),
    )
    for row, lane in enumerate(LANES, 1):
        figure.add_trace(
            Bar(
                x=[_when(at) for at in done.at],
                y=done.done[lane],
                width=done.width * 1000,
                name=f"{lane.value} lane",
                marker={"color": COLOURS[lane.value]},
                hovertemplate=f"%{{y}} jobs done in the {lane.value} lane<br>%{{x}}<extra></extra>",
            ),
            row=row,
            col=1,
        )
        few = {"dtick": 1} if max(done.done[lane]) < WHOLE else {"nticks": 4}
        figure.update_yaxes(title=f"{lane.value}<br>jobs done", rangemode="tozero", **few, row=row, col=1)
    edges = [(begin, tariff.factor(begin)), *tariff.changes(begin, end), (end, tariff.factor(end))]
    figure.add_trace(
        Scatter(
            x=[_when(at) for at, _ in edges],
            y=[factor for _, factor in edges],
            name="price factor",
            mode="lines",
            line={"shape": "hv", "color": COLOURS["tariff"], "width": 3},
            fill="tozeroy",
            hovertemplate="price factor %{y}<br>%{x}<extra></extra>",
        ),
        row=3,
        col=1,
    )
    figure.add_trace(_flushes(spread(ledger.flushes), currency), row=3, col=1)
    figure.update_yaxes(title="price<br>factor", rangemode="tozero", row=3, col=1)
    figure.update_layout(height=560, bargap=0, hovermode="closest")
    return figure


def _flushes(drawn: Sequence[FlushDone], currency: str) -> "Scatter":
    """A diamond for each, at the price that it met; the larger, the more jobs it had."""
    from plotly.graph_objects import Scatter

    most = max((flush.jobs for flush in drawn), default=1)
    return Scatter(
        x=[_when(flush.started) for flush in drawn],
        y=[flush.factor for flush in drawn],
        mode="markers",
        name="flush",
        hoverinfo="text",
        hovertext=[_told(flush, currency) for flush in drawn],
        marker={
            "symbol": "diamond",
            "color": COLOURS["user"],
            "opacity": 0.7,
            "line": {"width": 1, "color": QUIET},
            "size": [6 + 10 * (flush.jobs / most) ** 0.5 for flush in drawn],
        },
    )


def saved_chart(ledger: Ledger, currency: str = "") -> "Figure":
    """What the jobs done so far have cost, and would have cost streamed."""
    from plotly.graph_objects import Figure, Scatter

    found, figure = cost_series(ledger), Figure()
    at = [_when(instant) for instant in found.at]
    for name, values, colour, fill in (
        ("actual", found.cost, COLOURS["batch"], None),
        ("streamed as they came", found.streamed, COLOURS["stream"], "tonexty"),
    ):
        less = [
            _difference(cost, streamed, currency) for cost, streamed in zip(found.cost, found.streamed, strict=True)
        ]
        figure.add_trace(
            Scatter(
                x=at,
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "width": 2},
                fill=fill,
                customdata=less,
                hovertemplate=f"{name}: %{{y:.4g}}<br>%{{customdata}}<br>%{{x}}<extra></extra>",
            )
        )
    figure.update_yaxes(title=currency or "money", rangemode="tozero")
    figure.update_xaxes(title="local time")
    return figure


def waits_chart(ledger: Ledger) -> "Figure":
    """Which share of the jobs had their first byte after how many seconds, by who waits and by lane."""
    from plotly.graph_objects import Figure

    figure = Figure()
    for audience in Audience:
        for lane, dash in ((Lane.STREAM, "solid"), (Lane.BATCH, "dash")):
            ran = [each for each in ledger.ran if (each.audience, each.lane) == (audience, lane)]
            _curve(figure, wait_curve(ran), f"{audience.value}, {lane.value} lane", COLOURS[audience.value], dash)
    _curve(figure, curve(held_waits(ledger)), "user, if batched", COLOURS["tariff"], "dot")
    figure.update_xaxes(seconds("from submission to the first byte of a result"))
    figure.update_yaxes(title="share of jobs", tickformat=".0%", range=[0, 1.03])
    return figure


def _curve(figure: "Figure", found: WaitCurve, name: str, colour: str, dash: str) -> None:
    from plotly.graph_objects import Scatter

    if not found.seconds:
        return
    figure.add_trace(
        Scatter(
            x=found.seconds,
            y=found.share,
            name=name,
            mode="lines+markers" if len(found.seconds) < 3 else "lines",
            line={"color": colour, "dash": dash, "width": 2, "shape": "hv"},
            customdata=[span(s) for s in found.seconds],
            hovertemplate=f"{name}<br>%{{y:.1%}} within %{{customdata}}<extra></extra>",
        )
    )


def promises_chart(ledger: Ledger) -> "Figure":
    """Each promise beside what came of it, in seconds after the submission."""
    from plotly.graph_objects import Figure, Scatter

    figure, drawn = Figure(), spread([each for each in ledger.promised if each.said == SUBMISSION])
    for missed, name, colour in (
        (False, "within the range that was told", COLOURS["batch"]),
        (True, "later, or sooner", COLOURS["user"]),
    ):
        some = [each for each in drawn if (each.late or each.early) is missed]
        figure.add_trace(
            Scatter(
                x=[_after(each, each.finish) for each in some],
                y=[_after(each, each.finished) for each in some],
                mode="markers",
                name=name,
                marker={"size": 6, "opacity": 0.6, "color": colour},
                hoverinfo="text",
                hovertext=[_kept(each) for each in some],
            )
        )
    edges = [_after(each, at) for each in drawn for at in (each.finish, each.finished)] or [1.0]
    figure.add_trace(
        Scatter(
            x=[min(edges), max(edges)],
            y=[min(edges), max(edges)],
            mode="lines",
            name="exact",
            hoverinfo="skip",
            line={"dash": "dot", "color": COLOURS["tariff"]},
        )
    )
    figure.update_xaxes(seconds("promised, after submission"))
    figure.update_yaxes(seconds("done, after submission"))
    return figure


def _told(flush: FlushDone, currency: str) -> str:
    cost = amount(flush.cost, currency, fine=True)
    ran = "running" if flush.ended is None else f"ran {span(flush.ended - flush.started)}, cost {cost}"
    why = sentence(flush.reason, flush.started, currency)
    when = datetime.fromtimestamp(flush.started).isoformat(" ", "seconds")
    return hover(f"{when}  {count(flush.jobs)} jobs of {flush.handler}\n{flush.rule}: {why}\n{ran}")


def _kept(each: Promised) -> str:
    likely = "" if each.finish90 is None else f", 90% sure after {span(each.finish90 - each.made)}"
    when = datetime.fromtimestamp(each.made).isoformat(" ", "seconds")
    return hover(
        f"submitted {when}\npromised after {span(each.finish - each.made)}{likely}"
        f"\ndone after {span(each.finished - each.made)}"
    )


def _after(each: Promised, at: float) -> float:
    return max(LEAST_SECONDS, at - each.made)


def _difference(cost: float, streamed: float, currency: str) -> str:
    part = f" ({abs(1 - cost / streamed):.0%})" if streamed > 0 and cost <= 2 * streamed else ""
    differs = amount(abs(streamed - cost), currency, fine=True)
    return f"{differs}{part} more than streamed" if cost > streamed else f"saved {differs}{part}"


def _when(at: float) -> datetime:
    return datetime.fromtimestamp(at)
