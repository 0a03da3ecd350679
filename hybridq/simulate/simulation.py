"""One simulation from its world to its figures: hybridq and every baseline on the same jobs.

Rule: every contender meets the same jobs, on as many instances, at the same prices. Same world, same figures.
"""

from collections.abc import Iterator

from msgspec import Struct

from ..brain.tariff import Tariff
from ..when import money
from .baselines import BASELINES
from .clock import SimulatedRun, World, simulate
from .hybrid import Hybrid
from .jobs import Jobs
from .verdict import Verdict, judge

OURS = "hybridq"
SAYS = "streams what a person waits for; holds the rest until running it is cheapest"


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What was simulated and what came of it; hybridq is the first contender. Times are epoch seconds.

    `begin` and `last` are of the first and the last arrival.
    """

    what: str
    notes: tuple[str, ...]
    seed: int
    begin: float
    last: float
    end: float  # of the last job under hybridq
    jobs: int
    prices: tuple[tuple[float, float], ...]  # the price factor from an instant on
    verdicts: tuple[Verdict, ...]
    currency: str = ""


def rehearse(world: World) -> Iterator[tuple[Verdict, SimulatedRun]]:
    """Each contender's figures as soon as they are there, hybridq's first."""
    jobs = Jobs(world)
    outcome = simulate(world, Hybrid, jobs)
    yield judge(OURS, SAYS, outcome, world.config.policy), outcome
    for baseline in BASELINES:
        outcome = simulate(world, baseline.make, jobs)
        yield judge(baseline.name, baseline.says, outcome, world.config.policy), outcome


def summarise(world: World, verdicts: list[Verdict], ours: SimulatedRun) -> Rehearsal:
    """All of it in one."""
    arrivals, tariff = world.workload.arrivals, Tariff(world.config.tariff)
    begin, end = arrivals[0].at, max(task.finish for task in ours.tasks)
    return Rehearsal(
        what=world.workload.what,
        notes=(*world.workload.notes, _prices(world)),
        seed=world.seed,
        begin=begin,
        last=arrivals[-1].at,
        end=end,
        jobs=len(arrivals),
        prices=((begin, tariff.factor(begin)), *tariff.changes(begin, end)),
        verdicts=tuple(verdicts),
        currency=world.config.policy.currency,
    )


def _prices(world: World) -> str:
    """The sentence that says what money is here."""
    config = world.config
    tariff = "the configured tariff" if config.tariff.window else "1 at all hours (no tariff.window is set)"
    return (
        f"cost is what a handler charges per job, or else busy time at policy.machine_cost,"
        f" {money(config.policy.machine_cost, config.policy.currency)} an hour, times {tariff}"
    )
