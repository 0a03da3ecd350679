"""Keys that a daemon was started without: what needs one is held with that reason, for the daemon that is started next.

Rule: whether a variable is set is asked of this very process, which is all that counts; its value is not read here.
Who runs the queue for a moment, a drain or a submit, fails such jobs instead: somebody hears it at once.
"""

import logging
import os

from ..config.llm import missing_key, options
from ..job import State
from ..outlook import Outlook
from ..queue.cohorts import tally
from ..queue.doorbell import VIEWER, ring
from ..queue.holds import withhold_all
from ..queue.runner import Runner

log = logging.getLogger("hybridq")


class Keys:
    """What the handlers of one runner lack."""

    def __init__(self, outlook: Outlook, runner: Runner) -> None:
        self._outlook, self._runner = outlook, runner
        self._held: dict[str, int] = {}  # by handler that lacks its key: the queued jobs that were told so

    def there(self, handler: str, now: float) -> bool:
        """Whether a handler that is configured has its key here; if not, all that is queued for it says so."""
        config = self._outlook.handler(handler)
        asked = config.remote and self._runner.kind == "daemon"
        if not asked or not (variable := missing_key(config.kind, options(config), os.environ)):
            self._held.pop(handler, None)
            return True
        counts = tally(self._outlook.store).items()
        queued = sum(jobs for (name, _, state), jobs in counts if name == handler and state is State.QUEUED)
        if self._held.get(handler) != queued:
            why = f"{variable} is not set in the daemon (pid {os.getpid()}): export it and start the daemon again"
            if handler not in self._held:
                log.error("jobs of %s are held: %s", handler, why)
            withhold_all(self._outlook.store, handler, f"held: {why}", now)
            self._held[handler] = queued
            ring(self._outlook.store.home, VIEWER)
        return False
