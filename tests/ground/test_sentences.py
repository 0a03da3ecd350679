"""Reasons and their sentences: what is kept is data, what is shown begins with what happens."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq import happenings, sentences
from hybridq.happenings import happened
from hybridq.job import Happening
from hybridq.reason import ITS_LIMIT, Reason, read, said, stored
from hybridq.sentences import sentence

NOON = 1_795_867_200.0  # 12:00 UTC
HOUR = 3600.0
SAYS = Path(sentences.__file__)
SOURCES = [path.read_text() for path in SAYS.parent.rglob("*.py") if path != SAYS]
NIGHT = Reason(
    "saves", runs=False, until=NOON + 10 * HOUR, price="night", saves=6.0, whole=10.0, costs=1.0, waits=False,
    signal="cron", mode="batch", other="stream",
)  # fmt: skip


def test_each_kind_that_is_made_has_its_words() -> None:
    """Whatever kind of reason some room makes, there is a sentence for it, and none that nobody makes."""
    made = {kind for text in SOURCES for kind in re.findall(r'Reason\(\s*"([a-z -]+)"', text)}
    assert made - set(sentences._SAYS) - set(happenings._RECURRED) == set()
    assert set(happenings._RECURRED) <= made
    assert [kind for kind in sentences._SAYS if not any(f'"{kind}"' in text for text in SOURCES)] == []


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (Reason("untimed", "digest", runs=True, waits=True, jobs=1, of=3),
         "runs now: you are waiting; 1 of 3 run times known"),
        (NIGHT, "held for the night price at 22:00: costs 4.00 EUR then, 10.00 EUR now, waiting costs 1.00 EUR;"
                " nobody is waiting"),
        (Reason("same", runs=True, other="batch"), "runs now: a batch would save nothing and end later"),
        (Reason("busy", runs=False, until=NOON + 2280, most=True, load=4.93),
         "held until the machine is idle, starts by 12:38: load 4.9 a core"),
        (Reason("full", runs=True, jobs=1000), "runs now: full, a flush holds 1,000 jobs"),
        (Reason("limit", "poor", runs=False, whole=0.6, spent=0.5, jobs=1, reserved=0.1, costs=0.5,
                due=NOON + 12 * HOUR, held=40),
         "40 held: the daily budget of poor is 0.60 EUR, 0.50 EUR is spent, 0.10 EUR reserved for 1 that runs;"
         " one costs about 0.50 EUR; it is renewed tomorrow 00:00"),
        (Reason("waited", span=900.0, other_span=1.0, then=Reason("nothing", runs=True)),
         "waited 15m to stream where 1s was foreseen; runs now: waiting saves nothing"),
        (said("the words of somebody else"), "the words of somebody else"),
    ],
)  # fmt: skip
def test_a_sentence_begins_with_what_happens(reason: Reason, says: str) -> None:
    """The verb first, then why, in the numbers that were compared and in the unit of money."""
    assert sentence(reason, NOON, "EUR") == says


def test_the_long_form_says_what_told_who_waits() -> None:
    """For `explain`; the short one has no room for it."""
    assert sentence(NIGHT, NOON, long=True).endswith("; nobody is waiting (cron)")
    assert "cron" not in sentence(NIGHT, NOON)
    loop = msgspec.structs.replace(NIGHT, signal="a loop in your shell")
    assert sentence(loop, NOON, long=True).endswith("(a loop in your shell; if you wait, add --wait)")


def test_the_long_form_names_what_costs_are_compared() -> None:
    """A batch with streaming; and what is next to nothing has its digits, so that more is seen to be more."""
    assert "a batch costs 4.00 then, streaming 10.00 now, waiting" in sentence(NIGHT, NOON, long=True)
    tiny = Reason("over limit", costs=3.2e-6, whole=1e-8)
    assert sentence(tiny, NOON) == "costs about 0.000003200, more than --max-cost of 0.000000010"


def test_what_is_more_than_its_limit_is_told_so() -> None:
    """In as many decimals as it takes to see it, however near they are to each other."""
    dear = Reason("dear", ITS_LIMIT, runs=False, costs=1.2e-6, whole=1e-7)
    assert sentence(dear, NOON).startswith(
        "held: one job costs about 0.00000120, more than its --max-cost of 0.00000010: "
    )
    near = msgspec.structs.replace(dear, costs=0.50004, whole=0.5)
    assert "about 0.50004, more than its --max-cost of 0.50000" in sentence(near, NOON)


def test_costs_are_beside_what_they_are_compared_with() -> None:
    """Of a flush with what it would cost now, or where that is no more, did cost when its jobs were accepted."""
    flush = Reason("saves", runs=False, until=NOON + HOUR, saves=6.0, whole=10.0, factor=1.0, next_factor=0.4)
    assert sentence(flush, NOON) == "held until 13:00: costs 4.00 then, 10.00 now"
    ran = msgspec.structs.replace(flush, runs=True, until=None, factor=None)
    assert sentence(ran, NOON) == "runs now: costs 4.00, at submission 10.00"
    streams = msgspec.structs.replace(ran, mode="stream", other="batch")
    assert sentence(streams, NOON) == "runs now: costs 4.00, a batch 10.00"


@pytest.mark.parametrize(
    ("sooner", "due", "says"),
    [
        (None, None, "no cheaper hour ahead"),
        (9 * HOUR, 8 * HOUR, "the deadline 20:00 comes before the cheaper hour at 21:00"),
        (9 * HOUR, 10 * HOUR, "the cheaper hour at 21:00 may be too late for the deadline 22:00"),
        (11 * HOUR, None, "the cheaper hour at 23:00 comes after the longest hold"),
    ],
)
def test_a_cheaper_hour_that_is_out_of_reach_is_told(sooner: float | None, due: float | None, says: str) -> None:
    """That there is none is told only where there is none."""
    ahead = Reason("no costs", runs=True, sooner=sooner and NOON + sooner, due=due and NOON + due)
    assert sentence(ahead, NOON) == f"runs now: waiting saves nothing: no costs known yet, {says}"


def test_amounts_stay_short_and_say_something() -> None:
    """A sign stands before each amount; of next to nothing a part is told; a small cost of waiting is left out."""
    assert "costs $4.00 then, $10.00 now, waiting" in sentence(NIGHT, NOON, "$")
    tiny = msgspec.structs.replace(NIGHT, saves=3e-6, whole=4e-6, costs=1e-9)
    assert sentence(tiny, NOON, "EUR") == "held for the night price at 22:00: costs 75% less; nobody is waiting"


@pytest.mark.parametrize(
    ("kind", "jobs", "reason", "says"),
    [
        (Happening.CANCELLED, 1, said(""), "cancelled"),
        (Happening.RETRIED, 1200, said(""), "1,200 jobs queued again by retry"),
        (Happening.RESCUED, 3, said(""), "3 jobs: the runner died; queued again at once"),
        (Happening.PROMOTED, 1, Reason("unfinished", due=NOON + HOUR),
         "promoted: its batch was too late for the deadline 13:00"),
        (Happening.PROMOTED, 1, said("promoted: as an earlier release said"), "promoted: as an earlier release said"),
    ],
)  # fmt: skip
def test_what_happened_is_one_sentence(kind: Happening, jobs: int, reason: Reason, says: str) -> None:
    """Made of its kind and its number; what an earlier release said is said as it was."""
    assert happened(kind, jobs, reason, NOON) == says


@given(st.text())
def test_what_was_kept_as_a_sentence_stays_readable(text: str) -> None:
    """Any text that is no reason of ours is a reason in words; a reason comes back as it was kept."""
    kept = read(text)
    assert kept == said(text) or stored(kept)
    assert read(stored(said(text))) == said(text)
    assert read(stored(NIGHT)) == NIGHT


@pytest.mark.parametrize("kind", ["cheaper", "gathers", "no costs"])
def test_run_times_that_are_known_are_told(kind: str) -> None:
    """While costs are not known, those run times that are count; without one there is nothing to count."""
    few = Reason(kind, jobs=2, of=3, factor=1.0, next_factor=0.5, span=5.0)
    assert "2 of 3 run times known" in sentence(few, NOON)
    assert "no costs known yet" in sentence(msgspec.structs.replace(few, jobs=0), NOON)


def test_a_row_has_its_numbers_within_its_width() -> None:
    """Beside its state a row of 40 cells says until when it is held, what it costs then, and what it would now."""
    assert sentence(NIGHT, NOON, stateless=True)[:40].startswith("until 22:00: costs 4.00 then, 10.00 now")
    some = Reason("today", "gpt", jobs=30, of=90, due=NOON + 12 * HOUR)
    assert sentence(some, NOON, stateless=True)[:40].startswith("about 30 run today, the rest after")
