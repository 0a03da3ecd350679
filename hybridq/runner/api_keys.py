"""Handlers whose API key or kind is missing: their jobs are held with that reason, others go on.

Rule: whether a variable is set is asked of this very process, which is all that counts; its value is not read here.
A handler that cannot be made is tried again when its configuration changed.
Who runs the queue for a moment, a drain or a submit, fails such jobs instead: somebody hears it at once.
"""

import logging
import os

from ..config.kinds import BUILT_IN
from ..config.llm import missing_key
from ..config.values import HandlerConfig
from ..handlers.guard import guarded
from ..job import State
from ..outlook import Outlook
from ..queue.cohorts import tally
from ..queue.doorbell import VIEWER, ring
from ..queue.holds import withhold_all
from ..queue.runner import Runner
from ..reason import Reason

log = logging.getLogger("hybridq")


class Keys:
    """What the handlers of one runner lack."""

    def __init__(self, outlook: Outlook, runner: Runner) -> None:
        self._outlook, self._runner = outlook, runner
        self._held: dict[str, int] = {}  # by handler that lacks something: the queued jobs that were told so
        self._tried: dict[str, tuple[HandlerConfig, str]] = {}  # how it went to make one of another kind

    def there(self, handler: str, now: float) -> bool:
        """Whether a handler that is configured has all that it needs here; if not, all that is queued for it says
        so."""
        if not (why := self._lacks(handler)):
            self._held.pop(handler, None)
            return True
        counts = tally(self._outlook.store).items()
        queued = sum(jobs for (name, _, state), jobs in counts if name == handler and state is State.QUEUED)
        if self._held.get(handler) != queued:
            if handler not in self._held:
                log.error("jobs of %s are held: %s", handler, why)
            withhold_all(self._outlook.store, handler, Reason("lacking", why, runs=False), now)
            self._held[handler] = queued
            ring(self._outlook.store.home, VIEWER)
        return False

    def _lacks(self, handler: str) -> str:
        """What keeps this daemon from running a handler's jobs; "": nothing."""
        config = self._outlook.handler(handler)
        if self._runner.kind != "daemon":
            return ""
        if variable := missing_key(config, os.environ):
            return f"{variable} is not set in the daemon (pid {os.getpid()}): export it and start the daemon again"
        if config.kind in BUILT_IN:
            return ""
        if handler not in self._tried or self._tried[handler][0] != config:
            self._tried[handler] = config, guarded(handler, config, runner=self._outlook.config.runner).broken
        return self._tried[handler][1]
