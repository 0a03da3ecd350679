"""Due occurrences become jobs: each once, whatever was missed or still runs, and told in the story of the job."""

import threading
import time
from pathlib import Path

import pytest

from hybridq.brain.occurrence import Missed, Overlap
from hybridq.brain.plan import plan
from hybridq.happenings import happened
from hybridq.job import Happening, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue import schedules
from hybridq.queue.buckets import buckets
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import cohort, job
from hybridq.queue.history import history
from hybridq.queue.intake import accept
from hybridq.queue.schedules import Schedule, occurrences, unended
from hybridq.queue.store import Store
from hybridq.runner.drain import DrainLimits, run_drain
from hybridq.runner.occurrences import key_of, make_all_due, make_due, make_now, set_right
from hybridq.selection import parse_selector
from hybridq.sentences import sentence
from hybridq.status.detail import explanation
from hybridq.submit import deciding
from tests.support.building import ECHO, asking, night, queue, run_jobs, submit_all
from tests.support.recurring import HOUR, NIGHT, keys, recurring

DAY = 86400.0
AUTUMN = 1_791_626_400.0  # 2026-10-10, noon in Berlin


def story(outlook: Outlook, number: int) -> list[str]:
    """What the schedule tells of a job."""
    told = history(outlook.store, job(outlook.store, number).cohort, number)
    return [happened(each.kind, each.jobs, each.reason, each.at) for each in told if each.kind is Happening.RECURRED]


def left(outlook: Outlook, schedule: Schedule) -> list[tuple[str, int]]:
    """Why no job was made, and of how many instants."""
    return [(each.kind, each.instants) for each in occurrences(outlook.store, schedule, 100) if each.job is None]


def test_what_is_due_becomes_a_job_with_its_key(outlook: Outlook) -> None:
    """At its instant, not before; the job is a background one, whose signal is the schedule, and is not the last."""
    recurring(outlook)
    (mine,) = submit_all(outlook, asking(), [b'"mine"'])
    assert make_due(outlook, NIGHT - 1) == 0
    assert make_due(outlook, NIGHT + 1) == 1
    assert keys(outlook) == ["nightly@2026-05-28T02:00:00+00:00"]
    of = cohort(outlook.store, job(outlook.store, mine + 1).cohort)
    assert (of.audience, of.request.signal, of.accepted) == ("background", "schedule nightly", NIGHT + 1)
    assert explanation(outlook, parse_selector("last"), now=time.time()).row.id == mine


def test_each_instant_is_made_once(outlook: Outlook) -> None:
    """However often it is looked for, and when the clock goes back to before it."""
    of = recurring(outlook)
    for now in (NIGHT + 1, NIGHT + 1, NIGHT - HOUR, NIGHT + 1, NIGHT + DAY - 1):
        make_all_due(outlook, now)
    assert len(keys(outlook)) == 1
    assert schedules.next_due(outlook.store) == NIGHT + DAY
    assert [each.instant for each in occurrences(outlook.store, of, 5)] == [NIGHT]


