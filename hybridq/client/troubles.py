"""How waiting for a job may end but with its result."""

from ..errors import HybridqError


class JobFailed(HybridqError):
    """The job failed: `job` is its id, `reason` why, `exit_code` its process's own (negative: a signal), or None."""

    def __init__(self, job: int, reason: str, exit_code: int | None = None) -> None:
        super().__init__(job, reason, exit_code)  # all of them, so that it can be pickled
        self.job, self.reason, self.exit_code = job, reason, exit_code

    def __str__(self) -> str:
        return f"job {self.job} failed: {self.reason}"


class JobCancelled(HybridqError):
    """The job was cancelled: `job` is its id."""

    def __init__(self, job: int) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job} was cancelled"


class NoRunner(HybridqError):
    """Nothing runs this queue, so that waiting would not end. The job stays queued."""
