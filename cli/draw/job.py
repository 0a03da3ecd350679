"""One job as people see it: `show ID`, and `explain ID` with the numbers that were compared.

Rule: what comes from the job is made harmless and then literal text; unknown is said, never guessed.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from hybridq.job import ENDED, Decision, Forecast, Lane, Mode, State
from hybridq.sentences import sentence
from hybridq.status.snapshot import Row
from hybridq.visible import visible
from hybridq.when import clock, decimals, eta, money, money_to, nearest, span

from . import words
from .palette import ALARM, LATE, LOOK, PLAIN, QUIET, STRONG
from .troubles import deadline as told_deadline
from .troubles import may_be_late

LOADED = "EXTRA FOR LOAD"  # what a mode counts as dearer for the load of others; nobody pays it
MONEY = ("COST", LOADED, "WAITING COSTS", "TOTAL")
TITLES = ("", "MODE", *MONEY, "FIRST RESULT", "DONE", "NOTE")
NARROW = 72  # cells: with less the columns break within words

Happened = tuple[float, str]  # epoch seconds, and what happened then
Fact = tuple[str, str]  # what is known, and its value


def draw_detail(
    row: Row,
    now: float,
    history: Sequence[Happened] = (),
    facts: Sequence[Fact] = (),
    *,
    currency: str = "",
) -> RenderableType:
    """All that is known of one job or group, further facts, and what happened to it, oldest first."""
    title = Text.assemble((words.id_range(row), STRONG), "  ", _text(words.what(row), STRONG))
    known = [*_facts(row, now, currency), *((name, _text(value)) for name, value in facts)]
    return Group(title, _grid(known), *_history(history, now))


def draw_explanation(
    name: str,
    decision: Decision,
    decided: float,
    now: float,
    history: Sequence[Happened] = (),
    facts: Sequence[Fact] = (),
    *,
    currency: str = "",
) -> RenderableType:
    """Why a submission runs as it does: the sentence, each mode that was compared, what came of it, every change.

    `decided` is when (epoch seconds); the forecasts are shown as they were seen then.
    """
    why = f"at submission: {sentence(decision.reason, decided, currency, long=True)}"
    parts: list[RenderableType] = [Text.assemble((name, STRONG), "  ", (decision.mode.value, STRONG), "  ", _text(why))]
    if decision.warning is not None:
        parts.append(_text(sentence(decision.warning, decided, currency), ALARM))
    if any(_tells(forecast) for forecast in decision.considered):
        parts.append(Padding(_Comparison(decision, decided, currency), (1, 0, 0, 1), expand=False))
    if facts:
        parts.append(_grid([(name, _text(value)) for name, value in facts]))
    return Group(*parts, *_history(history, now))


def _grid(facts: Sequence[tuple[str, Text]], above: int = 1) -> RenderableType:
    """Names and values side by side."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style=QUIET)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name), value)
    return Padding(grid, (above, 0, 0, 1), expand=False)


def _text(text: str, style: Style = PLAIN) -> Text:
    return Text(visible(text), style=style, overflow="fold")


def _facts(row: Row, now: float, currency: str) -> Iterator[tuple[str, Text]]:
    sign, look = LOOK[words.state(row)]
    yield "mode", Text(words.mode(row))
    yield "state", Text(f"{sign} {words.state(row)}", style=look)
    if row.group is not None:
        yield "jobs", Text(words.SEPARATOR.join(words.tally_words(row.counts, _held(row))))
    if why := words.why(row, now):
        yield "why", _text(why, LATE if row.late else ALARM if may_be_late(row) else PLAIN)
    yield "handler", _text(row.handler)
    yield "for", Text(row.audience.value)
    yield "submitted", Text(_ago(row.submitted, now))
    if row.started is not None:
        yield "started", Text(_ago(row.started, now))
    elif row.start is not None and row.state not in ENDED:
        name = words.starts(row.start, row.eta, row.why_kind)
        yield name, Text(f"{clock(row.start, now)}, {words.until(row.start, now)}")
    yield from _end(row, now)
    if row.cost is not None:
        yield "cost", Text(money(row.cost, currency))


def _held(row: Row) -> int:
    return row.counts.get(State.QUEUED, 0) if row.lane is Lane.BATCH else 0


