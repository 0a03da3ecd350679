"""A page of charts that is one file: text, tables and plotly figures, with the library inside.

Rule: nothing is loaded from anywhere, and whatever comes from jobs or files is escaped. Needs the extra
`hybridq[report]`.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, TypeVar

from ..errors import UsageError
from ..installed import install_command
from ..when import span

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DRAWN = 2000  # things of one kind that a chart draws at most
T = TypeVar("T")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Where a logarithmic axis of seconds has its marks.
MARKS = (0.001, 0.01, 0.1, 1.0, 10.0, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY)
QUIET, GRID, LABEL = "#667085", "rgba(128, 136, 150, .22)", "#f7f8fa"
NOTHING = "rgba(0, 0, 0, 0)"  # a chart lets the page shine through, which is light or dark as its reader likes it
COLOURS = {"stream": "#2a78d6", "batch": "#1baf7a", "user": "#eb6834", "background": "#8a63d2", "tariff": "#98a1b0"}
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #5b6577; --paper: #ffffff; --line: #e6e9ef; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf0; --quiet: #a3adbd; --paper: #14181f; --line: #2b323d; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; } p, figcaption { color: var(--quiet); }
table { border-collapse: collapse; } td, th { padding: .3rem .8rem; border-bottom: 1px solid var(--line);
  text-align: right; font-variant-numeric: tabular-nums; } td:first-child, th:first-child { text-align: left; }
.lead tbody tr:first-child td { font-weight: 600; } .wide { overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
.figures div { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1.2rem; }
.figures b { display: block; font-size: 1.7rem; } .figures span { color: var(--quiet); font-size: .9rem; }
.js-plotly-plot .main-svg text:not(.hoverlayer text) { fill: var(--ink) !important; }
.js-plotly-plot .modebar-btn path { fill: var(--quiet) !important; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document of these parts, each made by a function below. Raises UsageError without plotly."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UsageError(f"charts need plotly: {install_command('report')}") from None
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def text(*sentences: str) -> str:
    """A paragraph."""
    return f"<p>{escape(' '.join(sentences))}</p>"


def heading(title: str) -> str:
    """What stands above a part that has no title of its own."""
    return f"<h2>{escape(title)}</h2>"


def figures(values: Iterable[tuple[str, str]]) -> str:
    """The few numbers that matter most, large: (value, what it is)."""
    each = (f"<div><b>{escape(value)}</b><span>{escape(says)}</span></div>" for value, says in values)
    return f'<div class="figures">{"".join(each)}</div>'


def table(titles: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, lead: bool = True) -> str:
    """A table; each column has a title and the sentence that explains it on hover. `lead`: the first row stands out."""
    head = "".join(f'<th title="{escape(says)}">{escape(title)}</th>' for title, says in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    kind = ' class="lead"' if lead else ""
    return f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def chart(title: str, says: str, figure: "Figure") -> str:
    """A figure with its title and what it shows."""
    figure.update_layout(
        template="none",
        font={"family": "system-ui, sans-serif"},
        hoverlabel={"align": "left", "bgcolor": LABEL},
        margin={"l": 70, "r": 70, "t": 20, "b": 45},
        paper_bgcolor=NOTHING,
        plot_bgcolor=NOTHING,
        legend={"orientation": "h", "y": 1.08},
        modebar={"bgcolor": NOTHING},
    )
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor=GRID)
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
    return f"<h2>{escape(title)}</h2>{text(says)}{drawn}"


def seconds(title: str) -> dict[str, object]:
    """A logarithmic axis of seconds whose marks people can read."""
    return {"type": "log", "title": title, "tickvals": MARKS, "ticktext": [span(mark) for mark in MARKS]}


def spread(items: Sequence[T]) -> Sequence[T]:
    """Of many things evenly spread ones, as many as a chart draws."""
    return items[:: max(1, -(-len(items) // DRAWN))]


def hover(value: str) -> str:
    """Text as plotly may show it on hover: it reads a little HTML, which nothing from outside may be."""
    return escape(value, quote=False).replace("\n", "<br>")  # it would show an escaped quote as it is
