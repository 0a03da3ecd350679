"""A flush that is too long for its cheap hours: what fits runs now, the rest waits for the next cheap hours.

Only work whose latest start allows it waits, and only where what it saves is more than another start and the
longer wait cost.
"""

from typing import NamedTuple

from .work import Work


class Part(NamedTuple):
    """Some jobs of some classes, to be run at one instant: a flush before it has its sentence."""

    rule: str
    at: float
    members: list[int]
    jobs: int


def split(work: Work, part: Part) -> list[Part]:
    """The part as it is, or what fits before the price rises and, at a cheaper price, the rest.

    Classes run by their latest start; `work.slots` of their jobs at once.
    """
    rise = work.prices.rise_within(work.begin(part.at), work.length(part.members))
    cheap = None if rise is None else work.prices.cheaper_after(rise)
    if rise is None or cheap is None:
        return [part]
    order = sorted(part.members, key=lambda i: work.latest[i])
    room = (rise - work.begin(part.at) - work.startup) * work.slots
    first, rest, jobs = _cut(work, order, room, cheap)
    if jobs == 0 or not rest:
        return [part]
    left = part.jobs - jobs
    share = dict.fromkeys(rest, 1.0)
    if first[-1] == rest[0]:
        inside = jobs - sum(work.held[i].jobs for i in first[:-1])
        share[rest[0]] = 1 - inside / work.held[rest[0]].jobs
    dear, less = work.prices.tariff(rise), work.prices.tariff(cheap)
    gain = sum(work.cost[i] * portion * (dear - less) for i, portion in share.items())
    wait = sum(work.delay[i] * portion * (cheap - rise) for i, portion in share.items())
    if gain <= work.fixed + wait:
        return [part]
    return [part._replace(members=first, jobs=jobs), Part("plan", cheap, rest, left)]


def _cut(work: Work, order: list[int], room: float, cheap: float) -> tuple[list[int], list[int], int]:
    """The classes that run first, those that wait until `cheap` (one may be in both), and the jobs that run."""
    first: list[int] = []
    jobs = 0
    for place, i in enumerate(order):
        count, need = work.held[i].jobs, work.seconds[i]
        if need > room and work.latest[i] >= cheap:
            fits = int(count * max(0.0, room) / need)
            return ([*first, i] if fits else first), order[place:], jobs + fits
        first, jobs, room = [*first, i], jobs + count, room - need
    return first, [], jobs
