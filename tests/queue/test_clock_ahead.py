"""Jobs that were accepted while the clock was ahead: they run by the clock as it is, and it is said."""

import time
from pathlib import Path

from hybridq.job import Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import come_by_now
from hybridq.queue.cohorts import job
from tests.support.building import asking, daemon, queue, typed, until
from tests.support.verbs import check_counters, deciding

DAY = 86400.0


def ahead(outlook: Outlook, jobs: int) -> int:
    """Submit as the clock said it a day ahead; the first id."""
    request = asking(group="early") if jobs > 1 else asking()
    with Bulk(outlook.store) as bulk:
        for _ in range(jobs):
            bulk.add(request, b'"x"')
        accepted = bulk.accept(deciding(Mode.BATCH), now=time.time() + DAY)
    assert accepted is not None
    return accepted.first


def test_a_daemon_does_not_hold_what_came_from_the_future(tmp_path: Path) -> None:
    """It is done long before that, and its story says why it counts as come later."""
    with (outlook := queue(tmp_path)).store as store:
        number = ahead(outlook, 1)
        with daemon(outlook):
            until(lambda: job(store, number).state is State.DONE)
        assert "the clock was ahead by 1d" in typed(outlook, "explain", str(number))


def test_the_sums_over_cohorts_stay_true(tmp_path: Path) -> None:
    """And doing it twice, or where nothing is ahead, changes nothing."""
    with (outlook := queue(tmp_path)).store as store:
        ahead(outlook, 3)
        ahead(outlook, 1)
        before = store.rows("SELECT * FROM tally")
        assert come_by_now(store, time.time()) == 2
        assert come_by_now(store, time.time()) == 0
        check_counters(store)
        assert store.rows("SELECT * FROM tally") == before
        assert store.rows("SELECT accepted > ? FROM groups", (time.time(),)) == [(0,)]
