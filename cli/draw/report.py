"""What the queue has done, as tables that explain themselves.

Rule: unknown is a dash or said, never a zero; a section that has nothing to tell is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hybridq.report.page import Section
from hybridq.report.report import PromisesKept, Report, Saved
from hybridq.report.waits import Comparison, Waited
from hybridq.visible import visible_line
from hybridq.when import clock, count, decimals, how_many, money_to, span
from hybridq.when import money as amount

from .palette import PLAIN, QUIET, STRONG
from .words import NONE, RULES, TWICE, part_of, percent_of

FEW = 10  # promises; of fewer no part is told in percent
REASON = 300  # cells of a failure's text, at most
WORDS = ("", "audience", "lane")  # columns that hold words, beside each first one
PRICES = (
    "streamed: the cost of the same jobs if each had run as it came, in a call of its own, at the prices of those"
    " hours. What such a call takes is measured now and then in a batch; what chance would tell as well counts as 0."
    " Commands are taken to last as long in either lane"
)
Rows = Sequence[Sequence[str]]


def tables(found: Report) -> RenderableType:
    """The whole report: its headline, then a section for each thing that there is to tell."""
    parts: list[RenderableType] = [] if found.nothing else [_head(found)]
    parts.append(Text(headline(found), style=PLAIN))
    for title, says, columns, rows in sections(found):
        parts.append(Padding(_section(title, columns, rows), (1, 0, 0, 0)))
        if says:
            parts.append(Text(says, style=QUIET))
    return Group(*parts)


def _nothing(found: Report) -> str:
    if found.open:
        return f"no job has finished yet; {_unfinished(found.open)}. See them: hybridq status"
    if found.since:
        return f"nothing was submitted since {clock(found.since, found.now)}. To see everything, drop --since"
    return "no job has run yet. Submit one: hybridq submit -- COMMAND"


def _unfinished(jobs: int) -> str:
    return "1 job is queued or running" if jobs == 1 else f"{count(jobs)} jobs are queued or running"


def headline(found: Report) -> str:
    """What was saved and how much sooner people saw something, in one sentence; kind where there is nothing yet."""
    if found.nothing:
        return _nothing(found)
    total, gathered = found.total, found.gathered
    cost, streamed, saves = _amounts(found, total)
    cost = f"{_ended(found)} cost {cost}"
    said = f"{cost}; streaming all of them as they came would have cost {streamed}"
    if total.share is not None:
        said += f": {_difference(saves, total.share)}" if saves != _none(found) else ": nothing saved"
    elif found.untold or found.starts_due:
        said = f"{cost}; what streaming all of them would have cost is not known yet"
    if gathered.sooner is None:
        return f"{said}."
    held, was = gathered.held.p50, gathered.was.p50
    assert held is not None  # noqa: S101 - else there would be nothing to compare
    assert was is not None  # noqa: S101 - the same
    return (
        f"{said}. {_compared(gathered)} showed output within {span(was)}; held for the next batch, within {span(held)}."
    )


def _difference(saves: str, share: float) -> str:
    """`0.60 (60%) saved`, `0.05 (5%) more`, `1.20 more, over twice as much`."""
    if share < -1:
        return f"{saves.lstrip('-')} more, {TWICE} as much"
    return f"{saves.lstrip('-')} ({percent_of(abs(share))}) {'more' if saves.startswith('-') else 'saved'}"


def _ended(found: Report) -> str:
    """Whose cost it is."""
    if not found.open:
        return "The jobs"
    ended = found.jobs - found.open
    return f"{count(ended)} of {how_many(found.jobs, 'job')} {'has' if ended == 1 else 'have'} ended and"


def _compared(gathered: Comparison) -> str:
    """Of which of people's jobs it is told when they showed output."""
    jobs, unknown = gathered.jobs, gathered.unknown
    if jobs + unknown == 1:
        return "The job that a person saw streamed"
    said = f"Of {count(jobs + unknown)} jobs that people saw streamed,"
    if not unknown:
        return f"{said} half"
    others = f"no flush followed the other{'s' if unknown > 1 else ''}"
    return f"{said} {count(jobs)} can be compared ({others}): {'it' if jobs == 1 else 'half of these'}"


def numbers(found: Report) -> Iterator[tuple[str, str]]:
    """The few figures that matter most, each with what it is."""
    if found.nothing:
        return
    yield count(found.done), "jobs done"
    if found.total.share is not None:
        _, streamed, saved = _amounts(found, found.total)
        yield part_of(found.total.share), f"saved: {saved} of {streamed}"
    if found.gathered.sooner is not None:
        yield percent_of(found.gathered.sooner), "faster first output than batching"
    for each in found.deadlines:
        yield percent_of(each.share), f"of {each.audience.value} deadlines met"
    if found.promises.covered is not None and found.promises.ended >= FEW:
        yield percent_of(found.promises.covered), "of promises kept (done within the time told)"
    if found.failed:
        yield count(found.failed), "jobs failed"


