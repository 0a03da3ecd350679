"""The colours of the views, by what they tell: one place, so that a state looks the same wherever it is seen."""

from rich.style import Style

PLAIN = Style.null()
QUIET = Style.parse("dim")
STRONG = Style.parse("bold")
ALARM = Style.parse("bold yellow")
BRIGHT = Style.parse("cyan")
LATE = Style.parse("bold red")
FAILED = Style.parse("red")
CHOSEN = Style.parse("reverse")
DONE = "green"  # of a bar or a curve that grows
STREAMED = "blue"
LOOK = {
    "streaming": ("»", Style.parse("bold cyan")),
    "running": ("●", Style.parse("green")),
    "held": ("‖", Style.parse("magenta")),
    "waiting": ("◌", PLAIN),
    "queued": ("○", PLAIN),
    "done": ("✓", QUIET),
    "failed": ("✗", LATE),
    "cancelled": ("-", QUIET),
}
"""Of each state its sign, and how it is drawn."""
