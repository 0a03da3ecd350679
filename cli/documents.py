"""What commands print as JSON where that is no plain data of the library: a Struct a shape.

Rule: the fields are a promise, which `hybridq help json` words and `help.schema` makes the JSON Schema of. Ids are
numbers, times epoch seconds (UTC), durations seconds, money a number, and what is not known is null.
"""

from typing import Any

from msgspec import Struct

from hybridq.job import Mode, State


class JobRecord(Struct, frozen=True, kw_only=True):
    """One job with all that became of it, as `export` gives it: a line of JSON, or a row."""

    id: int
    group: str | None
    key: str | None
    handler: str
    state: State
    mode: Mode
    attempt: int
    input: Any
    output: Any
    base64: str | None
    output_file: str | None
    draft: bool
    error: str | None
    exit_code: int | None
    dropped: int
    missing: int
    cut: str | None
    submitted: float
    started: float | None
    first: float | None
    finished: float | None
    deadline: float | None
    cost: float | None
    streamed: float | None
    usage: dict[str, int] | None
