"""When the gathered jobs of one handler are run: what is due now, what is planned, and why.

Minimises `F x flushes + sum of c p(t) + sum of w (t - arrival)` for what is known, then decides by regret
what is only a choice, since more jobs may come and share the start. Works on classes of jobs, so its
cost does not grow with the jobs. Everything it knows is in its arguments.
"""

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ..job import Flush, Held
from ..reason import Reason
from .chains import TIE, Chains, Part, fit_cheap_hours
from .conditions import Conditions
from .reasons import GATHER, flush_reason
from .sharing import Company
from .work import HeldWork

LOAD_LOOK = 60.0  # seconds until a load that was priced in is looked at again
SHARED = 0.35  # of a later start's cost counts against waiting for it, as jobs still to come will share it
NOW = 1e-3  # seconds by which a wake-up may be early


class Plan(Struct, frozen=True, kw_only=True):
    """What to flush now (`due`), what is planned (`later`), and when to look again though nothing happens."""

    due: tuple[Flush, ...] = ()
    later: tuple[Flush, ...] = ()
    look: float | None = None  # epoch seconds; None: only new work changes the plan
    loaded: bool = False  # the load was priced in: pass it on to the next plan's conditions


def plan(held: Sequence[Held], conditions: Conditions, *, drain: bool = False) -> Plan:
    """The plan for the held jobs of one handler. A flush's `jobs` may be fewer than its classes hold: those
    with the earliest deadlines.

    Flat price and no cost of delay: waiting for the first latest start, then flushing all, is optimal (any
    plan has a flush by then, and one holds everything). F = 0: each job at its own cheapest instant is
    optimal (the objective falls apart into jobs). Flat price with a cost of delay: see `sharing`. On random arrivals,
    deadlines, tariffs and costs of delay it costs 1.01-1.07 times a bound that knows all (`tests/bench/bound.py`); of
    what was tried on random cases, SHARED = 0.35 did best (`tests/bench/plan_quality.py`).
    """
    waiting = [h for h in held if h.jobs > 0]
    if not waiting:
        return Plan()
    planner = _Planner(HeldWork(waiting, conditions), conditions)
    if drain:
        return planner.finish([planner.part("drain", conditions.now, list(range(len(waiting))))])
    planned = planner.decide()
    if planned.due or not planner.company.waits_on(planned.later[0]):
        return planned
    at = planned.later[0].at
    ahead = max(0.0, conditions.now + conditions.batch_ahead - at)
    world = replace(conditions, now=at, load=0.0, batch_ahead=ahead, warm=not conditions.starts(at))
    then = plan(waiting, world)
    return planned if then.due else replace(planned, later=then.later)


