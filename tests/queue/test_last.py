"""`last` is the newest submission, wherever jobs have moved; a wait lasts as long as they do."""

from hybridq.job import Happening, Lane, Mode, Request
from hybridq.outlook import Outlook
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.claims import CLAIM_BYTES, claim_batch, claim_stream
from hybridq.queue.cleaning import clean
from hybridq.queue.cohorts import cohorts
from hybridq.queue.lanes import move
from hybridq.queue.progress import Awaited
from hybridq.queue.runner import Runner
from hybridq.queue.select import chosen
from hybridq.queue.store import Store
from hybridq.reason import said
from hybridq.selection import Ids, Last
from tests.support.building import asking, command, submit_all
from tests.support.verbs import BACKGROUND, check_counters, deciding, many


def last(store: Store) -> list[int]:
    """The jobs that `last` means."""
    return sorted(chosen(store, [Last()]))


def test_last_is_the_newest_submission_when_older_jobs_moved_since(outlook: Outlook) -> None:
    """Jobs of an older submission that change lanes are no new submission, in any command."""
    store = outlook.store
    old, new = submit_all(outlook, asking(), [b'"x"'] * 3), submit_all(outlook, asking(), [b'"y"'])
    move(store, old[:1], Lane.STREAM, Happening.PROMOTED, said("test"), 2.0)
    assert last(store) == new
    assert command(store.home, "show", "last").stdout.startswith(f"{new[0]}  echo y\n")
    assert command(store.home, "cancel", "last").stdout == "1 job cancelled\n"
    assert store.rows("SELECT id FROM job WHERE state = 'cancelled'") == [(new[0],)]


def test_last_is_all_of_a_submission_whose_jobs_differ_and_moved(outlook: Outlook) -> None:
    """The parts of one submission are selected together, those that moved twice, too."""
    store = outlook.store
    submit_all(outlook, asking(), [b'"x"'])
    with Bulk(store) as bulk:
        for n in range(6):
            bulk.add(Request(handler="h", audience=BACKGROUND.audience, priority=n % 2, group=f"g{n % 2}"), b"x")
            if n == 3:
                bulk._write()
        bulk.accept(deciding(Mode.BATCH), now=2.0)
    for lane in (Lane.STREAM, Lane.BATCH):
        assert move(store, [3], lane, Happening.SAID, said("test"), 2.0) == 1
    assert last(store) == [2, 3, 4, 5, 6, 7]
    check_counters(store)


def test_last_is_what_was_accepted_last(outlook: Outlook) -> None:
    """A long submission is the last one from its acceptance on, not from its beginning; cleaned away it is none."""
    store = outlook.store
    with Bulk(store) as bulk:
        bulk.add(BACKGROUND, b"x")
        bulk._write()
        between = many(store, [b"y"])
        bulk.accept(deciding(Mode.BATCH), now=2.0)
    assert last(store) == [1]
    cancel(store, [1], 2.0)
    clean(store, 3.0)
    assert last(store) == between


def test_a_wait_lasts_until_the_jobs_have_ended_however_often_they_moved(outlook: Outlook) -> None:
    """Jobs that moved twice since the wait began are waited for still."""
    store = outlook.store
    jobs = many(store, [b"x"] * 3)
    awaited = [Awaited(store, [Last()]), Awaited(store, [Ids(((1, 3),))])]
    move(store, jobs[:2], Lane.STREAM, Happening.PROMOTED, said("test"), 2.0)
    move(store, jobs[:1], Lane.BATCH, Happening.RECLASSIFIED, said("test"), 2.0)
    cancel(store, jobs[1:], 2.0)
    assert [each.ended() for each in awaited] == [False, False]
    assert [each.count("queued") for each in awaited] == [1, 1]
    cancel(store, jobs, 2.0)
    assert [each.ended() for each in awaited] == [True, True]


def test_a_claim_is_bounded_by_the_bytes_of_its_inputs(outlook: Outlook) -> None:
    """After any number of small inputs large ones come a few at a time, and none is too large to come at all."""
    store = outlook.store
    sizes = [10] * 5 + [CLAIM_BYTES // 3] * 7 + [CLAIM_BYTES + 1, 10]
    for mode in (Mode.BATCH, Mode.STREAM):
        many(store, [b"x" * size for size in sizes], mode)
    runner = Runner(store, "drain")
    keys = [each.id for each in cohorts(store, "lane = 'batch'")]
    batches = [len(claim_batch(store, runner.id, 1, "h", keys, 99, 2.0)) for _ in range(5)]
    streams = [len(claim_stream(store, runner.id, "h", 99, 2.0)) for _ in range(5)]
    assert batches == streams == [7, 3, 2, 1, 1]
    assert keys == []
