"""The bars of `submit` and `drain`: seen on a terminal alone, and never in the way of the work."""

import io

from rich.console import Console

from hybridq_cli.draw.bar import counting, draining

from ..support.snapshots import NOW, console


def test_a_bar_is_silent_without_a_terminal() -> None:
    """In cron nothing of a bar is written."""
    target = console(force_terminal=False)
    with counting("submit", 10, target) as more, draining("drain", 10, target) as tell:
        more(10)
        tell(5)
    assert target.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_bar_shows_the_eta_in_the_same_words() -> None:
    """`drain` says how many of all, how many failed, and when it will be done."""
    target = console(color_system=None)
    with draining("drain", 10_000, target) as tell:
        tell(4100, 3, NOW + 1e9, NOW + 1e9 + 60)
    written = target.file.getvalue()  # type: ignore[attr-defined]
    assert "4,100 of 10,000 · 3 failed · done " in written
    assert "±1m, in " in written


class Gone(io.StringIO):
    """A terminal that has gone: every writing fails as it does after a hang-up."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_work_goes_on_when_the_terminal_has_gone() -> None:
    """The bar ends; what it counts for does not."""
    target = Console(file=Gone(), force_terminal=True, _environ={})
    done = []
    with counting("submit", 3, target) as more:
        for number in range(3):
            more(1)
            done.append(number)
    assert done == [0, 1, 2]
