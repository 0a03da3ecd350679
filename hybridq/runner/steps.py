"""Steps of the wall clock: noticed where it was set back, so that what was due by it is looked at again."""

SLACK = 2.0  # seconds of a step back that are no more than a clock's own correction


class StepDetector:
    """Compares the wall clock (epoch seconds) with one that never steps (seconds, monotonic)."""

    def __init__(self, wall: float, steady: float) -> None:
        self._gap = wall - steady

    def set_back(self, wall: float, steady: float) -> float:
        """Seconds by which the wall clock was set back since the last call; 0: it was not."""
        before, self._gap = self._gap, wall - steady
        back = before - self._gap
        return back if back > SLACK else 0.0
