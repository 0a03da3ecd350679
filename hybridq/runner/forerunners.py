"""What a job waits for, for a runner that came for that job alone: it runs these first.

Rule: a single job is taken out of a larger cohort, into the stream lane, so that nothing runs that is not waited for.
"""

from ..job import Happening, Lane
from ..queue.cohorts import cohort
from ..queue.gates import awaited, gate_of, gates_before
from ..queue.lanes import move
from ..queue.progress import moved_from
from ..queue.store import Store
from ..reason import Reason


def brought(store: Store, number: int, now: float) -> set[int]:
    """The cohorts that hold what a cohort waits for, and what that waits for in turn."""
    found: set[int] = set()
    left: list[tuple[int, int | None]] = [(number, None)]
    seen = set(left)
    while left:
        here, one = left.pop()
        of = cohort(store, here)
        if one is not None and of.jobs > 1 and of.lane is Lane.BATCH:
            move(store, [one], Lane.STREAM, Happening.PROMOTED, Reason("forerunner"), now)
            found |= moved_from(store, [here]) - {here}
        elif here != number:
            found |= moved_from(store, [here])
        if of.lane is Lane.NONE:
            one_gate = None if one is None else gate_of(store, one)
            gates = gates_before(store, here) if one is None else [one_gate] if one_gate is not None else []
            new = [each for gate in gates for each in awaited(store, gate.ranges) if each not in seen]
            seen |= set(new)
            left += new
    return found
