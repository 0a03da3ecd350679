"""How processes end, and why they do not begin: in the words that a user reads, with the codes of a shell."""

import errno

from ..job import Call, Failure

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of POSIX shells
PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}  # the machine is full: another try may help


class CannotStart(Exception):
    """The process did not begin. `exit_code` is what a shell would say; `gave_back`: we did not want it to begin."""

    def __init__(
        self,
        reason: str,
        *,
        exit_code: int | None = None,
        retryable: bool = False,
        gave_back: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.exit_code, self.retryable, self.gave_back = reason, exit_code, retryable, gave_back

    def failure(self, call: Call) -> Failure:
        """What that means for a call."""
        return Failure(
            call.id,
            call.attempt,
            self.reason,
            retryable=self.retryable,
            exit_code=self.exit_code,
            gave_back=self.gave_back,
        )


def stopping() -> CannotStart:
    """The reason for what was about to begin when the handler was closed."""
    return CannotStart("hybridq is stopping", gave_back=True)


def cannot_start(error: OSError | ValueError, command: str, cwd: str | None) -> CannotStart:
    """The reason for what `subprocess.Popen` raised."""
    if not isinstance(error, OSError):  # a NUL, or characters that no file name has
        return CannotStart(f"cannot start: {error}")
    if error.errno in PASSING:
        return CannotStart(f"no free process or file handle: {error.strerror}", retryable=True)
    if cwd is not None and error.filename == cwd:
        what = "no such folder" if error.errno == errno.ENOENT else f"cannot enter the folder ({error.strerror})"
        return CannotStart(f"{what}: {cwd}", exit_code=NOT_EXECUTABLE)
    if error.errno == errno.ENOENT:
        return CannotStart(f"no such command: {command}", exit_code=NOT_FOUND)
    if error.errno in (errno.EACCES, errno.EISDIR, errno.ENOTDIR):
        return CannotStart(f"not executable: {command}", exit_code=NOT_EXECUTABLE)
    return CannotStart(f"cannot execute {command}: {error.strerror}", exit_code=NOT_EXECUTABLE)


def timed_out(timeout: float) -> str:
    """The reason of whatever took longer than `timeout` seconds."""
    return f"timed out after {timeout:g}s"
