"""What is urgent while a flush of its handler runs: it overtakes the rest of that, and does not wait for its end.

Urgent is what goes before the last of that rest by deadline, then priority, and would be late if it waited, or has a
higher priority. Rule: it has a plan of its own, in a world where it begins after the calls that run and pays no start.
"""

import math
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from ..job import Flush, Held
from ..reason import Reason
from .conditions import Conditions
from .curve import NINETIETH
from .plan import plan
from .work import HeldWork


def urgent_flushes(held: Sequence[Held], conditions: Conditions) -> tuple[Flush, ...]:
    """The flushes, due and planned, by which some of this work overtakes the running one."""
    if conditions.urgent_ahead is None:
        return ()
    before = [each for each in held if each.jobs > 0 and overtakes(each.deadline, each.rank, conditions)]
    if not before:
        return ()
    world = _world(conditions, conditions.urgent_ahead)
    over = conditions.now + conditions.batch_ahead + NINETIETH * conditions.batch_spread
    latest, (_, rank) = HeldWork(before, world).latest, conditions.urgent_before
    late = {each.key for each, at in zip(before, latest, strict=True) if at < over}
    urgent = [each for each in before if each.key in late or each.rank < rank]
    planned = plan(urgent, world)
    return tuple(_told(flush, urgent, late) for flush in (*planned.due, *planned.later) if flush.at < over)


def overtakes(deadline: float, rank: int, conditions: Conditions) -> bool:
    """Whether jobs of this deadline (epoch seconds) and rank go before the last of the running flush."""
    return conditions.urgent_ahead is not None and (deadline, rank) < conditions.urgent_before


def urgent_start(at: float, deadline: float, rank: int, conditions: Conditions) -> float:
    """When such jobs begin that are due at `at` (epoch seconds): after the calls that run, and after what goes first of
    the running flush."""
    ahead = conditions.urgent_ahead or 0.0
    whole = sum(each.jobs for each in conditions.flushing)
    first = sum(each.jobs for each in conditions.flushing if (each.deadline, each.rank) <= (deadline, rank))
    rest = max(0.0, conditions.batch_ahead - ahead) * first / max(1, whole)
    return max(at, conditions.now + rest) + ahead


def _told(flush: Flush, urgent: Sequence[Held], late: Collection[int]) -> Flush:
    """With why it does not wait for the one that runs."""
    due = min((each.deadline for each in urgent if each.key in flush.keys and each.key in late), default=None)
    return replace(flush, reason=replace(flush.reason, then=Reason("overtakes", due=due)))


def _world(conditions: Conditions, ahead: float) -> Conditions:
    """Beside the running flush: its instances are up."""
    return replace(
        conditions,
        batch_ahead=ahead,
        batch_spread=conditions.urgent_spread,
        lead=ahead + NINETIETH * conditions.urgent_spread,
        warm=True,
        fresh=False,
        stays=math.inf,
        urgent_ahead=None,
    )
