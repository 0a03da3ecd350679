"""Submitting: decide the mode, accept durably, wake a runner.

Rule: the decision is the policy's; what is kept is what was decided with. Nothing is submitted by `decide`.
"""

import math
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from .brain.modes import delay_cost
from .doorbell import RUNNER, VIEWER, ring
from .home import Home
from .job import Audience, Decision, Mode, Request
from .outlook import Outlook
from .policy import classify
from .queue.intake import Accepted, Bulk, Decide, Refused, accept
from .queue.runner import daemon_of
from .store import Store

GROWTH = 1.25  # how far a submission of many parts may have grown until those alike are decided anew
ALIKE = 0.1  # as logarithms: by how much the sizes and the times to the deadlines of parts that are alike differ


def deciding(outlook: Outlook, now: float) -> Decide:
    """The decision for each part of a submission at `now`. It raises UsageError for a mode that the handler does not
    offer."""
    held: dict[tuple[object, ...], tuple[int, Decision]] = {}  # by kind: how many parts there were, what was decided
    parts = 0

    def decide(request: Request, jobs: int, size: float) -> tuple[Decision, float]:
        nonlocal parts
        parts += 1
        kind = _kind(request, jobs, size, now)
        before, decision = held.get(kind, (0, None))
        if decision is None or parts > GROWTH * before or not _serves(decision, request):
            joins = request.audience is Audience.BACKGROUND
            decision = classify(request, jobs, size, outlook.conditions(request.handler, now, joins=joins))
            if decision.mode is Mode.BATCH:
                held[kind] = parts, decision
        if jobs == 1 and decision.mode is not Mode.STREAM and _nobody_else(outlook, request):
            reason = f"no daemon runs that would flush it, and a person waits ({request.signal})"
            decision = replace(decision, mode=Mode.STREAM, reason=reason)
        return decision, delay_cost(outlook.config.policy, request.audience)

    return decide


def _kind(request: Request, jobs: int, size: float, now: float) -> tuple[object, ...]:
    """What parts of one submission have in common that may be held for the same reason."""
    left = -1 if request.deadline is None else round(math.log(max(1.0, request.deadline - now)) / ALIKE)
    asked = (request.handler, request.audience, request.signal, request.mode, request.max_cost)
    return *asked, jobs, round(math.log1p(size) / ALIKE), left


def _serves(decision: Decision, request: Request) -> bool:
    """Whether what was decided for a part like this one makes this one's deadline, too, in every mode."""
    due = math.inf if request.deadline is None else request.deadline
    return not decision.warning and all(f.makes_deadline and (f.finish90 or 0.0) <= due for f in decision.considered)


def _nobody_else(outlook: Outlook, request: Request) -> bool:
    """Whether a person waits for something that only their own process will run."""
    streams = request.mode is None and Mode.STREAM in outlook.modes(request.handler)
    return streams and request.audience is Audience.USER and daemon_of(outlook.store) is None


def submit(outlook: Outlook, request: Request, data: bytes, *, key: str | None = None) -> Accepted:
    """Submit one job: durable when this returns. Raises BadData, UsageError, StorageError."""
    outlook.handler(request.handler)
    now = time.time()
    accepted = accept(outlook.store, request, data, deciding(outlook, now), now=now, key=key, durable=False)
    wake(outlook.store)
    outlook.store.sync()
    return accepted


def submit_many(
    outlook: Outlook, jobs: Iterable[tuple[Request, bytes, str | None]], *, refused: Refused | None = None
) -> Accepted | None:
    """Submit (request, input, key) each, all or nothing, in constant memory. None: all were there already.

    The same Request object for jobs that share their options; each distinct object is planned apart.
    `refused` hears of inputs and keys that cannot be taken, and may leave them out; without it BadData is raised.
    """
    with Bulk(outlook.store, refused) as bulk:
        for request, data, key in jobs:
            bulk.add(request, data, key)
        now = time.time()
        accepted = bulk.accept(deciding(outlook, now), now=now)
    wake(outlook.store)
    return accepted


def wake(store: Store) -> None:
    """Ring whoever runs or watches this queue."""
    ring(store.home, RUNNER)
    ring(store.home, VIEWER)


def connect(environ: dict[str, str], *, home: Path | None = None) -> Outlook:
    """The queue of this environment (or of the folder `home`), ready to submit to."""
    from .settings.read import load

    place = Home.find({**environ, "HYBRIDQ_HOME": str(home)} if home else environ)
    return Outlook(Store.open(place), load(place, environ))
