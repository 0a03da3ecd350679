"""What one provider's SDK is to us: requests that stream, batches that run for hours, and errors as data.

Rule: a provider turns its SDK's words into ours and back; when to send, wait, try again or give up is not
its to say. The SDK's own retries are used for what may be repeated, never for what makes or costs something.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from ...brain.llm_prices import Tokens
from ..worker.lines import LineReader, Overlong


class Trouble(Struct, frozen=True, kw_only=True):
    """What went wrong with a request.

    `passing`: the same request may succeed later. `again`: it was turned away or not answered at all, so that it may
    be sent again at once. `slow`: all requests should wait. `poor`: nothing is answered until somebody pays. `full`:
    the provider had no room for it, which is not its fault. `large`: it is more than what is between us and the
    provider lets through. `unsure`: it may have been carried out although no answer came. `unreached`: its server gave
    no answer at all. `unknown`: the provider knows no such thing. `at`: the place in a batch (from 0) of the request
    that it was refused for.
    """

    reason: str
    passing: bool = False
    again: bool = False
    slow: bool = False
    poor: bool = False
    full: bool = False
    large: bool = False
    unsure: bool = False
    unreached: bool = False
    unknown: bool = False
    retry_after: float | None = None
    at: int | None = None


class Cut(Struct, frozen=True):
    """The answer that streamed was cut for want of room; `word` is the provider's for it."""

    word: str


class BatchLimits(Struct, frozen=True):
    """What one batch may hold."""

    lines: int
    size: int  # bytes


class Answer(Struct, frozen=True, kw_only=True):
    """What became of one request of a batch; `custom` is its id. `text` is None where there is no answer; `said` is
    what came of it all the same. `cut`: the answer was cut for want of room, in the provider's word.

    `unbegun`: the provider never began it and charges nothing. `passing`: another try may help.
    """

    custom: str
    text: str | None = None
    tokens: Tokens | None = None
    error: str = ""
    said: str = ""
    cut: str = ""
    unbegun: bool = False
    passing: bool = False


class Look(Struct, frozen=True, kw_only=True):
    """A batch as it stands. `finished` is how many of its requests, where the provider says.

    `over`: it will not change any more. `whole`: each request was run, so each should have an answer.
    `files` are where its answers are. `refused` are the places (from 0) of requests that made it fail, and why.
    `trouble`: nothing is known now, for this reason.
    """

    over: bool
    whole: bool = False
    finished: int | None = None
    files: tuple[str, ...] = ()
    problem: str = ""
    large: bool = False  # it failed because it was larger than may be
    busy: bool = False  # it failed because the provider holds too much work of ours: later it may take it
    refused: dict[int, str] = {}
    trouble: str = ""


class Found(Struct, frozen=True):
    """What looking for a batch of ours gave: its id; or `unsure`, while some batch may yet turn out to be it; or the
    `trouble` why it could not be looked for just now."""

    batch: str | None = None
    unsure: bool = False
    trouble: str = ""


Piece = str | Tokens | Cut


class Provider(Protocol):
    """One model at one provider."""

    limits: BatchLimits

    def stream(self, text: str, *, flex: bool) -> AsyncGenerator[Piece, None]:
        """The answer's pieces as they come, and what was used. Raises what `trouble` understands."""
        ...

    def line(self, custom: str, text: str) -> bytes:
        """One request of a batch."""
        ...

    async def upload(self, spool: Path) -> str | None:
        """Send a batch's lines ahead, where the provider wants that; returns what they are called there."""
        ...

    async def create(self, key: str, file: str | None, spool: Path | None) -> str:
        """Make the batch; never sent twice by itself. Returns its id. The lines are in `file` or in `spool`."""
        ...

    async def find(self, key: str, since: float, jobs: int, file: str | None) -> Found:
        """The batch that was made with this key, of this file, perhaps, at some time after `since` (epoch seconds)."""
        ...

    async def look(self, batch: str) -> Look:
        """How a batch stands."""
        ...

    def results(self, batch: str, look: Look) -> AsyncGenerator[bytes, None]:
        """The lines of its answers, in any order."""
        ...

    def read(self, line: bytes) -> Answer | None:
        """One line of the answers; None for what is no answer."""
        ...

    async def cancel(self, batch: str) -> None:
        """Ask the provider to end it; what is finished can still be fetched."""
        ...

    async def clear(self, files: Iterable[str]) -> None:
        """Delete files of a batch whose results are stored."""
        ...

    async def check(self) -> str:
        """Try the key and the model's name; says how it went."""
        ...

    def trouble(self, error: Exception) -> Trouble:
        """What an exception means, in a sentence without our key."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


async def read_lines(chunks: AsyncGenerator[bytes, None], limit: int) -> AsyncGenerator[bytes, None]:
    """Bytes as they come into lines; empty ones, and one that is longer than `limit`, are left out."""
    lines = LineReader(limit)
    async for chunk in chunks:
        for line in lines.push(chunk):
            if line.strip() and not isinstance(line, Overlong):
                yield line
    line = lines.rest()
    if line.strip() and not isinstance(line, Overlong):
        yield line


def custom_id(key: str, job: int, attempt: int) -> str:
    """A request's id in a batch: it names our batch, the job and the attempt."""
    return f"{key}-{job}-{attempt}"


def parse_custom_id(custom: str) -> tuple[str, int, int] | None:
    """(key, job, attempt) of such an id; None for any other."""
    words: Sequence[str] = custom.split("-")
    if len(words) != 3 or not (words[1].isascii() and words[1].isdigit() and words[2].isascii() and words[2].isdigit()):
        return None
    return words[0], int(words[1]), int(words[2])
