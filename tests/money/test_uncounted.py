"""A provider that does not say what it used: tokens are reckoned by what was asked and said, so that limits hold."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.holds import spent_since, withheld
from hybridq.queue.results import result
from hybridq.submit import wake
from tests.support.building import asking, daemon, submit_all, until
from tests.support.llm import COST, served
from tests.support.provider import Provider

UNTOLD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "null": lambda usage: None,
    "empty": lambda usage: {},
    "nulls": lambda usage: dict.fromkeys(usage),
    "words": lambda usage: dict.fromkeys(usage, "many"),
}
ASKED, SAID = 4000, 800  # characters
RECKONED = (ASKED / 4 * 1.0 + SAID / 4 * 10) * 1e-6


def cost(outlook: Outlook, number: int) -> float:
    """What a job has cost, once it has ended."""
    until(lambda: outlook.store.rows("SELECT 1 FROM job WHERE id = ? AND state IN ('done', 'cancelled')", (number,)))
    until(lambda: result(outlook.store, number))
    found = result(outlook.store, number)
    assert found is not None
    return found.cost


@pytest.mark.parametrize("told", UNTOLD)
@pytest.mark.parametrize("mode", [Mode.STREAM, Mode.BATCH])
def test_tokens_that_nobody_counted_are_reckoned(provider: Provider, tmp_path: Path, mode: Mode, told: str) -> None:
    """No usage, none of its numbers, or words for them: the job costs what its length says, in either lane."""
    provider.counting, provider.answer = UNTOLD[told], lambda text: "a" * SAID
    with served(tmp_path, provider) as outlook, daemon(outlook):
        (number,) = submit_all(outlook, asking("gpt", mode), [b'"%b"' % (b"x" * ASKED)])
        paid, found = cost(outlook, number), result(outlook.store, number)
        assert found is not None
        said = len(found.value or b"") / 4 * 10e-6
        assert paid == pytest.approx((ASKED / 4 * 1e-6 + said) * (1.0 if mode is Mode.STREAM else 0.5), rel=0.05)


def test_tokens_that_are_told_as_floats_count(provider: Provider, tmp_path: Path) -> None:
    """100.0 tokens are a hundred."""
    provider.counting = lambda usage: {
        **{name: float(count) for name, count in usage.items() if isinstance(count, int)},
        "prompt_tokens_details": {"cached_tokens": 80.0},
    }
    with served(tmp_path, provider) as outlook, daemon(outlook):
        (number,) = submit_all(outlook, asking("gpt", Mode.STREAM), [b'"x"'])
        assert cost(outlook, number) == pytest.approx(COST)


def test_a_daily_budget_holds_though_nothing_is_told(provider: Provider, tmp_path: Path) -> None:
    """Of forty calls ten fit into the day by their length: the rest is held."""
    provider.counting, provider.answer = UNTOLD["null"], lambda text: "a" * SAID
    budget = 10.5 * RECKONED
    with served(tmp_path, provider, more=f"max_tokens = 300\ndaily_budget = {budget}") as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", Mode.STREAM), [b'"%b"' % (b"x" * ASKED)] * 40)
        until(lambda: spent_since(outlook.store, "gpt", time.time() - 3600) > 9.5 * RECKONED)
        until(lambda: withheld(outlook.store) and not outlook.store.rows("SELECT 1 FROM job WHERE state = 'running'"))
        assert spent_since(outlook.store, "gpt", time.time() - 3600) <= budget


def test_a_cancelled_stream_costs_what_it_had_said(provider: Provider, tmp_path: Path) -> None:
    """Cancelled half-way, its input and what had come of its answer are booked."""
    provider.answer, provider.pieces, provider.gap = lambda text: "a" * SAID, 80, 0.1
    with served(tmp_path, provider) as outlook, daemon(outlook):
        (number,) = submit_all(outlook, asking("gpt", Mode.STREAM), [b'"%b"' % (b"x" * ASKED)])
        outputs = outlook.store.home.folder / "outputs"
        until(lambda: any(path.is_file() and path.stat().st_size > 20 for path in outputs.rglob("*")))
        cancel(outlook.store, [number], time.time())
        wake(outlook.store)
        assert ASKED / 4 * 1e-6 < cost(outlook, number) < RECKONED
        assert spent_since(outlook.store, "gpt", time.time() - 3600) == cost(outlook, number)
