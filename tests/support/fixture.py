"""Keeps a queue of this release for later ones to migrate: `python -m tests.support.fixture`.

It holds a group with done, failed, cancelled and queued jobs, a running one, a draft, a flush, what was learned, and a
schedule.
"""

import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from hybridq import __version__
from hybridq.job import Mode
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.schema import VERSION
from hybridq.submit import submit
from tests.support.building import asking, queue, run_jobs, submit_all
from tests.support.recurring import recurring

RELEASES = Path(__file__).parents[1] / "queue" / "releases"


def make(folder: Path) -> Path:
    """A queue in that folder as this release leaves it; its file."""
    made = queue(folder)
    with made.store as store:
        submit_all(made, asking(group="g"), [b'"x"'] * 6)
        run_jobs(made, 5, fail=1, hold=1)
        for mode in (Mode.BATCH, Mode.BATCH, Mode.STREAM):
            submit(made, asking(mode=mode), b'"y"')
        cancel(store, [7], time.time())
        recurring(made, since=time.time())
        return store.home.database


def keep() -> Path:
    """Write the file of this release, in one piece; its path."""
    RELEASES.mkdir(exist_ok=True)
    kept = RELEASES / f"{__version__}-schema-{VERSION}.db"
    kept.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(make(Path(folder)))
        connection.execute("VACUUM INTO ?", (str(kept),))
        connection.close()
    return kept


if __name__ == "__main__":
    sys.stdout.write(f"{keep()}\n")
