"""The report's figures, each against a queue whose past was made by hand and whose figures are worked out here."""

import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from hybridq.brain.policy import promote, reclassify
from hybridq.brain.promotion import promotion_reason
from hybridq.job import Audience, Happening, Lane, Mode, Request
from hybridq.outlook import Outlook
from hybridq.queue import ledger
from hybridq.queue.account import FLUSH, HALF, Cause
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import job
from hybridq.queue.lanes import move, move_cohort
from hybridq.queue.ledger import alike
from hybridq.queue.promises import Told, keep
from hybridq.queue.rescue import give_back, rescue
from hybridq.reason import said
from hybridq.report.report import report
from hybridq.report.waits import Waited
from hybridq_cli.draw.report import headline, sections
from hybridq_cli.draw.words import NONE
from tests.support.building import asking, command, environment, submit_all
from tests.support.ledgers import START, Past, asked

USER, BACKGROUND = Audience.USER, Audience.BACKGROUND


def test_money_by_handler_and_audience(past: Past) -> None:
    """Two streamed jobs at 1 and four gathered ones at 0.25 instead of 1 cost 3 instead of 6: half is saved."""
    asked(past, 0, 1, 2)
    asked(past, 5, 6, 7)
    past.flush(100, 110, past.submit(10, 4))
    found = past.report()
    assert (found.total.cost, found.total.streamed, found.total.saved, found.total.share) == (3, 6, 3, 0.5)
    assert {each.audience: (each.handler, each.jobs, each.cost, each.saved, each.share) for each in found.saved} == {
        USER: ("echo", 2, 2, 0, 0),
        BACKGROUND: ("echo", 4, 1, 3, 0.75),
    }


def test_money_is_of_what_was_done(past: Past) -> None:
    """What was cancelled is not among the jobs that the money was for."""
    one, *others = past.submit(0, 3)
    past.flush(10, 20, [one])
    cancel(past.store, others, START + 30)
    (rows,) = [rows for title, _, _, rows in sections(past.report()) if title == "Money"]
    assert [row[2] for row in rows] == ["1"]


def test_waits_are_the_named_percentiles(past: Past) -> None:
    """Of a hundred waits of 1 to 100 s, half are within 50 s, 95 % within 95 s and 99 % within 99 s."""
    for number in past.submit(0, 100, audience=USER, mode=Mode.STREAM):
        past.stream(number, 0, number, number + 1)
    (wait,) = past.report().waits
    assert wait == Waited(audience=USER, lane=Lane.STREAM, jobs=100, counted=100, p50=50, p95=95, p99=99)


def test_waits_by_lane(past: Past) -> None:
    """A gathered job is seen when it ends; an audience that met both lanes is told for each and for both."""
    asked(past, 0, 2, 50)
    past.flush(10, 30, past.submit(0, audience=USER))
    told = {each.lane: (each.jobs, each.p50, each.p99) for each in past.report().waits}
    assert told == {None: (2, 2, 30), Lane.STREAM: (1, 2, 2), Lane.BATCH: (1, 30, 30)}


def test_what_gathering_would_have_made_of_it(past: Past) -> None:
    """A job waits for the next flush to begin; without one, for the one that runs to end; else nobody knows."""
    for at in (10, 20, 130, 205, 300):
        asked(past, at, at + 1, at + 2)
    past.flush(100, 120, past.submit(0))
    past.flush(200, 210, past.submit(0))
    found = past.report().gathered
    assert (found.jobs, found.unknown) == (4, 1)
    assert found.held == Waited(audience=USER, lane=Lane.BATCH, jobs=4, counted=4, p50=70, p95=90, p99=90)
    assert found.was.p99 == 1
    assert found.sooner == pytest.approx(1 - 1 / 70)


def test_without_a_flush_nothing_is_said_of_gathering(past: Past) -> None:
    """Where nothing was ever gathered, gathering is unknown, not zero."""
    asked(past, 0, 1, 2)
    found = past.report().gathered
    assert (found.jobs, found.unknown, found.held.p50, found.sooner) == (0, 1, None, None)


