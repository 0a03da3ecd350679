"""The last line of the live view: what is asked or told, else the keys that do something now.

Rule: whole keys while they fit; how to get help and how to leave are always among them.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from hybridq.visible import visible_line

from .cells import MARGIN, PLAIN, QUIET, STRONG, Part

Key = tuple[str, str]  # what to press, and what it does

GAP = "  "


def keys_line(told: str, keys: Sequence[Key], last: Sequence[Key], width: int) -> list[Part]:
    """What is told, as many of the keys as there is room for, and the `last` ones, for which room is made first."""
    last, room = _fitting(last, width - MARGIN)
    shown = visible_line(told, max(0, room - len(GAP))) if told else ""
    fitting, _ = _fitting(keys, room - cell_len(shown) - len(GAP) * bool(shown))
    parts: list[Part] = [(" " * MARGIN, PLAIN)]
    if shown:
        parts += [(shown, PLAIN), (GAP, PLAIN)]
    return [*parts, *_drawn([*fitting, *last])]


def said_line(text: str, width: int) -> list[Part]:
    """Something that is told or asked in place of the keys."""
    return [(" " * MARGIN, PLAIN), (visible_line(text, max(0, width - MARGIN)), STRONG)]


def typed_line(name: str, text: str, width: int) -> list[Part]:
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