def test_many_runners_make_one_job_an_occurrence(outlook: Outlook) -> None:
    """Four at once, each with a connection of its own, over twenty schedules."""
    for number in range(20):
        recurring(outlook, f"s{number}")

    def runner() -> None:
        with Store.open(outlook.store.home) as store:
            make_all_due(Outlook(store, outlook.config), NIGHT + 5)

    threads = [threading.Thread(target=runner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(keys(outlook)) == sorted(f"s{number}@2026-05-28T02:00:00+00:00" for number in range(20))
    assert outlook.store.row("SELECT count(*), count(DISTINCT job) FROM occurrence") == (20, 20)


@pytest.mark.parametrize(
    ("missed", "jobs", "told"),
    [
        (Missed.ONCE, 1, "so this comes late; 2 earlier instants were missed"),
        (Missed.ALL, 3, "so this comes late; 2 earlier instants were missed, they are made up for"),
        (Missed.SKIP, 0, ""),
    ],
)
def test_missed_nights(outlook: Outlook, missed: Missed, jobs: int, told: str) -> None:
    """After three nights without a runner: the newest, all, or none; the story of the job tells it."""
    of = recurring(outlook, missed=missed)
    make_all_due(outlook, NIGHT + 2 * DAY + 5 * HOUR)
    assert len(keys(outlook)) == jobs
    assert left(outlook, of) == ([] if jobs == 3 else [("missed", 3 - jobs)])
    assert not jobs or story(outlook, jobs)[0].endswith(told)
    assert schedules.next_due(outlook.store) == NIGHT + 3 * DAY


def test_one_that_waits_is_let_be(outlook: Outlook) -> None:
    """With `--overlap queue` the next one is made beside it, and says so."""
    recurring(outlook)
    make_all_due(outlook, NIGHT)
    make_all_due(outlook, NIGHT + DAY)
    assert story(outlook, 2) == ["schedule nightly: job 1 has not ended yet, and this does not wait (--overlap queue)"]


def test_one_that_waits_keeps_the_next_away(outlook: Outlook) -> None:
    """With `--overlap skip` none is made until it has ended; its story tells of each, the schedule of all."""
    of = recurring(outlook, overlap=Overlap.SKIP)
    for days in range(3):
        make_all_due(outlook, NIGHT + days * DAY)
    assert len(keys(outlook)) == 1
    assert left(outlook, of) == [("overlap", 2)]
    assert len(story(outlook, 1)) == 2
    cancel(outlook.store, [1], NIGHT)
    make_all_due(outlook, NIGHT + 3 * DAY)
    assert len(keys(outlook)) == 2


def test_one_that_waits_is_cancelled_for_the_next(outlook: Outlook) -> None:
    """With `--overlap cancel`, and its story says why."""
    of = recurring(outlook, overlap=Overlap.CANCEL)
    make_all_due(outlook, NIGHT)
    make_all_due(outlook, NIGHT + DAY)
    assert [job(outlook.store, number).state for number in (1, 2)] == [State.CANCELLED, State.QUEUED]
    assert story(outlook, 1)[0].startswith("schedule nightly: replaced by its occurrence of ")
    assert unended(outlook.store, of) == [2]


def test_the_window_is_a_deadline(outlook: Outlook) -> None:
    """Of `--within 4h`, from the instant, also when it is made later."""
    recurring(outlook, within=4 * HOUR)
    make_all_due(outlook, NIGHT + 3 * HOUR)
    assert cohort(outlook.store, job(outlook.store, 1).cohort).due == NIGHT + 4 * HOUR


def test_a_month_with_a_week_off(outlook: Outlook) -> None:
    """A drain each hour over thirty days with a change of the clock, and the machine off for seven of them: each night
    that was seen has its job, the newest missed one too, and no night has two."""
    of, begin = recurring(outlook, zone="Europe/Berlin", since=AUTUMN), AUTUMN
    for hour in range(30 * 24):
        if not 10 * 24 <= hour < 17 * 24:
            make_all_due(outlook, begin + hour * HOUR)
    nights = [key[8:18] for key in keys(outlook)]
    assert len(nights) == len(set(nights)) == 30 - 7 + 1
    assert {key[19:27] for key in keys(outlook)} == {"02:00:00"}
    assert left(outlook, of) == [("missed", 6)]


def test_many_schedules_share_the_flush_of_the_cheapest_hour(tmp_path: Path) -> None:
    """Due within the same window, they are held until its price falls, and planned as one flush then."""
    now = NIGHT + 5
    made = queue(tmp_path, ECHO.replace("20ms", "10m") + night(NIGHT, 2 * HOUR))
    with made.store:
        for number in range(3):
            recurring(made, f"s{number}", within=4 * HOUR, mode=None, data=b'"' + b"x" * 100 + b'"')
        make_all_due(made, now)
        (flush,) = plan(buckets(made.store, "echo", now).held, made.conditions("echo", now)).later
        assert (flush.jobs, flush.at) == (3, NIGHT + 2 * HOUR)


def test_a_handler_that_is_gone_loses_no_occurrence(tmp_path: Path) -> None:
    """The job is made, and says what is missing."""
    made = queue(tmp_path)
    with made.store:
        recurring(made, handler="gone")
        make_all_due(made, NIGHT)
        of = cohort(made.store, job(made.store, 1).cohort)
        assert of.mode is Mode.BATCH
        assert "there is no handler 'gone'" in sentence(of.decision.reason, NIGHT)


def test_a_key_of_somebody_else_stops_nobody(outlook: Outlook) -> None:
    """Its occurrence is left out and told; the schedule goes on."""
    of, decide = recurring(outlook), deciding(outlook, NIGHT)
    accept(outlook.store, asking(), b'"other"', decide, now=NIGHT, key=key_of(of, NIGHT))
    make_all_due(outlook, NIGHT)
    make_all_due(outlook, NIGHT + DAY)
    assert left(outlook, of) == [("key", 1)]
    assert len(keys(outlook)) == 2


def test_a_clock_that_was_ahead_silences_no_schedule(outlook: Outlook) -> None:
    """Instants of next year were dealt with; set back, the clock is followed at once, and nothing is made twice."""
    recurring(outlook)
    make_all_due(outlook, NIGHT + 300 * DAY)
    set_right(outlook, NIGHT + DAY - HOUR)
    assert schedules.next_due(outlook.store) == NIGHT + DAY
    make_all_due(outlook, NIGHT + DAY)
    assert len(keys(outlook)) == 2


def test_a_clock_that_goes_back_an_hour_repeats_nothing(outlook: Outlook) -> None:
    """As cron does: what is less than three hours is waited for."""
    recurring(outlook, "hourly", "@hourly")
    make_all_due(outlook, NIGHT + HOUR)
    set_right(outlook, NIGHT - HOUR)
    make_all_due(outlook, NIGHT)
    assert len(keys(outlook)) == 1


def test_a_paused_schedule_makes_nothing(outlook: Outlook) -> None:
    """Nor does it hold up others."""
    from msgspec.structs import replace

    schedules.change(outlook.store, replace(recurring(outlook), due=None))
    recurring(outlook, "other")
    make_all_due(outlook, NIGHT)
    assert [key.partition("@")[0] for key in keys(outlook)] == ["other"]


def test_run_makes_one_more(outlook: Outlook) -> None:
    """At once, with a key of its own; the next instant stays."""
    of = recurring(outlook)
    make_now(outlook, of, NIGHT - 1800.5)
    assert keys(outlook) == ["nightly@2026-05-28T01:29:59.500+00:00"]
    assert schedules.next_due(outlook.store) == NIGHT


def test_a_drain_makes_what_is_due_first(outlook: Outlook) -> None:
    """With nothing but a drain from cron each occurrence is made and run."""
    of = recurring(outlook, since=time.time() - 2 * DAY)
    ended = run_drain(outlook.store.home, outlook.config, DrainLimits())
    assert ended.done == 1
    assert occurrences(outlook.store, of, 1)[0].state is State.DONE


def test_what_is_cleaned_away_is_forgotten(outlook: Outlook) -> None:
    """With a job its occurrence goes; the variables of a schedule stay as long as it does."""
    from hybridq.queue.cleaning import clean

    of = recurring(outlook)
    make_all_due(outlook, NIGHT)
    run_jobs(outlook, 1)
    clean(outlook.store, time.time() + 10)
    assert occurrences(outlook.store, of, 5) == []


def test_the_variables_stay_as_long_as_the_schedule(outlook: Outlook) -> None:
    """Its jobs come and go; with it, what nobody else has goes, too."""
    from msgspec.structs import replace

    from hybridq.queue.cleaning import clean

    of = recurring(outlook)
    schedules.change(outlook.store, replace(of, request=replace(of.request, env={"A": "1"})))
    make_all_due(outlook, NIGHT)
    run_jobs(outlook, 1)
    clean(outlook.store, time.time() + 10)
    of = schedules.named(outlook.store, "nightly")
    assert schedules.variables(outlook.store, of).env == {"A": "1"}
    schedules.remove(outlook.store, of)
    assert outlook.store.row("SELECT count(*) FROM environment") == (0,)