def test_deadlines_kept(past: Past) -> None:
    """Kept are those done in time: not the late, not the failed, not the overdue; who is not due yet is not asked."""
    past.flush(50, 120, past.submit(0, 4, due=100), ends=[95, 90, 90, 110], errors=["it broke"])
    past.flush(130, 140, past.submit(0, due=200))
    past.submit(0, 3, due=900)
    past.submit(0, 2, due=5000)
    past.submit(0, 2)
    (found,) = past.report(now=1000).deadlines
    assert (found.jobs, found.kept, found.share) == (8, 3, 3 / 8)


def test_promises(past: Past) -> None:
    """Against what was done after 90, 100, 110 and 130 s, a promise of 100 s, at most 120 s, that starts at 80 s."""
    starts, ends = (70, 80, 100, 10), (90, 100, 110, 130)
    for start, end in zip(starts, ends, strict=True):
        past.flush(start, end, past.submit(0, promised=(80, 100, 120)))
    found = past.report().promises
    assert (found.made, found.ended, found.held) == (4, 4, 4)
    assert found.covered == 3 / 4
    assert found.error == pytest.approx((10 / 110 + 10 / 90) / 2)
    assert found.started == 3 / 4


def test_a_promise_far_too_late_is_not_kept(past: Past) -> None:
    """Done after 100 s, a promise of 200 s is kept, and one of 13 minutes says nothing; both are told as late."""
    for latest in (200, 780):
        past.flush(80, 100, past.submit(0, promised=(80, 150, latest)))
    found = past.report().promises
    assert (found.covered, found.loose, found.late, found.early) == (1 / 2, 1, 0, 0)
    assert (found.error, found.bias) == (0.5, 0.5)
    assert found.width == pytest.approx((0.5 + 6.3) / 2)


def test_a_range_is_missed_on_either_side(past: Past) -> None:
    """Told 100 s ±20 s: done after 79 s and sooner is as wrong as after 121 s, to the second; so is 200 s ±5 s."""
    for end in (75, 79.5, 120.5, 130):
        past.flush(50, end, past.submit(0, promised=(50, 100, 120)))
    past.flush(80, 100, past.submit(0, promised=(80, 200, 205)))
    found = past.report().promises
    assert (found.covered, found.late, found.early, found.loose) == (2 / 5, 1 / 5, 2 / 5, 0)


def test_what_was_told_later_is_judged_apart(past: Past) -> None:
    """At the flush and half-way: beside what was promised at submission, also where nothing was."""
    known, unknown = past.submit(0, promised=(80, 100, 120)), past.submit(0, 3)
    for number, said_at, finish in ((known[0], FLUSH, 110), (unknown[0], FLUSH, 150), (unknown[0], HALF, 96)):
        cohort = job(past.store, number).cohort
        told = Told(cohort=cohort, whole=None, said=said_at, start=None, finish=START + finish, finish90=START + 155)
        keep(past.store, [told], START + 80)
    past.flush(80, 100, known)
    past.flush(80, 100, unknown)
    found = past.report().promises
    assert (found.made, found.ended, found.covered, found.groups.ended) == (1, 1, 1.0, 0)
    assert (found.flush.ended, found.flush.covered, found.flush.early) == (2, 1 / 2, 1 / 2)
    assert (found.half.ended, found.half.bias) == (1, pytest.approx(-4 / 20))


def test_a_group_is_promised_as_one(past: Past) -> None:
    """What was told of a group is judged by all that was in it then; what joins it later is not its matter."""
    first, second = past.submit(0, 2, group="g"), past.submit(5, 2, group="g")
    cohort = job(past.store, first[0]).cohort
    told = Told(cohort=cohort, whole="g", said=FLUSH, start=None, finish=START + 100, finish90=START + 120)
    keep(past.store, [told], START + 80)
    third = past.submit(90, group="g")
    past.flush(80, 90, first)
    assert past.report().promises.flush.ended == 0
    past.flush(90, 130, second)
    found = past.report().promises.flush
    assert (found.ended, found.covered, found.late) == (1, 0, 1.0)
    past.flush(200, 300, third)
    assert past.report().promises.flush == found


