"""What is kept of a handler's jobs: learned online from each that ends, in bounded memory.

A sliding window of jobs (see `curve` for what is made of it). A window whose newest part no longer fits the older is
cut there, so a new regime is believed within some 30 jobs. Of commands the last times of each are kept as well.
"""

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from .calls import NONE, Overhead
from .commands import Times, kept
from .costs import Paid, priced
from .curve import TINY, regime
from .trials import Trial

WINDOW = 128  # jobs that the quantiles come from
STARTS = 24  # starts that the start-up time comes from
CHECK_EVERY = 4  # jobs between two looks for a new regime
SAMPLE = 32  # of one chunk's jobs are learned: more would push every other flush out of the window
WIDEN = 0.05  # by how much, as a logarithm, promises are made later after one that was late
# As so many promises those of one flush are judged, however many they are. At 32 rush hours are covered better by a
# hundredth or two, but one late flush makes the next spread four times as wide, and not twice.
TOGETHER = 16
WIDEST = 2.0  # as a logarithm; promises are never made later or sooner than this


class Observation(Struct, frozen=True, kw_only=True, gc=False):
    """What one job took. `jobs` > 1: the mean of as many jobs. `together`: how many shared its call."""

    size: float  # bytes of input
    busy: float  # seconds that it kept an instance busy, without start-up
    startup: float | None = None  # seconds; None or 0: the instance was warm
    cost: float | None = None  # money at factor 1; None: the handler counts none
    jobs: int = 1
    together: int = 1
    kind: str = ""  # what a command is known by (see `commands`)


class Model(Struct, frozen=True):
    """All that is learned of one handler in one lane; plain data of less than 16 KB as JSON."""

    sizes: tuple[float, ...] = ()  # of calls of warm instances: natural logarithms of size + 1, oldest first
    times: tuple[float, ...] = ()  # natural logarithms of seconds, beside `sizes`
    starts: tuple[float, ...] = ()  # seconds until a new instance took its first call
    # Beside `starts`: the first call's size and time, as logarithms, and how many calls, answered together, that means.
    firsts: tuple[tuple[float, float, int], ...] = ()
    paid: Paid = Paid()
    seen: int = 0
    wide: float = 0.0  # by how much the 90th percentile is promised later than foreseen, as a logarithm
    overhead: Overhead = NONE  # of the calls of batches
    together: tuple[int, ...] = ()  # how many jobs shared a call, beside the newest of `times`
    commands: Times = {}  # the last runs of each
    trials: tuple[Trial, ...] = ()  # the last calls of one job, each beside a shared one


def learn_many(model: Model, observations: Sequence[Observation]) -> Model:
    """What is known after a chunk of jobs; of a large one, evenly spread jobs are learned.

    An observation that is no number changes nothing.
    """
    sane = [o for o in observations if _sane(o)]
    if not sane:
        return model
    sampled = sane[:: math.ceil(len(sane) / SAMPLE)]
    warm, cold = [_point(o) for o in sampled if not o.startup], [o for o in sane if o.startup]
    sizes = (*model.sizes, *(size for size, _ in warm))[-WINDOW:]
    times = (*model.times, *(time for _, time in warm))[-WINDOW:]
    together = (*model.together, *(o.together for o in sampled if not o.startup))[-WINDOW:]
    seen, firsts = model.seen + len(warm), model.firsts
    if seen // CHECK_EVERY > model.seen // CHECK_EVERY:
        keep = regime(sizes, times)
        if keep < len(times):
            sizes, times, together, firsts = sizes[-keep:], times[-keep:], together[-keep:], firsts[-1:]
    starts = (*model.starts, *(round(o.startup or 0.0, 4) for o in cold))[-STARTS:]
    firsts = (*firsts, *((*_point(o), o.jobs) for o in cold))[-STARTS:]
    paid, commands = model.paid, model.commands
    for o in sampled:
        paid = priced(paid, o.size, o.cost)
        commands = kept(commands, o.kind, _point(o)) if o.kind else commands
    return replace(
        model,
        sizes=sizes,
        times=times,
        starts=starts,
        firsts=firsts,
        paid=paid,
        seen=seen,
        together=together,
        commands=commands,
    )


def judged(model: Model, late: Sequence[bool]) -> Model:
    """What is known after promises came due together: which of them were done after their 90th percentile.

    Each time the next promises are made later or sooner, so that in the long run a tenth is late,
    whatever happens between promise and end (adaptive conformal inference, Gibbs and Candes 2021).
    """
    if not late:
        return model
    step = WIDEN * min(TOGETHER, len(late)) * (sum(late) / len(late) - 0.1)
    return replace(model, wide=max(-WIDEST, min(WIDEST, model.wide + step)))


def _point(o: Observation) -> tuple[float, float]:
    return round(math.log1p(o.size), 3), round(math.log(max(o.busy, TINY)), 3)


def _sane(o: Observation) -> bool:
    return math.isfinite(o.size) and math.isfinite(o.busy) and o.size >= 0 and o.busy >= 0
