"""What is too late is called so: in rows, in words, of single jobs and of groups, and in the report."""

import json

import pytest

from hybridq.job import Audience, State
from hybridq.queue.cancel_retry import cancel
from hybridq.selection import parse_selector
from hybridq.status.overview import take
from hybridq.status.snapshot import Row
from hybridq_cli.draw.troubles import deadline, troubles
from tests.support.building import command
from tests.support.ledgers import START, Past
from tests.support.snapshots import NOW, row


def at(past: Past, now: float, *words: str) -> tuple[Row, ...]:
    """The rows at an instant, seconds after START."""
    named = [parse_selector(word) for word in words]
    return take(past.outlook, now=START + now, limit=40, selectors=named).rows


def ended(past: Past, end: float, **more: float | str) -> int:
    """A job that was due after 100 seconds, and ended then."""
    (number,) = past.submit(0, due=100)
    past.flush(10, end, [number], **more)  # type: ignore[arg-type]
    return number


@pytest.mark.parametrize("errors", [(), ("it broke",)])
def test_a_result_after_its_deadline_is_late(past: Past, errors: tuple[str, ...]) -> None:
    """A job that ended after its deadline, well or badly, is late by the seconds between."""
    ended(past, 130, errors=errors)  # type: ignore[arg-type]
    (found,) = at(past, 1000)
    assert (found.late, found.late_by) == (True, 30)


def test_what_was_in_time_or_cancelled_is_not_late(past: Past) -> None:
    """Neither a job that ended by its deadline, nor one that was cancelled after it."""
    ended(past, 99)
    (number,) = past.submit(0, due=100)
    cancel(past.store, [number], START + 200)
    assert [(each.late, each.late_by) for each in at(past, 1000)] == [(False, None)] * 2


def test_what_is_past_its_deadline_is_late_already(past: Past) -> None:
    """A job that waits although its deadline has passed is late, by what has passed since."""
    past.submit(0, due=100)
    (found,) = at(past, 160)
    assert (found.state, found.late, found.late_by) == (State.QUEUED, True, 60)


def test_a_group_is_late_where_any_of_its_jobs_is(past: Past) -> None:
    """A group has the lateness of its latest job; of one whose rest was cancelled later, that of what ran."""
    past.flush(10, 130, past.submit(0, 2, due=100, group="g") + past.submit(0, due=500, group="g"), ends=(50, 130, 90))
    (found,) = at(past, 1000, "g")
    assert found.late_by == 30
    mixed = past.submit(0, 2, due=100, group="h")
    past.flush(10, 90, mixed[:1])
    cancel(past.store, mixed[1:], START + 200)
    (found,) = at(past, 1000, "h")
    assert (found.late, found.late_by) == (False, None)


def test_lateness_has_one_word() -> None:
    """`LATE by` of what ended, `LATE: was due` of what is past it, `will be LATE` by the ETA; else nothing."""
    told = [
        row(1, state=State.DONE, finished=NOW, deadline=NOW - 30, late=True, late_by=30.0),
        row(1, deadline=NOW - 700, eta=NOW + 300, late=True, late_by=1000.0),
        row(1, deadline=NOW + 700, eta=NOW + 1300, late=True, late_by=600.0),
        row(1, deadline=NOW + 700, eta=NOW + 300),
    ]
    said = [" ".join(troubles(each, NOW))[:14] for each in told]
    assert said == ["LATE by 30s", "LATE: was due ", "will be LATE: ", ""]
    assert [deadline(each, NOW).partition(", ")[2] for each in told] == [
        "LATE by 30s",
        "LATE by 12m so far",
        "will be LATE by 10m",
        "",
    ]


def test_the_report_counts_what_was_late(past: Past) -> None:
    """Of the deadlines it tells how many jobs were late and by how much: those that ended, and those still open."""
    past.flush(10, 130, past.submit(0, 3, due=100), ends=(50, 110, 130))
    past.submit(0, due=400)
    (found,) = past.report(now=600).deadlines
    assert (found.audience, found.jobs, found.kept, found.late, found.late_by) == (Audience.BACKGROUND, 4, 1, 3, 200)


def test_every_view_says_late(past: Past) -> None:
    """`status`, `show`, `explain` and `report` say LATE, and their `--json` has the same."""
    ended(past, 130)
    for words in (["status"], ["show", "1"], ["explain", "1"], ["report"]):
        assert "LATE" in command(past.home, *words).stdout, words
    assert json.loads(command(past.home, "status", "--json").stdout)["rows"][0]["late"] is True
    assert json.loads(command(past.home, "show", "1", "--json").stdout)["late_by"] == 30
    assert json.loads(command(past.home, "explain", "1", "--json").stdout)["row"]["late"] is True