def test_parts_of_one_submission_are_one_promise(past: Past) -> None:
    """Of two cohorts that came together the last end counts, against the last that was promised."""
    jobs = [job(past.store, past.submit(0, 2, promised=(80, at, at + 20))[0]) for at in (100, 200)]
    past.store.connection.execute("UPDATE cohort SET submission = ? WHERE id = ?", (jobs[0].cohort, jobs[1].cohort))
    for first, end in zip(jobs, (90, 205), strict=True):
        past.flush(80, end, [first.id, first.id + 1])
    found = past.report().promises
    assert (found.ended, found.covered, found.groups.ended) == (1, 1.0, 1)
    assert found.error == pytest.approx(5 / 205)


def test_what_was_drained_before_its_time_broke_no_promise(past: Past) -> None:
    """A drain before the planned start is left out; one after it, as from cron, is judged."""
    for start in (10, 85):
        past.flush(start, start + 20, past.submit(0, promised=(80, 100, 120)), rule="drain")
    found = past.report().promises
    assert (found.made, found.ended, found.started) == (2, 1, 1.0)


def test_a_promise_is_judged_to_the_second(past: Past) -> None:
    """What is done in the second that was told is on time: a stream of 5 ms is not late by 20 ms of handing it over."""
    for ended in (0.03, 0.9, 1.1):
        past.stream(past.submit(0, mode=Mode.STREAM, promised=(0, 0.005, 0.011))[0], 0.01, ended, ended)
    assert past.report().promises.covered == 2 / 3


def test_a_promise_is_judged_by_all_of_its_jobs(past: Past) -> None:
    """A submission of which a job went to the other lane is done when that one is; one that failed is not judged."""
    two, failed, waiting = (past.submit(0, jobs, promised=(80, 100, 120)) for jobs in (2, 1, 1))
    past.flush(80, 100, failed, errors=["it broke"])
    move(past.store, two[1:], Lane.STREAM, Happening.PROMOTED, said("a test"), START + 50)
    past.flush(80, 100, two[:1])
    assert past.report().promises.ended == 0
    past.stream(two[1], 110, 120, 125)
    found = past.report().promises
    assert (found.made, found.ended, found.covered) == (3, 1, 0)
    assert found.error == pytest.approx(25 / 125)
    assert job(past.store, waiting[0]).finished is None


def test_a_promise_follows_jobs_that_move_twice(past: Past) -> None:
    """A job that went to the other lane and came back is still one of those that the promise was made for."""
    jobs = past.submit(0, 3, promised=(80, 100, 120))
    move(past.store, jobs[1:], Lane.STREAM, Happening.PROMOTED, said("a test"), START + 50)
    move(past.store, jobs[2:], Lane.BATCH, Happening.RECLASSIFIED, said("a test"), START + 60)
    past.flush(80, 100, jobs[:1])
    past.stream(jobs[1], 80, 90, 95)
    assert past.report().promises.ended == 0
    past.flush(150, 200, jobs[2:])
    found = past.report().promises
    assert (found.ended, found.covered, found.error) == (1, 0, 0.5)


def test_flushes_by_rule(past: Past) -> None:
    """Flushes of one rule stand together: how many, of how many jobs, how long, at what cost."""
    past.flush(10, 20, past.submit(0, 3), rule="deadline", errors=["it broke"])
    past.flush(30, 35, past.submit(0, 1), rule="deadline")
    past.flush(50, 51, past.submit(0, 2), rule="drain")
    told = {
        each.rule: (each.flushes, each.jobs, each.failed, each.seconds, each.cost) for each in past.report().flushes
    }
    assert told == {"deadline": (2, 4, 1, 15, 1.0), "drain": (1, 2, 0, 1, 0.5)}


def test_promotions_and_what_they_cost(past: Past) -> None:
    """A promoted job is known by what the policy itself says of it; its cost stands beside that of streaming."""
    (whole,), several = past.submit(0, due=100), past.submit(0, 3, due=100)
    conditions = replace(past.outlook.conditions("echo", START), batch_ahead=3600.0)
    decided = promote(Request(handler="echo", audience=BACKGROUND, deadline=START + 60), 1, 1.0, conditions)
    assert decided is not None
    reasons = [promotion_reason(START, START, conditions.estimate, 1.0), decided.reason]
    move_cohort(past.store, job(past.store, whole).cohort, Lane.STREAM, Happening.PROMOTED, reasons[0], START + 50)
    move(past.store, several[:2], Lane.STREAM, Happening.PROMOTED, reasons[1], START + 60)
    for number in (whole, *several[:2]):
        past.stream(number, 60, 61, 62, cost=2.0)
    moved = past.report().moved
    assert (moved.promoted, moved.promoted_cost, moved.promoted_streamed) == (3, 6, 6)