def _end(row: Row, now: float) -> Iterator[tuple[str, Text]]:
    if row.finished is not None:
        yield "ended", Text(_ago(row.finished, now))
        if row.started is not None:
            yield "took", Text(words.took(row, now))
    elif row.state not in ENDED:
        left = "" if row.eta is None else f", {words.until(nearest(row.eta, now), now)}"
        yield "done", Text(f"{words.done_at(row, now)}{left}")
    if deadline := told_deadline(row, now):
        yield "deadline", Text(deadline, style=LATE if row.late else PLAIN)
    if row.exit_code is not None:
        yield "exit code", Text(words.exit_words(row.exit_code))


def _ago(at: float, now: float) -> str:
    return f"{clock(at, now)}, {span(max(0, int(now - at)))} ago"


class _Comparison:
    """One line a mode; the chosen one is marked, and strong. Where that is too narrow, one mode below another."""

    def __init__(self, decision: Decision, decided: float, currency: str) -> None:
        unit = f" {currency}" if currency else ""
        self._names = list(TITLES)
        of = decision.considered
        places = decimals([amount for each in of for amount in (each.cost, each.surcharge, each.delay, each.total)])
        modes = [_compared(forecast, decision, decided, currency, places) for forecast in of]
        if not any(each.surcharge for each in of):
            at = self._names.index(LOADED)
            del self._names[at]
            for cells in modes:
                del cells[at]
        self._modes = list(zip(of, modes, strict=True))
        self._titles = [f"{title}{unit}" if title in MONEY else title for title in self._names]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or a list for each mode."""
        if options.max_width >= NARROW:
            yield self._table()
            return
        for forecast, (mark, mode, *figures, note) in self._modes:
            yield Text.assemble(mark, " " if mark else "", mode, style=STRONG if mark else PLAIN)
            named = zip((_small(title) for title in self._titles[2:-1]), figures, strict=True)
            reason = "why" if forecast.makes_deadline else "but"
            yield _grid([*named, *([(reason, note)] if note else [])], above=0)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET, show_edge=False)
        for name, title in zip(self._names, self._titles, strict=True):
            table.add_column(Text(title), justify="right" if name in MONEY else "left", overflow="fold")
        for _, cells in self._modes:
            table.add_row(*cells, style=STRONG if cells[0] else None)
        return table


def _tells(forecast: Forecast) -> bool:
    """Whether anything of it is known: a table of what nobody knows tells less than the head."""
    return any(each is not None for each in (forecast.cost, forecast.delay, forecast.first, forecast.finish))


def _small(title: str) -> str:
    """A title as a name in a list; the unit stays as it is."""
    name = next(name for name in TITLES if name and title.startswith(name))
    return name.lower() + title.removeprefix(name)


def _compared(forecast: Forecast, decision: Decision, decided: float, currency: str, places: int) -> list[Text]:
    """The cells of a mode, money in so many decimals.

    Why a batch would run then is told of one that was not chosen: of the chosen one the head tells it, or what came of
    it.
    """
    chosen = forecast.mode is decision.mode
    note = forecast.note
    if note is not None and (chosen or forecast.mode is Mode.ADAPTIVE):
        note = note.then
    missed = "" if forecast.makes_deadline else "misses the deadline"
    told = words.SEPARATOR.join(filter(None, [missed, sentence(note, decided, currency)]))
    return [
        Text("»" if chosen else ""),
        Text(forecast.mode.value),
        *(Text("unknown" if amount is None else money_to(places, amount)) for amount in _sum(forecast, places)),
        Text(_after(forecast.first, forecast.first90, decided)),
        Text(eta(forecast.finish, forecast.finish90, decided)),
        _text(told, PLAIN if forecast.makes_deadline else ALARM),
    ]


def _sum(forecast: Forecast, places: int) -> tuple[float | None, ...]:
    """The money of a mode: its parts, and a total that is the sum of these as they are told."""
    parts = forecast.cost, forecast.surcharge, forecast.delay
    told = sum(round(each or 0.0, places) for each in parts)
    return *parts, forecast.total if forecast.total is None or not told else told


def _after(p50: float | None, p90: float | None, decided: float) -> str:
    """How long until then: `after 48s ±22s`."""
    if p50 is None:
        return "unknown"
    spread = "" if p90 is None or p90 <= p50 else f" ±{span(p90 - p50)}"
    after = max(0.0, p50 - decided)
    return f"after {span(round(after) if after >= 1 else after)}{spread}"


def _history(history: Sequence[Happened], now: float) -> list[RenderableType]:
    if not history:
        return []
    told = []
    for text, same in groupby(history, key=lambda happened: happened[1]):
        times = [at for at, _ in same]
        told.append((clock(times[0], now), _text(text if len(times) == 1 else f"{text} (x{len(times)})")))
    return [_grid(told)]
