"""An answer that was cut, and jobs that wait for their next try, say so wherever somebody looks."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridq.brain.outcome import settle
from hybridq.job import Failure, Mode, Output, Usage
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import cohorts
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from tests.support.building import asking, command, document, look, queue, submit_all, typed

REASON = "Enqueued token limit reached"
NOT_WHOLE = "hybridq: the answer of job 1 was cut off (length); raise max_tokens\n"


@pytest.fixture
def outlook(tmp_path: Path) -> Iterator[Outlook]:
    found = queue(tmp_path)
    yield found
    found.store.close()


def end_all(outlook: Outlook, jobs: int, *, cut: str = "", back: str = "") -> None:
    """Take the next jobs and end them: done, perhaps cut, or back in the queue for an hour for this reason."""
    store, now = outlook.store, time.time()
    runner = Runner(store, "submit")
    places = [of.id for of in cohorts(store, "queued > 0")]
    claims = claim_batch(store, runner.id, 1, "echo", places, jobs, now)
    ends: list[Output | Failure] = [
        Failure(each.id, each.attempt, back, gave_back=True, retry_after=3600.0)
        if back
        else Output(each.id, each.attempt, value=b'"half"', usage=Usage(output_tokens=7), cut=cut)
        for each in claims
    ]
    record(store, [settle(event, claim, retries=0, now=now) for event, claim in zip(ends, claims, strict=True)])
    runner.close(store)


def test_an_answer_that_was_cut_is_told_by_every_view(outlook: Outlook) -> None:
    """`status` in its reason, `show` as a fact of its own, and `--json` as a field."""
    submit_all(outlook, asking(), [b"1"])
    end_all(outlook, 1, cut="length")
    assert "the answer was cut (length)" in typed(outlook, "status", "1")
    assert "the answer was cut off (length)" in typed(outlook, "show", "1")
    told = document(outlook, "show", "1")
    assert (told["cut"], told["usage"]["output_tokens"], "cut" in told["usage"]) == ("length", 7, False)


@pytest.mark.parametrize("verb", ["output", "follow"])
def test_whoever_reads_an_answer_that_was_cut_hears_it(outlook: Outlook, verb: str) -> None:
    """Standard output holds the answer alone, and the command ends well."""
    submit_all(outlook, asking(), [b"1"])
    end_all(outlook, 1, cut="length")
    done = command(outlook.store.home, verb, "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "half\n", NOT_WHOLE)


def test_of_a_group_it_is_said_how_many_answers_were_cut(outlook: Outlook) -> None:
    """Once, with the command that shows which."""
    submit_all(outlook, asking(group="g"), [b"1", b"2", b"3"])
    end_all(outlook, 2, cut="length")
    end_all(outlook, 1)
    done = command(outlook.store.home, "output", "g")
    assert done.stderr == "hybridq: 2 answers were cut off. See which: hybridq status g --state done\n"


def test_a_whole_answer_says_nothing_of_it(outlook: Outlook) -> None:
    """No note, no field."""
    submit_all(outlook, asking(), [b"1"])
    end_all(outlook, 1)
    assert "cut" not in typed(outlook, "status", "1") + typed(outlook, "output", "1")
    assert document(outlook, "show", "1")["cut"] is None


@pytest.mark.parametrize("mode", [Mode.BATCH, Mode.STREAM])
def test_a_group_that_waits_for_its_next_try_says_why_in_its_row(outlook: Outlook, mode: Mode) -> None:
    """As each of its jobs does; while others may begin it says how many are tried again."""
    submit_all(outlook, asking(group="g", mode=mode), [b"1", b"2"])
    end_all(outlook, 1, back=REASON)
    assert look(outlook, "g").rows[0].why.startswith("1 tries again at ")
    end_all(outlook, 1, back=REASON)
    why = look(outlook, "g").rows[0].why
    assert why.startswith(("tries again at ", "try again at "))
    assert why.endswith(REASON)
    assert REASON in typed(outlook, "explain", "g")
