"""What one check found, as plain data: a sentence with its number, and what to type next."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad it is: a problem needs to be seen to; a warning may be meant so."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(Struct, frozen=True, kw_only=True):
    """`advice` is what to do, "" for nothing; `repairable`: `--repair` does it; `repaired`: it did."""

    check: str
    level: Level
    text: str
    advice: str = ""
    repairable: bool = False
    repaired: bool = False


def well(check: str, text: str, advice: str = "") -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, text=text, advice=advice)


def warning(check: str, text: str, advice: str, *, repairable: bool = False) -> Finding:
    """It may be meant so."""
    return Finding(check=check, level=Level.WARNING, text=text, advice=advice, repairable=repairable)


def problem(check: str, text: str, advice: str, *, repairable: bool = False) -> Finding:
    """It is not well."""
    return Finding(check=check, level=Level.PROBLEM, text=text, advice=advice, repairable=repairable)
