"""The queue view as an SVG picture, by rich's own export: what the README shows, from a real snapshot.

Rule: the picture holds everything it needs; nothing in it is loaded from anywhere.
"""

import io
import re

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from hybridq.views.snapshot import Snapshot

from .queue import QueueView

TITLE = "hybridq status --watch"
NIGHT = TerminalTheme(
    (20, 22, 27),
    (212, 215, 221),
    [
        (40, 44, 52),
        (239, 107, 115),
        (134, 194, 134),
        (229, 192, 123),
        (97, 160, 225),
        (187, 154, 247),
        (86, 198, 214),
        (212, 215, 221),
    ],
)
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_FONT = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace'


def svg(snapshot: Snapshot, width: int, height: int) -> str:
    """The view at the snapshot's own instant, as it looks in a terminal of `width` x `height` cells."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    console.print(QueueView(snapshot, snapshot.head.now, fitted=True), height=height)
    picture = console.export_svg(title=TITLE, theme=NIGHT, unique_id="hybridq")
    return _WEB_FONT.sub("", picture).replace("Fira Code, monospace", _FONT)
