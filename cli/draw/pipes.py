"""A pipe in words: how fast it is, how late its results are, what became of its items."""

from hybridq.status.snapshot import PipeRow
from hybridq.visible import visible_line
from hybridq.when import clock, count

SHOWN = 40  # cells of a name


def pipe_words(pipe: PipeRow, now: float) -> list[str]:
    """The pieces of its line, the most telling first."""
    parts = [visible_line(pipe.handler, SHOWN)]
    if not pipe.lives:
        parts.append("died; what it left becomes jobs: hybridq drain")
    if pipe.rate_in is not None and pipe.rate_out is not None:
        parts += [f"{rate(pipe.rate_in)} in", f"{rate(pipe.rate_out)} out"]
    if pipe.lag50 is not None and pipe.lag99 is not None:
        parts.append(f"lag p50 {lag(pipe.lag50)}, p99 {lag(pipe.lag99)}")
    parts.append(f"{count(pipe.taken)} taken")
    parts += [f"{count(pipe.shed)} shed to {visible_line(pipe.group, SHOWN)}"] if pipe.shed else []
    parts += [f"{count(pipe.failed)} failed"] if pipe.failed else []
    parts += [f"{count(pipe.late)} late"] if pipe.late else []
    return [*parts, f"since {clock(pipe.since, now)}"]


def rate(items: float) -> str:
    """Items a second."""
    return f"{count(round(items))}/s" if items >= 10 else f"{items:.1f}/s"


def lag(seconds: float) -> str:
    """A lag with two digits."""
    if seconds >= 1:
        return f"{seconds:.1f}s"
    millis = seconds * 1000
    return f"{millis:.0f}ms" if millis >= 10 else f"{millis:.1f}ms"
