"""Which variables the processes that we start may see: no key reaches them by accident."""

import os
from collections.abc import Mapping, Sequence

MARK = "HYBRIDQ_RUNNER"  # names the runner, so that what it leaves behind when it dies can be found
PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", MARK)
PASSED_PREFIXES = ("LC_", "PYTHON")


def mark() -> dict[str, str]:
    """The mark of this runner, where it has one."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def worker_environment(own: Mapping[str, str], further: Sequence[str]) -> dict[str, str]:
    """What a worker sees of our environment: what programs need to run, and the variables named by `further`."""
    names = {*PASSED, *further}
    return {key: value for key, value in own.items() if key in names or key.startswith(PASSED_PREFIXES)}