def test_jobs_that_waited_too_long_to_stream(past: Past) -> None:
    """A job that went to the batch lane is known by what the policy itself says of it."""
    first, second = past.submit(0, 2, mode=Mode.STREAM)
    crowded = replace(past.outlook.conditions("echo", START), stream_ahead=90_000.0)
    decided = reclassify(Request(handler="echo", audience=BACKGROUND), 1, 1.0, crowded, waited=900.0, foreseen=1.0)
    assert decided is not None
    move(past.store, [first], Lane.BATCH, Happening.RECLASSIFIED, decided.reason, START + 900)
    past.stream(second, 901, 902, 903)
    assert past.report().moved.reclassified == 1


def test_rescues(past: Past) -> None:
    """A job that a runner died with is rescued, one that a runner gave back is not."""
    past.submit(0, 2, mode=Mode.STREAM)
    claim = "from hybridq.queue.runner import Runner; from hybridq.queue.claims import claim_stream; import os, sys\n"
    claim += "from hybridq.submit import connect; store = connect(dict(os.environ)).store\n"
    claim += "claim_stream(store, Runner(store, 'submit').id, 'echo', 1, 2e9); os._exit(0)"
    subprocess.run([sys.executable, "-c", claim], env=environment(past.home), check=True)
    assert rescue(past.store, START + 5) == 1
    past.claim(2, 6)
    assert give_back(past.store, past.runner, START + 7) == 1
    moved = past.report().moved
    assert (moved.rescued, moved.given_back) == (1, 1)


def test_rescues_of_many_at_once(past: Past) -> None:
    """Jobs of one submission that were given back at once are each counted, thousands too."""
    for number in past.submit(0, 1200, mode=Mode.STREAM):
        past.claim(number, 1)
    assert give_back(past.store, past.runner, START + 2) == 1200
    assert past.report().moved.given_back == 1200


def test_drafts_and_finals(past: Past) -> None:
    """An adaptive job is seen with its draft, whose price is a part of its cost; its final is counted apart."""
    (number,) = past.submit(0, audience=USER, mode=Mode.ADAPTIVE)
    (other,) = past.submit(0, audience=USER, mode=Mode.ADAPTIVE)
    past.stream(number, 0, 3, 4, cost=0.5, draft=True)
    past.stream(other, 0, 3, 4, cost=0.5, draft=True, error="no draft")
    past.flush(100, 110, [number])
    found = past.report()
    assert (found.drafts.drafts, found.drafts.failed, found.drafts.finals, found.drafts.cost) == (1, 1, 1, 1.0)
    assert found.waits[-1].p50 == 3
    assert found.gathered.held.p50 == 100
    assert (found.total.cost, found.total.streamed) == (1.25, 1.0)


def test_failures_by_reason(past: Past) -> None:
    """Failures that differ only in their numbers are one reason, the most frequent first, with what they cost."""
    errors = ["timed out after 3s", "no file", "timed out after 1.5s", "no file", "timed out after 20s"]
    past.flush(10, 20, past.submit(0, 6), errors=errors)
    found = past.report()
    assert found.causes == (
        Cause(reason="timed out after …s", jobs=3, cost=0.75),
        Cause(reason="no file", jobs=2, cost=0.5),
    )
    assert (found.failed, found.done, found.other_causes) == (5, 1, 0)


def test_the_headline_says_which_jobs_it_counts(past: Past) -> None:
    """Of three jobs that people saw streamed no flush followed one, and one job is open: both are said."""
    for at in (0, 1, 300):
        past.stream(*past.submit(at, audience=Audience.USER, mode=Mode.STREAM), at + 1, at + 2, at + 3)
    past.flush(100, 110, past.submit(10, 4))
    whole = headline(past.report())
    assert whole.startswith("The jobs cost ")
    assert "Of 3 jobs that people saw streamed, 2 can be compared (no flush followed the other): half of these" in whole
    past.submit(400)
    assert headline(past.report()).startswith("7 of 8 jobs have ended and cost ")


