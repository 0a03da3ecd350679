"""Reaping zombies that are not ours: as process 1 of a container, or as a subreaper, we get the orphans of others.

Rule: each is waited for once it has ended, so that none stays in the process table; what we started ourselves is left
to whoever watches it.
"""

import contextlib
import os
from collections.abc import Collection

_GET_SUBREAPER = 37  # prctl(2): PR_GET_CHILD_SUBREAPER


def adopts() -> bool:
    """Whether processes come to this one when their parent has ended."""
    return os.getpid() == 1 or _is_subreaper()


def reap(ours: Collection[int]) -> None:
    """Wait for the children that have ended, but for `ours` (process ids)."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if child.pid not in ours and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def _is_subreaper() -> bool:
    import ctypes

    asked = ctypes.c_int(0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_GET_SUBREAPER, ctypes.byref(asked), 0, 0, 0)
    return bool(asked.value)
