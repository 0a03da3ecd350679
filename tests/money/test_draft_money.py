"""What a draft costs: the price of whoever makes it, within the daily budgets of both handlers."""

from pathlib import Path

import pytest

from hybridq.reason import read
from tests.support.user import Queue, until

CONFIG = """
[handlers.large]
command = ["cat"]
protocol = "lines"
price = 10.0
draft = "small"
[handlers.small]
command = ["cat"]
protocol = "lines"
price = 0.01
"""


def drafted(queue: Queue) -> list[float]:
    """What each draft has cost."""
    return [cost for (cost,) in queue.rows("SELECT cost FROM draft ORDER BY id")]


def spent(queue: Queue, handler: str) -> float:
    """What counts against a handler's budget."""
    return float(queue.rows("SELECT total(cost) FROM spent WHERE handler = ?", handler)[0][0])


def submit(queue: Queue, jobs: int) -> None:
    """So many adaptive jobs, whose finals wait long."""
    lines = "".join(f"{n}\n" for n in range(jobs))
    done = queue.run("submit", "large", "--lines", "-", "--mode", "adaptive", input=lines)
    assert done.returncode == 0, done.stderr


def test_a_draft_is_booked_at_the_price_of_its_maker(tmp_path: Path) -> None:
    """0.01 and not 10.00, in the job's money and against both handlers' budgets."""
    queue = Queue(tmp_path, CONFIG.replace('draft = "small"', 'draft = "small"\ndaily_budget = 1'))
    submit(queue, 1)
    with queue.daemon():
        until(lambda: drafted(queue))
    assert drafted(queue) == [0.01]
    assert queue.rows("SELECT cost FROM cohort") == [(0.01,)]
    assert (spent(queue, "large"), spent(queue, "small")) == (0.01, 0.01)


def test_the_daily_budget_of_whoever_makes_drafts_holds_them(tmp_path: Path) -> None:
    """Of six drafts of 0.01 four fit into the small model's budget; the rest say which budget holds them."""
    queue = Queue(tmp_path, f"{CONFIG}daily_budget = 0.045")
    submit(queue, 6)
    with queue.daemon():
        until(lambda: any(read(why).text == "small" for (why,) in queue.rows("SELECT reason FROM withheld")))
        until(lambda: len(drafted(queue)) == 4)
    assert spent(queue, "small") == pytest.approx(0.04)
