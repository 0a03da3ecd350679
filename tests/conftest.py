"""Queues that several test files begin with."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.submit import submit
from tests.support.building import asking, queue, run_jobs, submit_all
from tests.support.ledgers import Past
from tests.support.provider import KEY, Provider

# In the background of a shell without job control Control-C is ignored, and so it would be by all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What runs the tests must not be seen by what they run: these tell who waits, what is drawn and which queue it is.
_AUTOMATIC = ("CI", "GITHUB_ACTIONS", "INVOCATION_ID", "JOURNAL_STREAM", "MAKEFLAGS", "GIT_DIR", "GIT_PREFIX")
_TERMINAL = ("TMUX", "TMUX_PANE", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "PAGER")
for name in (*_AUTOMATIC, *_TERMINAL, *(name for name in os.environ if name.startswith("HYBRIDQ_"))):
    os.environ.pop(name, None)


@pytest.fixture
def outlook(tmp_path: Path) -> Iterator[Outlook]:
    """A queue with the handlers `shell` and `echo`."""
    made = queue(tmp_path)
    with made.store:
        yield made


@pytest.fixture
def every_state(outlook: Outlook) -> Outlook:
    """Group `g` with 3 done, 1 failed, 1 running, 1 queued; then singles: 7 cancelled, 8 held, 9 to stream."""
    submit_all(outlook, asking(group="g"), [b'"x"'] * 6)
    run_jobs(outlook, 5, fail=1, hold=1)
    for mode in (Mode.BATCH, Mode.BATCH, Mode.STREAM):
        submit(outlook, asking(mode=mode), b'"y"')
    cancel(outlook.store, [7], time.time())
    return outlook


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A queue whose past is to be made."""
    return Past(tmp_path)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The scripted provider, and its key in the environment."""
    monkeypatch.setenv("TEST_KEY", KEY)
    with Provider() as served:
        yield served
