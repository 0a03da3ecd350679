"""For crash tests: a process kills itself at a named point, as by kill -9. Does nothing in production.

`HYBRIDQ_TEST_DIE_AT=NAME` or `NAME:N` (the Nth time it is reached) in the environment arms it.
"""

import os
import signal
from typing import Literal

Point = Literal[
    "accepting",
    "claimed",
    "started",
    "replied",
    "storing",
    "releasing",
    "stored",
    "ending",
    "ended",
    "detached",
    "uploaded",
    "created",
    "polled",
    "reading",
    "cleaning",
    "showing",
    "written",
    "told",
]

_name, _, _count = os.environ.get("HYBRIDQ_TEST_DIE_AT", "").partition(":")
_left = int(_count or 1)


def reached(point: Point) -> None:
    """Die here if a test asked for it."""
    global _left
    if point != _name:
        return
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
