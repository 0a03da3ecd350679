"""Jobs as they come, and very many of them in little memory.

Rule: what is put in comes out the same; only how it is kept differs. A million jobs take some 50 MB.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from msgspec import Struct

from ..job import Audience, Lane, Mode

TRACE = "trace"  # the handler of jobs whose trace names none


class Arrival(Struct, frozen=True, kw_only=True, gc=False):
    """One job: when it comes (epoch seconds), its sizes in the trace's own unit, who waits, and by when.

    `busy` is what it keeps an instance busy when it runs alone (seconds), where that is known; `paid` the money
    at factor 1 that it costs in each lane, where it is paid by the job; `lead` the share of its time after which
    its first output is there when it streams; `mode` was asked for, where it was.
    """

    at: float
    size: float
    output: float = 0.0
    audience: Audience | None = None
    deadline: float | None = None  # epoch seconds
    handler: str = TRACE
    group: str = ""  # jobs of one name were handed in together: they are one thing that somebody waits for
    busy: float | None = None
    lead: float | None = None
    paid: dict[Lane, float] | None = None
    mode: Mode | None = None


Rest = tuple[float | None, float | None, dict[Lane, float] | None, Mode | None]


class Arrivals(Sequence[Arrival]):
    """Arrivals as columns, in the order in which they were put in."""

    def __init__(self, arrivals: Iterable[Arrival] = ()) -> None:
        self._at, self._size, self._output, self._deadline = (array("d") for _ in range(4))
        self._audience: list[Audience | None] = []
        self._handler: list[str] = []
        self._group: list[str] = []
        self._words: dict[str, str] = {}  # each once
        self._rest: dict[int, Rest] = {}  # of the few that know more
        for each in arrivals:
            self.append(each)

    def append(self, each: Arrival) -> None:
        """Put one more in at the end."""
        rest = each.busy, each.lead, each.paid, each.mode
        if rest != (None, None, None, None):
            self._rest[len(self._at)] = rest
        self._at.append(each.at)
        self._size.append(each.size)
        self._output.append(each.output)
        self._deadline.append(math.nan if each.deadline is None else each.deadline)
        self._audience.append(each.audience)
        self._handler.append(self._words.setdefault(each.handler, each.handler))
        self._group.append(self._words.setdefault(each.group, each.group))

    def ordered(self) -> "Arrivals":
        """The same in the order of time."""
        at = self._at
        if all(at[i] <= at[i + 1] for i in range(len(at) - 1)):
            return self
        return Arrivals(self[i] for i in sorted(range(len(at)), key=at.__getitem__))

    def __len__(self) -> int:
        return len(self._at)

    @overload
    def __getitem__(self, index: int) -> Arrival: ...
    @overload
    def __getitem__(self, index: slice) -> "Arrivals": ...
    def __getitem__(self, index: int | slice) -> "Arrival | Arrivals":
        if isinstance(index, slice):
            return Arrivals(self._one(i) for i in range(*index.indices(len(self))))
        return self._one(range(len(self))[index])

    def __iter__(self) -> Iterator[Arrival]:
        return map(self._one, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it grows

    def _one(self, i: int) -> Arrival:
        deadline = self._deadline[i]
        busy, lead, paid, mode = self._rest.get(i, (None, None, None, None))
        return Arrival(
            at=self._at[i],
            size=self._size[i],
            output=self._output[i],
            audience=self._audience[i],
            deadline=None if math.isnan(deadline) else deadline,
            handler=self._handler[i],
            group=self._group[i],
            busy=busy,
            lead=lead,
            paid=paid,
            mode=mode,
        )
