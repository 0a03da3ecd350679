"""The jobs that were asked for by words, or for being slow: each is looked at, the newest first.

Rule: what a row says of itself is what is searched: its group, its handler and its input as `status` shows that.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from ..brain.commands import kind_of
from ..brain.usual import NOTICED, is_slow, usual
from ..job import Lane, Mode, State
from ..outlook import Outlook
from ..queue.search import LOOKED, Candidate, Span, candidates, newest_first
from ..selection import Criteria
from .rows import subject


class Found(Struct, frozen=True):
    """The jobs that were found, the newest first; `more`: there may be others. `searched_from`: the first job that was
    looked at; None: all were."""

    jobs: tuple[int, ...]
    more: bool = False
    searched_from: int | None = None


class Search:
    """Looks at jobs in these states and modes at one instant."""

    def __init__(
        self, outlook: Outlook, states: Sequence[State], modes: Sequence[Mode], criteria: Criteria, now: float
    ) -> None:
        self._outlook = outlook
        self._states, self._modes = states, modes
        self._criteria, self._now = criteria, now

    def find(self, spans: Iterable[Span], limit: int, *, every: bool, besides: Collection[str] = ()) -> Found:
        """At most `limit` jobs of these spans, and of no group `besides`; unless `every` one is to be looked at, among
        the newest LOOKED."""
        found: dict[int, None] = {}
        left = LOOKED
        for span in newest_first(self._outlook.store, spans):
            first, last, cohort = span
            low = first if every else max(first, last - left + 1)
            for page in self._pages((low, last, cohort)):
                found |= {each.id: None for each in page if each.name not in besides and self._meets(each)}
                if len(found) > limit:
                    return Found(tuple(found)[:limit], more=True)
            left -= max(0, last - low + 1)
            if low > first or (left <= 0 and not every):
                return Found(tuple(found), searched_from=low)
        return Found(tuple(found))

    def _pages(self, span: Span) -> "Iterable[list[Candidate]]":
        return candidates(
            self._outlook.store, span, self._states, self._modes, self._criteria, self._now, least=NOTICED
        )

    def _meets(self, job: Candidate) -> bool:
        return self._has_words(job) and (not self._criteria.slow or self._is_slow(job))

    def _has_words(self, job: Candidate) -> bool:
        words = self._criteria.words
        if not words:
            return True
        told = f"{job.name or ''} {job.handler} {subject(job.text)}".casefold()
        return all(word in told for word in words)

    def _is_slow(self, job: Candidate) -> bool:
        handler = self._outlook.config.handlers.get(job.handler)
        if handler is None or job.seconds is None:
            return False
        commands = handler.traits.commands
        if job.state is State.RUNNING and job.lane is Lane.BATCH and not commands:
            return False  # it shares its call with others: for how long it is at work itself nobody knows yet
        estimate = self._outlook.estimate(job.handler)
        start = (estimate.startup() or 0.0) if job.state is State.RUNNING else 0.0
        kind = kind_of(job.text, job.cwd) if commands else ""
        return is_slow(job.seconds - start, usual(estimate, job.lane, job.size, kind))
