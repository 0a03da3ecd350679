"""Counted resources: what this machine has of each, and what a job needs of it.

Rule: amounts are whole numbers, of what is written as a size (`48GiB`) bytes. What there is not enough of at all is
refused in one sentence, wherever it is asked for.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from ..errors import UsageError

LARGEST = 2**62
MANY = 1024  # units that are numbered
NUMBERED = "gpu"  # its units have numbers where they have no names: CUDA_VISIBLE_DEVICES wants them
VISIBLE = {NUMBERED: "CUDA_VISIBLE_DEVICES"}  # the variable that programs look at
_NAME = r"[a-z][a-z0-9_]{0,31}"
# In a job's environment these would be settings of hybridq, options of its commands, or what a hook is told.
_TAKEN = frozenset(
    [
        "after",
        "after_ended",
        "at",
        "audience",
        "backoff",
        "clean_env",
        "cwd",
        "deadline",
        "delay",
        "detach",
        "dry_run",
        "each",
        "env",
        "env_file",
        "event",
        "follow",
        "group",
        "group_name",
        "handler",
        "home",
        "job",
        "json",
        "jsonl",
        "key",
        "lines",
        "max_cost",
        "mode",
        "needs",
        "notify",
        "priority",
        "retries",
        "retry_on",
        "runner",
        "shell",
        "skip_bad",
        "state",
        "stdin",
        "timeout",
        "wait",
        "wait_final",
    ]
)
_BEFORE = frozenset(  # names of sections and of commands, which an underscore follows
    [
        "backup",
        "cancel",
        "clean",
        "completions",
        "config",
        "daemon",
        "demo",
        "doctor",
        "drain",
        "edit",
        "explain",
        "export",
        "follow",
        "handlers",
        "help",
        "hooks",
        "limit",
        "log",
        "metrics",
        "output",
        "pause",
        "pipe",
        "policy",
        "report",
        "resources",
        "restore",
        "resume",
        "retry",
        "runner",
        "schedule",
        "service",
        "show",
        "simulate",
        "status",
        "tariff",
        "wait",
    ]
)
_SIZES = {"": 1} | {f"{unit}ib": 1024**power for power, unit in enumerate("kmgt", 1)}
_SIZES |= {"b": 1} | {f"{unit}b": 1000**power for power, unit in enumerate("kmgt", 1)}

Needs = dict[str, int]
"""By resource: how much one job takes of it."""
Given = dict[str, tuple[int, tuple[str, ...]]]
"""By resource: how much, and which, where they have names."""


class Resource(Struct, frozen=True):
    """What there is of one resource. `names`: what its units are called, where a job is given certain ones; `sized`: it
    is counted in bytes."""

    total: int
    names: tuple[str, ...] = ()
    sized: bool = False

    @property
    def written(self) -> int | str | tuple[str, ...]:
        """What there is in all, as config.toml has it."""
        return self.names or (size(self.total) if self.sized else self.total)

    def told(self, amount: int) -> str:
        """An amount of it, as it is read."""
        return size(amount) if self.sized else f"{amount:,}"


Resources = dict[str, Resource]


def resource(name: str, value: object) -> Resource:
    """One line of `[resources]`: a number, a size, or a list of names. Raises UsageError."""
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise UsageError(
            "a resource's name has lower-case letters, digits and _, and begins with a letter (32 at most)"
        )
    if name in _TAKEN or ("_" in name and name.partition("_")[0] in _BEFORE):
        raise UsageError(f"a resource cannot be called {name}: HYBRIDQ_{name.upper()} is a setting of hybridq")
    if isinstance(value, list):
        return _named(value)
    total, sized = _amount(value, "a number, a size such as 48GiB, or a list of names")
    numbered = name == NUMBERED and not sized and total <= MANY
    return Resource(total, tuple(map(str, range(total))) if numbered else (), sized)


def _named(value: list[object]) -> Resource:
    names = tuple(each for each in value if isinstance(each, str) and re.fullmatch(r"[^\s,]{1,100}", each))
    if len(names) < len(value) or len(set(names)) < len(names):
        raise UsageError("expected different names in quotes, without spaces and commas")
    return Resource(len(names), names)


def needed(asked: Mapping[str, object], known: Resources) -> Needs:
    """What a job needs, of what there is; what it needs none of is left out. Raises UsageError."""
    found = {}
    for name, value in asked.items():
        if name not in known:
            raise UsageError(f"there is no resource {name!r}{_meant(name, known)}")
        of = known[name]
        amount, sized = _amount(value, f"{name} as a size such as 8GiB" if of.sized else f"{name} as a whole number")
        if amount and sized is not of.sized:
            what = "a size: write it such as 8GiB" if of.sized else "a number, not a size"
            raise UsageError(f"the resource {name} is {what}")
        if amount > of.total:
            raise UsageError(f"there is not so much {name}: {of.told(amount)} needed, {of.told(of.total)} in all")
        found[name] = amount
    return {name: amount for name, amount in sorted(found.items()) if amount}


def split(words: tuple[str, ...]) -> dict[str, str]:
    """`--needs gpu=1` as name and amount. Raises UsageError."""
    found = {}
    for word in words:
        name, equals, amount = word.partition("=")
        if not equals or not name or not amount:
            raise UsageError(f"'{word[:40]}' is no need: write NAME=AMOUNT, such as gpu=1 or memory=8GiB")
        found[name] = amount
    return found


def _meant(name: str, known: Resources) -> str:
    if not known:
        return ": config.toml has no [resources]"
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    return f": did you mean {near[0]}?" if near else f"; config.toml has {', '.join(known)}"


def _amount(value: object, expected: str) -> tuple[int, bool]:
    """A whole number of at least 0, and whether it was written as a size. Raises UsageError."""
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([kmgt]?i?b)?", text, re.ASCII | re.IGNORECASE)
    unit = (found[2] or "").lower() if found else ""
    if found is None or unit not in _SIZES or ("." in found[1] and not unit):
        raise UsageError(f"expected {expected}, not {str(value)[:40]!r}")
    amount = int(float(found[1]) * _SIZES[unit]) if "." in found[1] else int(found[1]) * _SIZES[unit]
    if amount > LARGEST:
        raise UsageError(f"expected {expected}, not {str(value)[:40]!r}")
    return amount, bool(unit)


def size(amount: int) -> str:
    """Bytes as they are written in config.toml: `8GiB`, `1.5GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        one = _SIZES[unit.lower()]
        if amount >= one:
            return f"{amount / one:.4g}{unit}"
    return f"{amount}B"


def most_at_once(needs: Needs, known: Resources) -> int:
    """How many that need this there is enough for, if nothing else takes of it."""
    return min((known[name].total // amount if name in known else 0) for name, amount in needs.items())


def variables(given: Given) -> dict[str, str]:
    """What tells a process what it was given: by resource the amount, and which, where they have names."""
    found = {}
    for name, (amount, names) in given.items():
        text = ",".join(names) if names else str(amount)
        found[f"HYBRIDQ_{name.upper()}"] = text
        if name in VISIBLE:
            found[VISIBLE[name]] = text
    return found
