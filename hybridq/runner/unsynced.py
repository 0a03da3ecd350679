"""Output files that the disk has not confirmed yet (fsync), until it has.

Rule: a result is stored after what it refers to; what the disk does not confirm is told as lost, for no job can be
asked to print it again.
"""

import logging
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from ..brain.outcome import Outcome
from ..home import Home
from ..queue.outputs import SUFFIX

_AT_ONCE = 8  # files that the disk is asked to confirm together
_sync = getattr(os, "fdatasync", os.fsync)  # as SQLite does

log = logging.getLogger("hybridq")


class Unsynced:
    """The outputs of jobs that have ended, until the disk has them; `sync` may be called in any thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: list[Path] = []
        self._lost: set[str] = set()  # names of what the disk did not confirm
        self._known: set[Path] = set()  # folders that the disk has
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    @property
    def waiting(self) -> bool:
        """Whether the disk may lack something."""
        return bool(self._files) or self._lock.locked()

    def add(self, files: Iterable[Path]) -> None:
        """Let the next `sync` wait for these."""
        self._files += files

    def sync(self) -> None:
        """Returns when the disk has all that was added: many at once, which takes it little longer than one."""
        with self._lock:
            files, self._files = self._files, []
            folders = {file.parent for file in files}
            at_once = self._threads.map if len(files) > 1 else map
            confirmed = dict(zip(files, at_once(_confirmed, files), strict=True))
            # After the files: what a folder names is whole.
            for folder in (*folders, *([self._home.outputs] if folders - self._known else [])):
                if not _confirmed(folder):
                    confirmed |= dict.fromkeys((file for file in files if file.is_relative_to(folder)), False)
            self._known |= folders
            self._lost |= {file.name for file, there in confirmed.items() if not there}

    def told(self, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes, with what the disk did not confirm among what was dropped."""
        return [self._told(each) for each in outcomes] if self._lost else outcomes

    def _told(self, outcome: Outcome) -> Outcome:
        for stream, size in ((1, outcome.out), (2, outcome.err)):
            if size and f"{outcome.id}.{outcome.attempt}.{SUFFIX[stream]}" in self._lost:
                outcome = replace(outcome, dropped=outcome.dropped + size)
        return outcome


def _confirmed(path: Path) -> bool:
    """Have the disk write this down; False where it does not say that it did. What was cleaned away needs nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return True
    except OSError as error:
        log.error("the disk did not confirm %s; a power cut could lose it: %s", path, error.strerror)
        return False
    return True
