"""Which rows somebody wants to see: words that a row must hold, and states of which it must be in one.

Rule: what is typed is what the table says, so `held` and `streaming` are states, too.
"""

from msgspec import Struct

from hybridq.job import Lane, State
from hybridq.status.snapshot import Row

from . import words

_STATES = {
    "held": State.QUEUED,
    "waiting": State.QUEUED,
    "streaming": State.RUNNING,
    **{state.value: state for state in State},
}
_LANES = {"held": Lane.BATCH, "waiting": Lane.NONE, "streaming": Lane.STREAM}


class Filter(Struct, frozen=True):
    """What was typed; nothing typed lets every row pass."""

    text: str = ""

    @property
    def states(self) -> tuple[State, ...]:
        """The states that are named, of which a row has to hold jobs."""
        return tuple(dict.fromkeys(_STATES[word] for word in self._words if word in _STATES))

    @property
    def looks_at_text(self) -> bool:
        """Whether each row has to be looked at: no index finds a word."""
        return any(word not in _STATES or word in _LANES for word in self._words)

    def passes(self, row: Row) -> bool:
        """Whether the row holds every word, and jobs in one of the states."""
        named = [word for word in self._words if word in _STATES]
        if named and not any(_in_state(row, word) for word in named):
            return False
        held = f"{words.id_range(row)} {words.what(row)} {row.handler} {words.mode(row)} {row.why}".casefold()
        return all(word in held for word in self._words if word not in _STATES)

    @property
    def _words(self) -> list[str]:
        return self.text.casefold().split()


def _in_state(row: Row, word: str) -> bool:
    return bool(row.counts.get(_STATES[word])) and _LANES.get(word, row.lane) is row.lane
