"""Limits on money: what would exceed one is held with that reason, and goes on when there is room."""

import math
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.brain.costs import UNLIMITED, Spending
from hybridq.job import Happening, Lane, Mode
from hybridq.money.limit import Kind, room
from hybridq.money.limits import Budget, hold_back
from hybridq.outlook import Outlook
from hybridq.queue.history import history
from hybridq.queue.holds import spent_since, withheld
from hybridq.reason import said
from hybridq.sentences import sentence
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import COST, served
from tests.support.provider import Provider


def counts(outlook: Outlook) -> dict[str, int]:
    return dict(outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state"))


money = st.floats(0, 1000)


@given(money, money, st.integers(0, 100), st.floats(1e-6, 100))
def test_what_may_begin_keeps_the_limit_and_one_more_would_not(
    limit: float, spent: float, running: int, each: float
) -> None:
    """So many jobs of a fixed price fit beside what is spent and runs; one more would exceed the limit."""
    jobs = room("it", limit, spent, Kind(Spending(each=each), running)).jobs
    committed = spent + running * each
    if jobs:
        assert committed + jobs * each <= limit * (1 + 1e-6) + 1e-9
    assert committed + (jobs + 1) * each > limit * (1 - 1e-6) - 1e-9


def test_unknown_costs_are_found_out_one_at_a_time() -> None:
    """Of jobs that nobody knows the price of one may run, while anything is left; free ones always may."""
    assert room("it", 1.0, 0.0, Kind(None, 0)).jobs == 1
    assert room("it", 1.0, 0.0, Kind(None, 1)).jobs == 0
    assert room("it", 1.0, 1.0, Kind(None, 0)).jobs == 0
    assert room("it", 1.0, 0.5, Kind(Spending(each=0.0), 3)).jobs == UNLIMITED
    assert room("it", 1.0, 0.0, Kind(None, 0), [Kind(None, 1)]).jobs == 0  # of another kind, within the same limit


def test_a_price_that_no_job_has_confirmed_is_tried_with_a_few() -> None:
    """Whatever a price is set to, three at once begin until some have ended; what is proven begins as it fits."""
    set_ = Spending(each=0.01, proven=False)
    assert (set_.within(5.0, 0), set_.within(5.0, 2), set_.within(5.0, 3), set_.within(0.02, 0)) == (3, 1, 0, 2)
    assert Spending(each=0.0, proven=False).within(5.0, 0) == 3
    assert Spending(each=0.01).within(5.0, 0) == 500


def test_what_is_spent_and_what_is_reserved_are_told_apart() -> None:
    """The reason names the money that is gone, and what is kept back for how many that run in either lane."""
    guess = Spending(each=0.2, seen=0)
    one = sentence(room("it", 1.0, 0.0, Kind(guess, 1)).reason, 0.0)
    assert one == "held: it is 1.00, 0 is spent, 2.00 reserved for 1 that runs; one costs about 0.20"
    more = sentence(room("it", 9.0, 7.0, Kind(guess, 1), [Kind(Spending(each=0.5), 2)]).reason, 0.0)
    assert more == "held: it is 9.00, 7.00 is spent, 3.00 reserved for 3 that run; one costs about 0.20"
    none = sentence(room("it", 1.0, 1.0, Kind(None, 0)).reason, 0.0)
    assert none == "held: it is 1.00, 1.00 is spent; what one costs is not known"


def test_a_guess_goes_in_small_steps() -> None:
    """Of jobs whose cost is a guess as many begin as would fit at ten times that, or at the most that they can cost;
    and one alone wherever the guess fits."""
    guess = Spending(each=0.01, seen=0)
    assert guess.within(1.0, 0) == 10
    assert guess.within(1.0, 10) == 0
    assert guess.within(0.05, 0) == 1
    assert guess.within(0.009, 0) == 0
    assert Spending(each=0.01, seen=0, most=0.02).within(1.0, 0) == 50


@given(st.integers(3, 200), st.integers(1, 400), st.integers(0, 1 << 16))
def test_jobs_of_any_spread_keep_within_what_is_reserved(seen: int, limit: int, seed: int) -> None:
    """By the costs of a few jobs that differ a hundredfold, as many as fit cost hardly more than the limit; and most
    of a large one is used."""
    chance = random.Random(seed)
    paid = [math.exp(chance.uniform(math.log(0.1), math.log(10.0))) for _ in range(seen)]
    mean = sum(paid) / seen
    spread = math.sqrt(sum((cost - mean) ** 2 for cost in paid) / seen)
    spending = Spending(each=mean, spread=spread, seen=seen)
    jobs = spending.within(limit, 0)
    assert jobs <= 1 or spending.of(jobs) <= limit * (1 + 1e-6) < spending.of(jobs + 1) * (1 + 2e-6)
    assert spending.of(jobs) >= jobs * mean
    assert spending.within(limit, jobs + 1) == 0


def test_what_cost_nothing_so_far_begins_as_slowly_as_it_is_known() -> None:
    """Of jobs that were free so far no more run at once than have been seen; a price of 0 has no limit."""
    free = Spending(each=0.0, seen=5)
    assert (free.within(1.0, 0), free.within(1.0, 3), free.within(1.0, 9), free.within(-1.0, 0)) == (5, 2, 0, 0)
    assert Spending(each=0.0).within(1.0, 10**6) > 10**9


def test_answers_of_many_lengths_keep_a_daily_budget(provider: Provider, tmp_path: Path) -> None:
    """Calls whose inputs and answers differ widely, of which nothing was known, stay within the budget but for one
    call's surprise, and use it."""
    budget, chance = 300 * COST, random.Random(1)
    dearest = (200 * 1.0 + 80 * 10) * 1e-6

    def answer(text: str) -> str:
        provider.tokens = (len(text), 0, chance.choice((1, 5, 20, 80)))
        return "yes"

    provider.answer = answer
    more = f'batch_by = "calls"\ninstances = 4\nmax_tokens = 100\ndaily_budget = {budget}'
    with served(tmp_path, provider, more=more) as outlook, daemon(outlook):

        def spent() -> float:
            return spent_since(outlook.store, "gpt", time.time() - 3600)

        texts = [f'"{"x" * chance.randrange(1, 200)}"'.encode() for _ in range(1500)]
        submit_all(outlook, asking("gpt", Mode.BATCH), texts)
        until(lambda: spent() >= 0.9 * budget and withheld(outlook.store) and not counts(outlook).get("running"), 60)
        assert spent() <= budget + dearest


def test_what_can_never_fit_says_what_helps_and_else_when_there_is_room(provider: Provider, tmp_path: Path) -> None:
    """A job that costs more than the whole day's budget is told to raise it; any other, when it is renewed."""
    with served(tmp_path, provider, more=f"max_tokens = 20\ndaily_budget = {COST / 10}") as outlook:
        limited = Budget(outlook).opening("gpt", Lane.STREAM, time.time()).of_all(0.0)
        assert limited.jobs == 0
        told = sentence(limited.reason, time.time())
        assert "more than the whole daily budget of gpt" in told
        assert told.endswith(": raise daily_budget in config.toml")
    (tmp_path / "b").mkdir()
    with served(tmp_path / "b", provider, more=f"max_tokens = 20\ndaily_budget = {COST * 1.5}") as outlook:
        with daemon(outlook):
            submit_all(outlook, asking("gpt", Mode.STREAM), [b'"a"', b'"b"'])
            until(lambda: withheld(outlook.store))
        (reason,) = withheld(outlook.store).values()
        told = sentence(reason, time.time())
        assert "; it is renewed " in told
        assert told.endswith(" 00:00")


def test_a_draft_of_another_handler_is_not_held_for_its_final(provider: Provider, tmp_path: Path) -> None:
    """The final costs more than its handler's budget; the draft costs nothing, and streams."""
    more = f'max_tokens = 20\ndaily_budget = {COST / 10}\ndraft = "small"\n[handlers.small]\ncommand = ["cat"]\n'
    with served(tmp_path, provider, more=more + 'protocol = "lines"\nprice = 0.0') as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", Mode.ADAPTIVE), [b'"a"'])
        until(lambda: outlook.store.rows("SELECT 1 FROM draft"))
        until(lambda: withheld(outlook.store))
        assert counts(outlook) == {"queued": 1}
    assert not provider.requests


@pytest.mark.parametrize("mode", [Mode.STREAM, Mode.BATCH])
def test_a_cost_limit_holds_the_rest_of_a_group(provider: Provider, tmp_path: Path, mode: Mode) -> None:
    """Answers are known to cost so much; a group with room for four of ten runs four, says why, and keeps the rest."""
    price = COST if mode is Mode.STREAM else COST / 2
    with served(tmp_path, provider, more="max_tokens = 20") as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", mode), [b'"%d"' % number for number in range(4)])
        until(lambda: counts(outlook) == {"done": 4})
        until(lambda: outlook.store.rows("SELECT 1 FROM detached") == [])
        limited = asking("gpt", mode, max_cost=price * 4.5)
        submit_all(outlook, limited, [b'"%d"' % number for number in range(10, 20)])
        until(lambda: counts(outlook) == {"done": 8, "queued": 6})
        until(lambda: withheld(outlook.store))
        ((cohort, kept),) = withheld(outlook.store).items()
        reason = sentence(kept, time.time())
        assert reason.startswith("held: its --max-cost is ")
        # Its story keeps the first reason of each hold: the amounts in it go on changing.
        assert Happening.HELD in [each.kind for each in history(outlook.store, cohort)]
        assert reason[:30] in command(outlook.store.home, "explain", "14").stdout.replace("\n", " ")
        assert counts(outlook) == {"done": 8, "queued": 6}


def test_a_daily_budget_holds_what_would_exceed_it(provider: Provider, tmp_path: Path) -> None:
    """With room for some calls a day those run, the rest wait with that reason; yesterday's money does not count."""
    with served(tmp_path, provider, more=f"max_tokens = 20\ndaily_budget = {COST * 6.5}") as outlook:
        with daemon(outlook):
            submit_all(outlook, asking("gpt", Mode.STREAM), [b'"%d"' % number for number in range(3)])
            until(lambda: counts(outlook) == {"done": 3})
            for number in range(5):
                submit_all(outlook, asking("gpt", Mode.STREAM), [b'"one %d"' % number])
            until(lambda: counts(outlook) == {"done": 6, "queued": 2})
            until(lambda: len(withheld(outlook.store)) == 2)
        assert all((reason.kind, reason.text) == ("limit", "gpt") for reason in withheld(outlook.store).values())
        now = time.time()
        assert spent_since(outlook.store, "gpt", now - 3600) == pytest.approx(6 * COST)
        budget = Budget(outlook)
        assert budget.opening("gpt", Lane.STREAM, now).of_all(0.0).jobs == 0
        assert budget.opening("gpt", Lane.STREAM, now + 86400).of_all(0.0).jobs > 0


def test_the_last_reason_is_kept_and_the_first_is_told(outlook: Outlook) -> None:
    """A cohort that is held for another reason shows that one; its story has one sentence, until it is let go."""
    (number,) = submit_all(outlook, asking(), [b"1"])
    for reason in (said("held: a"), said("held: a"), said("held: b")):
        hold_back(outlook.store, number, reason, 1.0)
    assert withheld(outlook.store) == {number: said("held: b")}
    assert [each.reason for each in history(outlook.store, number)] == [said("held: a")]
    hold_back(outlook.store, number, None, 2.0)
    assert withheld(outlook.store) == {}


def test_without_limits_nothing_is_asked_or_held(tmp_path: Path, provider: Provider) -> None:
    """No limit: as many as there are."""
    with served(tmp_path, provider) as outlook:
        (number,) = submit_all(outlook, asking("gpt", Mode.STREAM), [b'"a"'])
        assert Budget(outlook).limits(number, "gpt", Lane.STREAM, 0.0).jobs == UNLIMITED
