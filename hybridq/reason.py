"""Why something is so, as plain data: its kind and the numbers that were compared. `sentences` says it.

Rule: what the queue keeps is this, never a sentence. What an earlier release kept is one: its kind is SAID.
"""

import math
from typing import Any

import msgspec
from msgspec import Struct

SAID = "said"  # what somebody else has put in words: an earlier release, a handler, a provider
NOBODY = "nobody"  # no runner serves the queue
EXITED = "exited"  # a command that failed, and whose exit code is all that is known of why
ITS_LIMIT = "its --max-cost"  # of a submission
AT_MOST = ("busy", "tries")  # held until an instant at most
WITHHELD = ("dear", "limit", "lacking", "paused")  # kept from beginning by a limit, for what a daemon lacks, by hand

BOUNDS = ("at once", "in use", "rate")  # kept from beginning by how many run, hold what they need, or have just begun


class Reason(Struct, frozen=True, omit_defaults=True, gc=False):
    """One reason. Instants are epoch seconds, spans seconds; each kind fills what its sentence needs."""

    kind: str
    text: str = ""  # what it is about: a handler, a limit, words of others
    runs: bool | None = None  # it runs now, or is held; None: that is not what it tells
    until: float | None = None  # until when it is held
    most: bool = False  # until then at most
    price: str = ""  # the name of the cheaper price that it is held for
    waits: bool | None = None  # whether somebody waits for the result
    signal: str = ""  # what told so
    mode: str = ""  # the one that was chosen, or asked for
    other: str = ""  # the one that it was compared with
    saves: float | None = None  # money
    whole: float | None = None  # money that this is a part of, or may be used up
    costs: float | None = None  # money that is to be paid for it, by waiting most often
    spent: float | None = None  # money
    reserved: float | None = None  # money for what runs
    span: float | None = None
    other_span: float | None = None  # the same of `other`
    due: float | None = None  # the deadline, or when a budget is renewed
    done: float | None = None
    half: float | None = None  # when half of such jobs are done
    sooner: float | None = None  # when it would be done otherwise
    held: int | None = None  # jobs that are, of a group of which others run
    jobs: int | None = None
    of: int | None = None  # jobs that these are some of
    known: int | None = None  # run times in all, alike or not
    attempt: int | None = None  # the number of the next try
    tries: int | None = None  # how many there may be
    load: float | None = None  # per core
    factor: float | None = None  # of the price now
    next_factor: float | None = None  # of the price then
    then: "Reason | None" = None  # what is told behind it

    @property
    def withholds(self) -> bool:
        """Whether it keeps jobs from beginning at all, until somebody changes something."""
        return self.kind in WITHHELD

    @property
    def bounds(self) -> bool:
        """Whether it keeps jobs from beginning until others end, or for a moment."""
        return self.kind in BOUNDS

    @property
    def lasting(self) -> bool:
        """Whether it withholds for as long as the jobs are as they are: to run the queue again changes nothing."""
        return self.kind == "dear" or (self.kind == "limit" and self.text == ITS_LIMIT and not self.jobs)


def about(amount: float, digits: int = 2) -> float:
    """Money as it is told, to two decimals, or to so many digits of what is less: what is kept changes no sooner."""
    if not amount or not math.isfinite(amount):
        return amount
    return round(amount, max(2, digits - 1 - math.floor(math.log10(abs(amount)))))


def said(text: str) -> Reason:
    """Words of somebody else."""
    return Reason(SAID, text)


def stored(reason: Reason) -> str:
    """As the queue keeps it."""
    return msgspec.json.encode(reason).decode()


def read(text: str) -> Reason:
    """What the queue kept, by whatever release."""
    try:
        return msgspec.json.decode(text, type=Reason)
    except (msgspec.MsgspecError, RecursionError):
        return said(text)


def revived(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision as another release kept it: sentences, and reasons that this one cannot read, as words of others."""
    told = {**decision, "considered": [{**each, **_said(each, "note")} for each in decision.get("considered", ())]}
    return {**told, **_said(decision, "reason"), **_said(decision, "warning")}


def _said(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    if isinstance(found, str):
        return {name: {"kind": SAID, "text": found} if found else None}
    try:
        msgspec.convert(found, Reason | None)
    except msgspec.ValidationError:
        return {name: {"kind": SAID, "text": msgspec.json.encode(found).decode()}}
    return {}
