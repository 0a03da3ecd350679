"""The last line of the live view: what is asked or told, else the keys that do something now.

Rule: whole keys while they fit; how to get help and how to leave are always among them.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from hybridq.status.snapshot import Row, Snapshot
from hybridq.visible import visible_line

from . import asking
from .board import KINDS, MOST, Board
from .cells import MARGIN, Part
from .page import Page
from .palette import PLAIN, QUIET, STRONG

Key = tuple[str, str]  # what to press, and what it does

GAP = "  "
LAST: tuple[Key, ...] = (("?", "keys"), ("q", "quit"))


def foot(board: Board, width: int) -> list[Part]:
    """The last line: what is typed, asked or told, else the keys that do something now."""
    if board.typing is not None:
        return _typed_line("filter", board.typing, width)
    if board.asked is not None:
        return _said_line(f"{asking.question(*board.asked)} y/n", width)
    if told := board.told:
        return _said_line(told, width)
    if board.page is not None:
        return _keys_line(board.page.place, _page_keys(board.page), (("esc", "back"), *LAST), width)
    return _keys_line("" if board.snapshot is None else _left_out(board, board.snapshot), _keys(board), LAST, width)


def _left_out(board: Board, snapshot: Snapshot) -> str:
    """What no row shows, or what the filter lets pass; of an empty queue, what to do."""
    if board.filter.text:
        among = f" among the first {MOST:,}" if snapshot.hidden and board.filter.looks_at_text else ""
        return f"/{board.filter.text}: {len(board.rows):,} rows{among}"
    if not board.rows and snapshot.searched_from is None:
        return "nothing of that is here" if snapshot.head.counts else "nothing here yet: hybridq submit -- CMD"
    if snapshot.searched_from is not None:
        return f"jobs before {snapshot.searched_from} are not searched"
    if snapshot.more:
        return "and more"
    more = snapshot.hidden + len(board.rows) - min(len(board.rows), board.fits)
    return f"and {more:,} more" if more else ""


def _keys(board: Board) -> list[Key]:
    opened: list[Key] = [("enter", "open")] if board.row is not None else [("arrows", "choose")]
    output: list[Key] = [("o", "output")] if board.row is not None else []
    order, bell = "failed first" if board.every else "by time", "silent" if board.bell else "bell"
    view = [("/", "filter"), ("a", order), ("b", bell)]
    return [*opened, *_changes(board.row), *output, *view]


def _page_keys(page: Page) -> list[Key]:
    others = [(kind[0], kind) for kind in KINDS if kind != page.kind] if page.row is not None else []
    return [*others, *_changes(page.row)]


def _changes(row: Row | None) -> list[Key]:
    """The keys that would change this row."""
    return [(key, verb) for key, verb in asking.VERBS.items() if asking.applies(verb, row)]


def _keys_line(told: str, keys: Sequence[Key], last: Sequence[Key], width: int) -> list[Part]:
    """What is told, as many of the keys as there is room for, and the `last` ones, for which room is made first."""
    last, room = _fitting(last, width - MARGIN)
    shown = visible_line(told, max(0, room - len(GAP))) if told else ""
    fitting, _ = _fitting(keys, room - cell_len(shown) - len(GAP) * bool(shown))
    parts: list[Part] = [(" " * MARGIN, PLAIN)]
    if shown:
        parts += [(shown, PLAIN), (GAP, PLAIN)]
    return [*parts, *_drawn([*fitting, *last])]


def _said_line(text: str, width: int) -> list[Part]:
    """Something that is told or asked in place of the keys."""
    return [(" " * MARGIN, PLAIN), (visible_line(text, max(0, width - MARGIN)), STRONG)]


def _typed_line(name: str, text: str, width: int) -> list[Part]:
    """What is being typed; of a long text the end."""
    room = max(0, width - MARGIN - len(name) - 3)
    return [(" " * MARGIN, PLAIN), (f"{name}: ", QUIET), (visible_line(text[-room:], room), PLAIN), ("_", STRONG)]


def _fitting(keys: Sequence[Key], room: int) -> tuple[Sequence[Key], int]:
    """The first keys for which there is room, and how much is left then."""
    for number, (key, does) in enumerate(keys):
        needed = cell_len(key) + 1 + cell_len(does) + len(GAP) * bool(number)
        if needed > room:
            return keys[:number], room
        room -= needed
    return keys, room - len(GAP) * bool(keys)


def _drawn(keys: Sequence[Key]) -> Iterable[Part]:
    for number, (key, does) in enumerate(keys):
        yield (GAP if number else "") + key, STRONG
        yield f" {does}", QUIET
