"""A page of charts that is one file: text, tables and plotly figures, with the library inside.

Rule: nothing is loaded from anywhere, and whatever comes from jobs or files is escaped. Needs the extra
`hybridq[report]`.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INK, PAPER, QUIET, GRID = "#1d2430", "#ffffff", "#667085", "#e6e9ef"
COLOURS = {"stream": "#2a78d6", "batch": "#1baf7a", "user": "#eb6834", "background": "#4a3aa7", "tariff": "#b6bdc9"}
_STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: {INK}; background: {PAPER}; margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.15rem; margin-top: 2.5rem; }} p, figcaption {{ color: {QUIET}; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .3rem .8rem; border-bottom: 1px solid {GRID};
  text-align: right; font-variant-numeric: tabular-nums; }} td:first-child, th:first-child {{ text-align: left; }}
tr:first-child td {{ font-weight: 600; }} .wide {{ overflow-x: auto; }}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document of these parts, each made by a function below. Raises UsageError without plotly."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UsageError("charts need plotly: pip install 'hybridq[report]'") from None
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def text(*sentences: str) -> str:
    """A paragraph."""
    return f"<p>{escape(' '.join(sentences))}</p>"


def table(titles: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """A table; each column has a title and the sentence that explains it on hover."""
    head = "".join(f'<th title="{escape(says)}">{escape(title)}</th>' for title, says in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def chart(title: str, says: str, figure: "Figure") -> str:
    """A figure with its title and what it shows."""
    figure.update_layout(
        template="none", font={"color": INK, "family": "system-ui, sans-serif"}, hoverlabel={"align": "left"},
        margin={"l": 70, "r": 70, "t": 20, "b": 45}, paper_bgcolor=PAPER, plot_bgcolor=PAPER,
        legend={"orientation": "h", "y": 1.08},
    )  # fmt: skip
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor=GRID)
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
    return f"<h2>{escape(title)}</h2>{text(says)}{drawn}"


def hover(value: str) -> str:
    """Text as plotly may show it on hover: it reads a little HTML, which nothing from outside may be."""
    return escape(value).replace("\n", "<br>")
