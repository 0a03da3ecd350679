"""What a submission waits for: selectors and ids, as the jobs that they name now.

Rule: only jobs that are there can be named, so that nothing ever waits for itself. Jobs that come to a group later are
not waited for.
"""

from ..errors import UsageError
from ..job import Range, Waits
from ..queue.dependencies import ranges
from ..queue.select import chosen
from ..queue.store import Store
from ..selection import Group, parse_selector
from ..visible import visible_line
from .options import Named, Options

NAME_LIMIT = 200  # characters of what jobs that are waited for are called


def waits_for(store: Store, options: Options) -> Waits | None:
    """What the command line names by selectors; None: nothing. Raises NoSuchJob and UsageError."""
    after, ended = _words(options.after), _words(options.after_ended)
    if not after and not ended:
        return None
    words = [*after, *ended]
    groups = all(isinstance(parse_selector(word), Group) for word in words)
    return Waits(
        done=_named(store, after),
        ended=_named(store, ended),
        name=visible_line(", ".join(dict.fromkeys(words)), NAME_LIMIT) if groups else "",
    )


def line_waits(line: Options | None) -> Waits | None:
    """What a JSON line names by ids and keys; None: nothing. Raises UsageError."""
    if line is None or (line.after is None and line.after_ended is None):
        return None
    if type(line.after) is int and line.after > 0 and line.after_ended is None:  # nearly always, of many
        return Waits(done=((line.after, line.after),))
    after, ended = _parts(line.after), _parts(line.after_ended)
    if not all(isinstance(each, int) for each in ended):
        raise UsageError("after_ended takes ids of jobs")
    if any(isinstance(each, int) and each < 1 for each in (*after, *ended)):
        raise UsageError("the ids of jobs begin with 1")
    return Waits(
        done=tuple(ranges(each for each in after if isinstance(each, int))),
        ended=tuple(ranges(each for each in ended if isinstance(each, int))),
        keys=tuple(each for each in after if isinstance(each, str)),
    )


def _parts(value: Named | None) -> tuple[int | str, ...]:
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _words(value: Named | None) -> list[str]:
    return [str(word) for word in _parts(value)]


def _named(store: Store, words: list[str]) -> tuple[Range, ...]:
    return tuple(ranges(chosen(store, [parse_selector(word) for word in words])))
