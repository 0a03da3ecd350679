"""The one place where an error becomes a sentence on standard error and an exit code (sysexits).

No traceback reaches a user: what nobody foresaw is one sentence and 70, and HYBRIDQ_TRACEBACK=1 shows where.
A pipe that the reader closed is no error to speak of.
"""

import errno
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TextIO

import typer

from hybridq import errors
from hybridq.scrub import scrub

from .exit_codes import (
    ALREADY_RUNNING,
    BAD_DATA,
    CLOSED_PIPE,
    CONFIG,
    INTERNAL,
    INTERRUPTED,
    IO,
    NO_SUCH_JOB,
    NOT_ALLOWED,
    TRY_AGAIN,
    USAGE,
)
from .tell import put, say

LONGEST = 2000  # characters of a sentence: what was refused may be a megabyte

_CODES: dict[type[BaseException], int] = {
    errors.UsageError: USAGE,
    errors.BadData: BAD_DATA,
    errors.NoSuchJob: NO_SUCH_JOB,
    errors.AlreadyRunning: ALREADY_RUNNING,
    errors.CorruptQueue: INTERNAL,
    errors.ReadOnly: NOT_ALLOWED,
    errors.StorageError: IO,
    errors.TryAgain: TRY_AGAIN,
    errors.NotAllowed: NOT_ALLOWED,
    errors.ConfigError: CONFIG,
    errors.HybridqError: INTERNAL,
    PermissionError: NOT_ALLOWED,
    TimeoutError: TRY_AGAIN,
    OSError: IO,
}
# SQLite's primary result codes: busy, locked; full, I/O error, cannot open; no permission, read-only.
_SQLITE = {5: TRY_AGAIN, 6: TRY_AGAIN, 13: IO, 10: IO, 14: IO, 3: NOT_ALLOWED, 8: NOT_ALLOWED}
_ROOM, _RIGHT = "; free some space, then try again", "; fix its permissions, or choose another place"
_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EROFS: _RIGHT,
}


def run_guarded(main: Callable[[], object]) -> NoReturn:
    """Run `main`, then exit: 0, or the code of whatever it raised, after one sentence on standard error."""
    try:
        main()
        sys.stdout.flush()
        code = 0
    except BaseException as problem:
        code = tell_error(problem)
        for stream in (sys.stdout, sys.stderr):  # a last line may be left, and nobody who reads it or has room for it
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                _forget(stream)
    gc.freeze()  # Python's last collection looks at every module: a sixth of the time of a short command
    raise SystemExit(code)


def tell_error(problem: BaseException) -> int:
    """Say what went wrong, where there is something to say, and return the exit code for it."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    if isinstance(problem, SystemExit):
        return _exit_code(problem)
    if isinstance(problem, typer.Exit):
        return problem.exit_code
    if isinstance(problem, BrokenPipeError):
        _forget(sys.stdout)
        return CLOSED_PIPE
    if isinstance(problem, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED
    if os.environ.get("HYBRIDQ_TRACEBACK") == "1":
        import traceback

        put(scrub("".join(traceback.format_exception(problem)).rstrip()))
    code = exit_code(problem)
    text = scrub(sentence(problem))
    say(text if len(text) <= LONGEST else text[:LONGEST] + "…")
    if isinstance(problem, OSError):
        _forget(sys.stdout)  # what the disk refused once it would refuse again when Python exits
    return code


def exit_code(problem: BaseException) -> int:
    """The exit code for an error: its class's, or that of the nearest class above it."""
    if isinstance(problem, typer.TyperException):
        return USAGE
    if (code := _sqlite_code(problem)) is not None:
        return _SQLITE.get(code, INTERNAL)
    if isinstance(problem, OSError) and problem.errno == errno.EROFS:
        return NOT_ALLOWED
    return next((_CODES[kind] for kind in type(problem).__mro__ if kind in _CODES), INTERNAL)


def sentence(problem: BaseException) -> str:
    """What the user reads about it, in one paragraph."""
    if isinstance(problem, errors.HybridqError):
        return str(problem) or type(problem).__doc__ or ""
    if isinstance(problem, typer.TyperException):
        return _usage_sentence(problem)
    if isinstance(problem, OSError) and problem.errno is not None:
        return _system_sentence(problem)
    if (code := _sqlite_code(problem)) is not None:
        return _sqlite_sentence(code, problem)
    kind = type(problem).__name__
    return f"something went wrong inside hybridq ({kind}: {problem}); set HYBRIDQ_TRACEBACK=1 to see where"


def _usage_sentence(problem: typer.TyperException) -> str:
    text = problem.format_message().rstrip(".")
    context = getattr(problem, "ctx", None)
    return f"{text}. See {context.command_path} --help" if context is not None else text


def _system_sentence(problem: OSError) -> str:
    what = os.strerror(problem.errno or 0)
    place = f"{os.fsdecode(problem.filename)}: " if isinstance(problem.filename, (str, bytes)) else ""
    return f"{place}{what}{_ADVICE.get(problem.errno or 0, '')}"


def _sqlite_sentence(code: int, problem: BaseException) -> str:
    if code == 13:
        return "the disk is full, and nothing was accepted; free some space, then try again"
    if _SQLITE.get(code) == TRY_AGAIN:
        return "the queue is busy; try again"
    return f"cannot use the queue's database: {problem}"


def _sqlite_code(problem: BaseException) -> int | None:
    """SQLite's primary result code, None where this is no error of SQLite's.

    sqlite3 is not imported to find out: an error of a module that is not loaded cannot have happened.
    """
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is None or not isinstance(problem, sqlite3.Error):
        return None
    return int(getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF


def _exit_code(problem: SystemExit) -> int:
    if problem.code is None or isinstance(problem.code, int):
        return problem.code or 0
    say(str(problem.code))
    return INTERNAL


def _forget(stream: TextIO) -> None:
    """Point a standard stream at nothing, so that Python's own flush at the end has nothing to complain of."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
