"""A drain runs what it is asked for, however much else is held."""

import pytest

from hybridq.outlook import Outlook
from hybridq.queue import cohorts
from hybridq.queue.group_sums import group_sums
from hybridq.runner.drain import DrainLimits, run_drain
from tests.support.building import asking, submit_all


def test_a_group_behind_more_than_a_plan_looks_at_is_drained(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """More single jobs are due before the group than are read one by one: its jobs run all the same, and no others."""
    for _ in range(12):
        submit_all(outlook, asking(), [b'"first"'])
    submit_all(outlook, asking(group="g"), [b'"x"'] * 3)
    monkeypatch.setattr(cohorts.held, "__defaults__", (None, 10))
    ended = run_drain(outlook.store.home, outlook.config, DrainLimits(group="g"))
    assert (ended.done, ended.left) == (3, 0)
    assert group_sums(outlook.store, ["g"])["g"].counts == {"done": 3}
    assert outlook.store.row("SELECT count(*) FROM job WHERE state = 'queued'") == (12,)