class _Planner:
    """One planning: the work, the rules, and the flushes that come of them."""

    def __init__(self, work: HeldWork, conditions: Conditions) -> None:
        self.work, self.conditions = work, conditions
        self.company = Company(work, conditions)

    def decide(self) -> Plan:
        """By the rules: a deadline first, then what is planned, full, or worth it."""
        work = self.work
        if min(work.latest) <= work.now + NOW:
            return self.finish(self._split(self._parts(Chains(work, work.fixed * SHARED), 0, "deadline")))
        chains = Chains(work, work.fixed)
        value, first = chains.best(1)
        otherwise = self._parts(chains, first, "plan")
        if chains.value(0) >= value * (1 - TIE):
            return self.finish(self._split(otherwise))
        parts = self._parts(chains, 0, "plan")
        worth, rule = self._choice(parts[0], otherwise)
        if worth <= work.now + NOW or worth < otherwise[0].at:
            otherwise = [parts[0]._replace(rule=rule, at=max(worth, work.now)), *parts[1:]]
        return self.finish(self._split(otherwise))

    def finish(self, parts: list[Part]) -> Plan:
        """Parts as flushes, with their sentences, and the instant of the next look."""
        work = self.work
        flushes = [self._flush(part) for part in parts]
        due = tuple(f for f in flushes if f.at <= work.now + NOW)
        later = tuple(f for f in flushes if f.at > work.now + NOW)
        looks = [f.at for f in later[:1]]
        change = work.prices.next_change()
        if change is not None:
            looks.append(change)
        if work.prices.loaded:
            looks.append(work.now + LOAD_LOOK)
        if any(f.jobs < part.jobs for f, part in zip(due, parts, strict=False)):
            looks.append(work.now)
        return Plan(due=due, later=later, look=min(looks, default=None), loaded=work.prices.loaded)

    def part(self, rule: str, at: float, members: list[int]) -> Part:
        """These classes as a whole, at one instant."""
        return Part(rule, at, members, sum(self.work.held[i].jobs for i in members))

    def _flush(self, part: Part) -> Flush:
        return Flush(
            at=max(part.at, self.work.now),
            keys=tuple(self.work.held[i].key for i in part.members),
            jobs=min(part.jobs, self.conditions.max_flush or part.jobs),
            rule=part.rule,
            reason=self._reason(part),
        )

    def _reason(self, part: Part) -> Reason:
        trial = self.company.trial(part.members) if part.rule == "trial" else None
        return flush_reason(self.work, part, likely=None if trial is None else trial[1])

    def _parts(self, chains: Chains, first: int, rule: str) -> list[Part]:
        """The best plan from candidate `first`: each class at whichever of its flushes costs it least."""
        work, chain = self.work, chains.chain(first)
        members: dict[int, list[int]] = {a: [] for a in chain}
        options = [(a, work.price[a], work.at[a] - work.now) for a in reversed(chain)]
        for i, (cost, pull, slot) in enumerate(zip(work.cost, work.pull, work.slot, strict=True)):
            least, best = math.inf, chain[0]
            for a, price, wait in options:
                if a <= slot and (total := cost * price + pull * wait) < least:
                    least, best = total, a
            members[best].append(i)
        return [
            self.part(rule if a == first else "plan", work.at[a], chosen) for a, chosen in members.items() if chosen
        ]

    def _split(self, parts: list[Part]) -> list[Part]:
        """Each part as it fits the cheap hours, in the order of time."""
        return sorted((piece for part in parts for piece in fit_cheap_hours(self.work, part)), key=lambda part: part.at)

    def _choice(self, part: Part, otherwise: list[Part]) -> tuple[float, str]:
        """When a flush that is only a choice is run, and by which rule.

        It is worth it when waiting for others to share the start no longer is, or a cheaper price is about to be let
        pass.
        """
        work, members = self.work, part.members
        if 0 < self.conditions.max_flush <= part.jobs:
            return work.now, "full"
        if not work.known:
            return min(work.held[i].since for i in members) + GATHER, "worth-it"
        passed = self._passed(members, otherwise)
        at = self.company.worth(members, passed)
        trial = None if passed > 0 else self.company.trial(members)
        if trial is not None and max(at, work.now) <= trial[0]:
            return trial[0], "trial"
        dearer = at <= work.now and any(work.prices.tariff(work.held[i].since) > work.price[0] for i in members)
        return max(at, work.now), "plan" if dearer else "worth-it"

    def _passed(self, members: list[int], otherwise: list[Part]) -> float:
        """Money lost on these classes by prices let pass, now's included, if this instant passes too.

        What is not flushed now goes with the other plan or, if that is cheaper, a moment later.
        """
        work, lost = self.work, 0.0
        soon = work.prices.over(work.begin(work.now) + max(1.0, work.duration) + NOW, work.duration)
        other = [(soon, 0.0)] * len(work.held)
        for part in otherwise:
            later = work.prices.over(work.begin(part.at), work.duration)
            for i in part.members:
                other[i] = later, part.at - work.now
        for i in members:
            price, wait = other[i]
            least = min(work.cost[i] * soon, work.cost[i] * price + work.delay[i] * wait)
            lowest = min(work.price[0], work.prices.lowest_since(work.held[i].since))
            lost += max(0.0, least - work.cost[i] * lowest)
        return lost