def test_exit_codes_are_different_reasons() -> None:
    """An exit code is no measure: it stays; a number that is always the same stays too."""
    told = alike([("exit 13", 5, 1.0), ("port 80 is taken", 2, 0.5), ("exit 12", 1, 0.0), ("exit -9", 1, 0.0)])
    assert [each.reason for each in told] == ["exit 13", "port 80 is taken", "exit 12", "exit -9"]


def test_commands_that_ended_with_several_exit_codes_have_a_row_for_each(outlook: Outlook) -> None:
    """As real commands end: each code with its own jobs."""
    with outlook.store:
        for code in (3, 4, 4):
            submit_all(outlook, asking("shell"), [b'{"argv": ["sh", "-c", "exit %d"]}' % code])
        command(outlook.store.home, "drain")
        causes = ledger.read(outlook.store, 0.0, time.time()).causes
    assert [(each.reason, each.jobs) for each in causes] == [("exit code 4", 2), ("exit code 3", 1)]


def test_of_very_many_reasons_the_rest_is_counted(past: Past) -> None:
    """Ten reasons are told one by one, the others as a number."""
    past.flush(10, 20, past.submit(0, 14), errors=[f"reason {chr(97 + n)}" for n in range(13)])
    found = past.report()
    assert (len(found.causes), found.other_causes) == (10, 3)


def test_what_was_cut_and_what_was_nobodys(past: Past) -> None:
    """Output beyond the limit is told in bytes; a result from an attempt that lost its job is counted, not stored."""
    for number in past.submit(0, 2, mode=Mode.STREAM):
        claim = past.claim(number, 1)
        past.end(claim, 2, dropped=1000 * number)
        past.end(claim, 3)
    found = past.report()
    assert (found.cut_jobs, found.cut_bytes, found.not_mine) == (2, 3000, 2)


def test_since_leaves_out_what_was_submitted_before(past: Past) -> None:
    """Jobs that were submitted before are in none of the figures, and flushes that began before neither."""
    past.flush(10, 20, past.submit(0, 3, due=15, promised=(1, 2, 3)), errors=["it broke"])
    asked(past, 0, 5, 6)
    past.flush(200, 210, past.submit(100, 2))
    found = past.report(since=100)
    assert (found.jobs, found.done, found.failed, found.total.cost) == (2, 2, 0, 0.5)
    assert [each.jobs for each in found.flushes] == [2]
    assert (found.deadlines, found.promises.made, found.causes, len(found.waits)) == ((), 0, (), 1)
    assert (found.begin, found.gathered.unknown) == (START + 100, 0)


