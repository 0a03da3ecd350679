"""What one simulated handler has taught: learned as a runner learns it, and known as often as a runner writes it down.

Rule: no way of learning of its own; a spell's answers are told as those of one call.
"""

import math

from ..brain.estimate import Estimate, Model, Observation
from ..brain.lessons import Bursts, taught
from ..config.values import HandlerConfig
from ..job import Lane
from .station import Spell

REMEMBER = 2.0  # seconds after which what was learned is known to those who submit


class Memory:
    """The models of one handler, and the estimate that was made of them last."""

    def __init__(self, handler: HandlerConfig, machine_cost: float) -> None:
        self._handler, self._machine_cost = handler, machine_cost
        self._models = {lane: Model() for lane in Lane}
        self._unheard: dict[Lane, list[Observation]] = {lane: [] for lane in Lane}
        self._late: dict[Lane, list[bool]] = {lane: [] for lane in Lane}
        self._startup: float | None = None  # of a flush, which no job has told yet
        self._known = -math.inf
        self.estimate = self._made()

    def hear(self, spell: Spell, *, over: bool) -> None:
        """What ended taught; `over`: the promises to judge are complete, for those of a flush stand together."""
        startup = spell.startup or self._startup
        self._startup = None if spell.tasks else startup
        answers = Bursts(len(spell.tasks))
        for task in spell.tasks:
            cost = None if task.paid is None else task.paid[spell.lane]
            self._unheard[spell.lane] += answers.hear(task.size, task.took, cost, startup)
            startup = None
        self._unheard[spell.lane] += answers.told()
        promised = ((task, task.promise.finish90) for task in spell.tasks if task.promise and not task.group)
        self._late[spell.lane] += [task.finish > by for task, by in promised if by is not None]
        if over:
            self._models[spell.lane] = taught(self._models[spell.lane], [], self._late[spell.lane])
            self._late[spell.lane] = []

    def refresh(self, now: float) -> None:
        """Let what was heard be known, as often as a runner writes it down."""
        if now - self._known < REMEMBER or not any(self._unheard.values()):
            return
        for lane, seen in self._unheard.items():
            self._models[lane] = taught(self._models[lane], seen)
            seen.clear()
        self.estimate, self._known = self._made(), now

    def _made(self) -> Estimate:
        return Estimate(self._models[Lane.STREAM], self._models[Lane.BATCH], self._handler, self._machine_cost)