def sections(found: Report) -> Iterator[Section]:
    """Each section that has something to tell."""
    if found.piped:
        names = ("handler", "pipes", "items", "answered", "failed", "shed", "late", "cost")
        yield "Pipes", "Items that were shed are jobs, and counted with those", names, _piped(found)
    if found.nothing:
        return
    dear = ", ".join(visible_line(name, 40) for name in found.unpriced)
    unknown = f". The cost of {dear} is unknown and counts as 0"
    sharing = ", ".join(visible_line(name, 40) for name in found.untold)
    untold = f". What sharing calls saves is not known yet of {sharing}, and counts as 0"
    prices = PRICES + (unknown if found.unpriced else "") + (untold if found.untold else "")
    if found.starts_due:
        starts = ", ".join(visible_line(name, 40) for name in found.starts_due)
        prices += f". Streamed, held jobs of {starts} would have made a start that later ones have made: until they end"
        prices += " that alone is told as no loss"
    yield "Money", prices, ("handler", "audience", "done", "cost", "streamed", "saved", ""), _money(found)
    waits = [_wait(_whose(each), each) for each in found.waits]
    if waits:
        columns = "who waits", "lane", "jobs", "half", "95%", "99%"
        yield "Time to first output", _sampled(found), columns, waits
    if found.gathered.jobs:
        yield _gathered(found.gathered)
    if found.flushes:
        columns = "rule", "flushes", "jobs", "failed", "ran for", "cost"
        yield "Flushes", "", columns, _flushes(found)
    yield "Kept", "", ("", "", ""), list(_kept(found))
    if found.causes:
        yield "Failures", "", ("reason", "jobs", "cost"), _failures(found)


def _unit(found: Report) -> Callable[[float], str]:
    """An amount, with what it is counted in."""
    return partial(amount, currency=found.currency, fine=True)


def _column(found: Report, amounts: Sequence[float]) -> Callable[[float], str]:
    """The same of amounts below each other: in the same decimals."""
    return partial(money_to, decimals(amounts), currency=found.currency)


def _amounts(found: Report, each: Saved) -> tuple[str, str, str]:
    """What it cost, what it would have cost streamed, and the difference of these as they are told: the same decimals
    in all rows, and a total that is the sum of its rows."""
    places = decimals([amount for of in (*found.saved, found.total) for amount in (of.cost, of.streamed)])
    rows = found.saved if each is found.total else (each,)
    cost, streamed = sum(round(of.cost, places) for of in rows), sum(round(of.streamed, places) for of in rows)
    told = partial(money_to, places, currency=found.currency)
    return told(cost or each.cost), told(streamed or each.streamed), told(round(streamed - cost, places))


def _none(found: Report) -> str:
    return money_to(2, 0.0, found.currency)


def _flushes(found: Report) -> Rows:
    money = _column(found, [each.cost for each in found.flushes])
    return [
        (
            RULES.get(each.rule, each.rule),
            count(each.flushes),
            count(each.jobs),
            count(each.failed),
            span(each.seconds),
            money(each.cost),
        )
        for each in found.flushes
    ]


def _piped(found: Report) -> Rows:
    money = _column(found, [each.cost for each in found.piped])
    return [
        (
            visible_line(each.handler, 40),
            *map(count, (each.pipes, each.taken, each.answered, each.failed, each.shed, each.late)),
            money(each.cost),
        )
        for each in found.piped
    ]


def _failures(found: Report) -> Rows:
    money = _column(found, [each.cost for each in found.causes])
    causes = [(visible_line(each.reason, REASON), count(each.jobs), money(each.cost)) for each in found.causes]
    return [*causes, ("for other reasons", count(found.other_causes), NONE)] if found.other_causes else causes


def _head(found: Report) -> Text:
    begin = clock(found.since or found.begin or found.now, found.now)
    parts = [f"{count(found.done)} done"]
    named = (found.failed, "failed"), (found.cancelled, "cancelled"), (found.open, "open")
    parts += [f"{count(jobs)} {name}" for jobs, name in named if jobs]
    return Text.assemble((f"Since {begin}", STRONG), f"  {count(found.jobs)} jobs: {', '.join(parts)}")


def _money(found: Report) -> Rows:
    def row(each: Saved) -> Sequence[str]:
        handler = NONE if each.handler is None else visible_line(each.handler, 40)
        audience = NONE if each.audience is None else each.audience.value
        cost, streamed, saved = _amounts(found, each)
        share = part_of(each.share) if saved != _none(found) or each.share is None else "0%"
        figures = cost, streamed, saved, share
        if each.share is None and (found.untold or found.starts_due):
            figures = cost, NONE, NONE, NONE
        return handler, audience, count(each.done), *figures

    rows = [row(each) for each in found.saved]
    return rows if len(rows) == 1 else [*rows, ("all", "", *row(found.total)[2:])]


def _whose(each: Waited) -> tuple[str, str]:
    return each.audience.value, "either" if each.lane is None else each.lane.value


def _wait(names: tuple[str, str], each: Waited) -> Sequence[str]:
    return *names, count(each.jobs), *(NONE if s is None else span(s) for s in (each.p50, each.p95, each.p99))


def _sampled(found: Report) -> str:
    if found.counted == found.done:
        return ""
    return f"from an even sample of {count(found.counted)} of {count(found.done)} jobs"


