"""What a daemon's log says of work that a provider does."""

import time
from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.queue.cancel_retry import cancel
from tests.support.building import asking, daemon, submit_all, until
from tests.support.llm import CONFIG, base
from tests.support.provider import KEY, Provider
from tests.support.served import Queue


def test_the_log_follows_a_batch_to_the_provider_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that ends with its jobs at a provider says so; who goes on with it says what was cancelled meanwhile."""
    monkeypatch.setenv("TEST_KEY", KEY)
    with Provider() as provider:
        provider.script.after = 600.0
        queue = Queue(tmp_path, CONFIG.format(kind="openai", url=base(provider, "openai"), more=""))
        outlook = queue.outlook
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(20)])
        with daemon(outlook):
            until(lambda: "flush 1 ended: 20 handed to the provider" in queue.log())
        cancel(queue.store, range(1, 6), time.time())
        with daemon(outlook):
            until(lambda: "resuming a batch of gpt: 20 jobs, 5 of them cancelled" in queue.log())
