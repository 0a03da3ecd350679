"""Following what the batch lane runs."""

import threading
import time
from pathlib import Path

from hybridq.job import Mode, State
from hybridq.queue.follow import OutputPiece, StateChange, follow
from hybridq.queue.store import Store
from tests.support.building import until
from tests.support.served import EAGER, Queue

SCRIPT = "until [ -e begin ]; do sleep 0.02; done; echo piece; until [ -e end ]; do sleep 0.02; done"


def test_pieces_of_a_batch_wake_who_follows(tmp_path: Path) -> None:
    """What a job of the batch lane prints reaches a follower who never looks by itself, while the job still runs."""
    queue, seen = Queue(tmp_path, EAGER), list[object]()
    with queue.daemon():
        number = queue.submit("sh", "-c", SCRIPT, mode=Mode.BATCH, cwd=str(tmp_path))

        def watch() -> None:
            with Store.open(queue.home) as store:
                for event in follow(store, number, time.time, patience=600):
                    seen.append(event)

        watcher = threading.Thread(target=watch)
        watcher.start()
        until(lambda: any(isinstance(e, StateChange) and e.state is State.RUNNING for e in seen))
        (tmp_path / "begin").touch()
        try:
            until(lambda: OutputPiece(1, b"piece\n") in seen)
        finally:
            (tmp_path / "end").touch()
            watcher.join()
