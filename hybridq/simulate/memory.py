"""What one simulated handler has taught: learned as a runner learns it, and known as often as a runner writes it down.

Rule: no way of learning of its own; a spell's answers are told as those of one call.
"""

import math

from ..brain.calls import Overhead
from ..brain.estimate import Estimate, Model, Observation
from ..brain.lessons import Bursts, taught
from ..config.values import HandlerConfig
from ..job import LANES, Lane
from .station import Spell


class Memory:
    """The models of one handler, and the estimate that was made of them last."""

    def __init__(self, handler: HandlerConfig, machine_cost: float, after: float) -> None:
        """`after`: seconds until what was learned is known."""
        self._handler, self._machine_cost, self._after = handler, machine_cost, after
        self._models = {lane: Model() for lane in LANES}
        self._unheard: dict[Lane, list[Observation]] = {lane: [] for lane in LANES}
        self._late: dict[Lane, list[bool]] = {lane: [] for lane in LANES}
        self._overhead: Overhead | None = None
        self._flushing = False  # a chunk of the flush that runs has ended
        self._known = -math.inf
        self.estimate = self._made()

    def hear(self, spell: Spell, overhead: Overhead, *, over: bool) -> None:
        """What ended taught; `over`: the promises to judge are complete, for those of a flush stand together.
        `overhead`: what calls of batches are known to take beside their jobs."""
        lane, startup = spell.lane, spell.startup or None
        shared = 0.0
        if lane is Lane.BATCH:
            self._overhead = overhead
            if startup and self._flushing and self._handler.traits.starts == "each":
                shared, startup = startup / len(spell.tasks), None  # another start of the same flush
            self._flushing = not over
        answers = Bursts(len(spell.tasks))
        for task in spell.tasks:
            cost = None if task.paid is None else task.paid[lane]
            self._unheard[lane] += answers.hear(task.size, task.took + shared, cost, startup)
            startup = None
        self._unheard[lane] += answers.told()
        promised = ((task, task.promise.finish90) for task in spell.tasks if task.promise and not task.group)
        self._late[lane] += [task.finish > by for task, by in promised if by is not None]
        if over:
            self._models[lane] = taught(self._models[lane], [], self._late[lane])
            self._late[lane] = []

    def refresh(self, now: float) -> None:
        """Let what was heard be known, as often as a runner writes it down."""
        if now - self._known < self._after or not any(self._unheard.values()):
            return
        for lane, seen in self._unheard.items():
            self._models[lane] = taught(self._models[lane], seen, (), self._overhead if lane is Lane.BATCH else None)
            seen.clear()
        self.estimate, self._known = self._made(), now

    def _made(self) -> Estimate:
        return Estimate(self._models[Lane.STREAM], self._models[Lane.BATCH], self._handler, self._machine_cost)