def _gathered(found: Comparison) -> Section:
    says = f"{found.how}."
    if found.unknown:
        says += f" {count(found.unknown)} more jobs are not compared: no flush of their handler followed."
    rows = [
        ("streamed (measured)", *_wait(("", ""), found.was)[2:]),
        ("batched (estimated)", *_wait(("", ""), found.held)[2:]),
    ]
    rows.append(("faster by", "", percent_of(found.sooner), "", ""))
    return "The same jobs if batched", says, ("people's jobs", "jobs", "half", "95%", "99%"), rows


def _kept(found: Report) -> Iterator[Sequence[str]]:
    money = _unit(found)
    for each in found.deadlines:
        jobs = f"{count(each.kept)} of {count(each.jobs)}"
        late = "" if each.late_by is None else f"; {count(each.late)} LATE, by up to {span(each.late_by)}"
        yield f"deadlines, {each.audience.value}", percent_of(each.share), f"{jobs} jobs met their deadline{late}"
    yield from _promises(found.promises)
    moved, drafts = found.moved, found.drafts
    if drafts.drafts + drafts.failed:
        yield (
            "drafts",
            count(drafts.drafts),
            (f"cost {money(drafts.cost)}, {count(drafts.failed)} failed; {how_many(drafts.finals, 'final')} ready"),
        )
    if moved.promoted:
        cost, streamed = money(moved.promoted_cost), money(moved.promoted_streamed)
        yield (
            "promoted",
            count(moved.promoted),
            (f"jobs moved to streaming to meet their deadline: cost {cost}; streamed from the start: {streamed}"),
        )
    if moved.reclassified:
        yield "reclassified", count(moved.reclassified), "jobs waited too long to stream and moved to a batch"
    if moved.rescued + moved.given_back:
        yield (
            "rescued",
            count(moved.rescued),
            (
                f"jobs were queued again because their runner died, and {count(moved.given_back)} because it stopped;"
                " the cost of the lost attempts is unknown"
            ),
        )
    if found.cut_jobs:
        yield (
            "output cut",
            count(found.cut_jobs),
            f"jobs lost {count(found.cut_bytes)} bytes of output beyond the limit",
        )
    if found.not_mine:
        yield "stale results", count(found.not_mine), "came from attempts that no longer held their job; not stored"
    if found.cleaned.jobs:
        yield "deleted", count(found.cleaned.jobs), f"jobs, not counted above; cost {money(found.cleaned.cost)}"


def _promises(found: PromisesKept) -> Iterator[Sequence[str]]:
    if not found.ended:
        says = (
            "submissions have a promised time; none has finished without a drain yet"
            if found.made
            else "no times promised yet"
        )
        yield "promises", count(found.made), says
        return
    if found.ended < FEW:
        yield from _few_promises(found)
        return
    by = f"of {count(found.ended)} submissions ended within the time told, to the second (drained ones left out)"
    yield "promises", percent_of(found.covered), by
    yield "done later", percent_of(found.late), "of them, after the end of that time (`22:14 ±6m`: after 22:20)"
    yield "done sooner", percent_of(found.early), "of them, before its begin (before 22:08)"
    if found.loose:
        yield "promised far too late", count(found.loose), "of them, over three times as long as it took: not kept"
    side = "" if not found.bias else f"; mostly done {'sooner' if found.bias > 0 else 'later'} than told"
    yield "typical error", percent_of(found.error), f"of the time to the end: half were off by less{side}"
    if found.width is not None:
        yield "typical margin", percent_of(found.width), "of the time to the end: what stands behind ±"
    for name, of in (("to groups", found.groups), ("at the flush", found.flush), ("half-way", found.half)):
        if of.ended:
            off = f"typical error {percent_of(of.error)}, margin {percent_of(of.width)}"
            yield f"told {name}", percent_of(of.covered), f"of {count(of.ended)} kept; {off}"
    if found.held:
        yield (
            "promised start",
            percent_of(found.started),
            (f"of {count(found.held)} submissions held for over a minute started within a minute of the promise"),
        )


def _few_promises(found: PromisesKept) -> Iterator[Sequence[str]]:
    """Of so few that a part of them says nothing: how many were kept."""
    told = (
        ("promises", found, ": done within the time told, to the second (drained ones left out)"),
        ("told to groups", found.groups, ""),
        ("told at the flush", found.flush, ""),
        ("told half-way", found.half, ""),
    )
    for name, of, what in told:
        if of.ended:
            kept = round((of.covered or 0.0) * of.ended)
            some = "kept" if of.ended == kept == 1 else "not kept" if of.ended == 1 else f"{count(kept)} kept"
            yield name, count(of.ended), f"{'promise' if of.ended == 1 else 'promises'}, {some}{what}"


def _section(title: str, columns: Sequence[str], rows: Rows) -> RenderableType:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style=QUIET, pad_edge=False, show_header=any(columns))
    for place, name in enumerate(columns):
        words = place == 0 or name in WORDS
        grid.add_column(Text(name), justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return Group(Text(title, style=STRONG), grid)
