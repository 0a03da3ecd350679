"""What the answers of a provider's batch mean for its jobs, in whatever order, twice, late or never they come.

Rule: an answer is worth more than an error, whichever comes first; each job gets one end. What the provider
never began goes back to the queue; that is no failure of its own, but how often is counted.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ...brain.llm_prices import Tokens
from ...job import Event, Failure, Output, Partial
from .provider import Answer, Look, Trouble, parse_custom_id

SEE = "it may be charged. Check there, then: hybridq retry"
FULL = 300.0  # seconds until a batch is sent again that the provider had no room for
SMALLER = "sent again in smaller batches"


class Reading:
    """Which of a batch's jobs have their answers, in whatever order, twice or never."""

    def __init__(self, key: str, ids: Sequence[tuple[int, int]]) -> None:
        self.odd = 0
        self.lost = False  # the provider turned out to know the batch no longer
        self._key = key
        self.ids = tuple(ids)
        self._order = list(ids)
        self._left = dict.fromkeys(ids)
        self._failed: dict[tuple[int, int], Answer] = {}  # an answer may still come for these
        self._paid: dict[tuple[int, int], float | None] = {}  # what they cost all the same

    def take(self, answer: Answer | None, ending: Callable[[int, int, str, Tokens | None], Output]) -> Output | None:
        """The Output of an answer; errors wait for the end, since an answer is worth more."""
        where = None if answer is None else parse_custom_id(answer.custom)
        if answer is None or where is None or where[0] != self._key or where[1:] not in self._left:
            self.odd += 1
            return None
        if answer.text is None:
            self._failed[where[1:]] = answer
            if answer.tokens is not None:
                self._paid[where[1:]] = ending(*where[1:], "", answer.tokens).cost
            return None
        del self._left[where[1:]]
        end = ending(*where[1:], answer.text, answer.tokens)
        return replace(end, cut=answer.cut) if answer.cut else end

    @property
    def done(self) -> bool:
        """Whether each job has its answer."""
        return not self._left

    def rest(self, look: Look | None, *, ended: bool = False) -> list[Event]:
        """How the jobs without an answer end, after what came of it all the same. `ended`: the provider has said that
        it ended the batch, which is never sent again as a whole."""
        # Each that is refused for good is one less: the others may go again as often as that takes.
        fewer = look is not None and any(place in look.refused for place in range(len(self._order)))
        again = back if fewer else unbegun
        said: list[Event] = [Partial(*where, each.said.encode()) for where, each in self._failed.items() if each.said]
        left = [(place, *where) for place, where in enumerate(self._order) if where in self._left]
        return said + [self._end(*each, look, again, ended) for each in left]

    def _end(
        self, place: int, job: int, attempt: int, look: Look | None, again: Callable[..., Failure], ended: bool
    ) -> Failure:
        answer = self._failed.get((job, attempt))
        if answer is not None and not answer.unbegun:
            paid = self._paid.get((job, attempt))
            return Failure(job, attempt, answer.error, retryable=answer.passing, cost=paid)
        if look is None and ended:
            return final(job, attempt, f"the provider ended its batch and no longer knows it; {SEE}")
        if look is None:
            return Failure(job, attempt, "the provider no longer knows its batch")
        if look.problem and look.large and len(self._order) > 1:
            return back(job, attempt, f"{SMALLER} ({look.problem})")
        if look.problem and not look.refused:
            return back(job, attempt, look.problem, FULL) if look.busy else final(job, attempt, look.problem)
        if look.problem and place in look.refused:
            return final(job, attempt, look.refused[place])
        if answer is None and look.whole:
            if len(self._left) == len(self._order) and not self._failed:
                return final(job, attempt, f"the provider ended its batch without any answer; {SEE}")
            return Failure(job, attempt, "the provider sent no answer for it")
        return again(job, attempt, answer.error if answer else "the batch ended before this job began")


def unbegun(job: int, attempt: int, why: str, after: float | None = None) -> Failure:
    """Back to the queue; how often is counted."""
    return Failure(job, attempt, why, retryable=False, gave_back=True, unbegun=True, retry_after=after)


def back(job: int, attempt: int, why: str, after: float | None = None) -> Failure:
    """Back to the queue, uncounted, however often."""
    return Failure(job, attempt, why, gave_back=True, retry_after=after)


def final(job: int, attempt: int, why: str) -> Failure:
    """It failed, and another try would not help."""
    return Failure(job, attempt, why, retryable=False)


def refused(jobs: Sequence[tuple[int, int]], trouble: Trouble) -> list[Failure]:
    """The ends of a batch that was refused as a whole. Where one request was at fault, the others are sent again."""
    if trouble.passing or trouble.poor:
        end = back if trouble.full else unbegun
        return [end(*each, trouble.reason, trouble.retry_after or FULL) for each in jobs]
    if trouble.large and len(jobs) > 1:
        return [back(*each, f"{SMALLER} ({trouble.reason})") for each in jobs]
    if trouble.at is None:
        return [final(*each, trouble.reason) for each in jobs]
    return [
        final(*each, trouble.reason) if place == trouble.at else back(*each, "sent again without a refused job")
        for place, each in enumerate(jobs)
    ]