def test_of_many_jobs_evenly_spread_ones_are_counted(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many jobs some are looked at one by one, of each audience as many; sums stay exact, waits come near."""
    for number in past.submit(0, 600, audience=USER, mode=Mode.STREAM):
        past.stream(number, 0, number, number)
    past.flush(700, 710, past.submit(0, 40))
    monkeypatch.setattr(ledger, "SAMPLE", 150)
    found = past.report()
    (user, background) = found.waits
    assert 110 < user.counted < 190
    assert (user.jobs, background.jobs, background.counted) == (600, 40, 40)
    assert user.p50 is not None
    assert 240 < user.p50 < 360
    assert (found.done, found.total.cost, found.total.streamed) == (640, 610, 640)


def test_a_price_that_nobody_knows_is_said(past: Past) -> None:
    """What nobody knows the price of is named beside the money, if any of its jobs are counted."""
    past.flush(100, 110, past.submit(10, 4))
    read = past.ledger(200)
    assert report(read, START + 200, {"echo", "other"}).unpriced == ("echo",)
    (says,) = [says for title, says, *_ in sections(report(read, START + 200, {"echo"})) if title == "Money"]
    assert says.endswith(". The cost of echo is unknown and counts as 0")
    assert "not known" not in next(sections(report(read, START + 200)))[1]


def test_what_is_not_known_yet_is_no_saving(past: Past) -> None:
    """While no trial has told what sharing calls saves, nothing is claimed and the report says so; what a batch saved
    surely, as by cheaper hours, is."""
    past.flush(100, 110, past.submit(10, 4))
    read = past.ledger(200)
    sure = report(read, START + 200, untold={"echo", "other"})
    assert sure.untold == ("echo",)
    assert sure.total.share == pytest.approx(0.75)
    same = replace(read, sums=tuple(replace(each, streamed=each.cost) for each in read.sums))
    none = report(same, START + 200, untold={"echo"})
    assert (none.total.share, none.saved[0].share) == (None, None)
    assert "not known yet" in headline(none)
    ((_, says, _, ((*_, cost, streamed, saved, share),)), *_) = sections(none)
    assert "What sharing calls saves is not known yet of echo, and counts as 0" in says
    assert (streamed, saved, share) == (NONE,) * 3
    assert cost != NONE
    assert report(same, START + 200).total.share == 0.0


def test_a_part_is_known_where_its_handler_s_whole_is(past: Past) -> None:
    """Who came first would have paid the start: what moves from one audience to the other is nobody's saving."""
    asked(past, 5, 6, 7)
    past.flush(100, 110, past.submit(10, 4))
    read = past.ledger(200)
    moved = {Lane.STREAM: 0.9, Lane.BATCH: 1 / 0.9}
    spent = sum(each.cost for each in read.sums if each.lane is Lane.STREAM)
    sums = [replace(each, cost=spent, streamed=spent * moved[each.lane]) for each in read.sums]
    found = report(replace(read, sums=tuple(sums)), START + 200, untold={"echo"})
    assert found.total.share == pytest.approx(1 - 2 / (0.9 + 1 / 0.9))
    even = [replace(each, streamed=spent * (0.9 if each.lane is Lane.STREAM else 1.1)) for each in sums]
    found = report(replace(read, sums=tuple(even)), START + 200, untold={"echo"})
    assert [each.share for each in (*found.saved, found.total)] == [None] * 3


def test_a_start_that_a_held_job_would_have_made_is_no_loss_yet(past: Past) -> None:
    """What streamed paid the start that streaming would have charged to a job that is still held: not known yet. Once
    that has ended it counts, and of a loss of more than the whole no percentage is told."""
    asked(past, 5, 6, 7)
    past.submit(0)
    read = past.ledger(200)
    sums = [replace(each, streamed=0.1 * each.cost) if each.lane is Lane.STREAM else each for each in read.sums]
    due = report(replace(read, sums=tuple(sums)), START + 200)
    assert (due.starts_due, due.total.share) == (("echo",), None)
    assert "not known yet" in headline(due)
    ((_, says, _, rows), *_) = sections(due)
    assert "held jobs of echo would have made a start" in says
    assert {row[-1] for row in rows} == {NONE}
    ended = [replace(each, open=0) for each in sums]
    lost = report(replace(read, sums=tuple(ended)), START + 200)
    assert ": 0.90 more, over twice as much." in headline(lost)
    assert "%" not in headline(lost)


def test_of_few_promises_no_part_is_told(past: Past) -> None:
    """One is kept or not; of three it is said how many were. Nothing says in percent, or which way they were off."""

    def told() -> dict[str, tuple[str, str]]:
        (rows,) = [rows for title, _, _, rows in sections(past.report()) if title == "Kept"]
        assert not any("%" in cell or "than told" in cell for row in rows for cell in row)
        return {name: (number, says) for name, number, says in rows}

    past.flush(80, 100, past.submit(0, promised=(80, 100, 120)))
    assert told()["promises"][1].startswith("promise, kept: ")
    for end in (110, 130):
        past.flush(80, end, past.submit(0, promised=(80, 100, 120)))
    assert told()["promises"][0] == "3"
    assert told()["promises"][1].startswith("promises, 2 kept: ")


def test_without_a_flush_nothing_is_compared_with_batching(past: Past) -> None:
    """Rows of dashes are left out."""
    asked(past, 0, 1, 2)
    assert "The same jobs if batched" not in [title for title, *_ in sections(past.report())]
    past.flush(100, 110, past.submit(10))
    assert "The same jobs if batched" in [title for title, *_ in sections(past.report())]
