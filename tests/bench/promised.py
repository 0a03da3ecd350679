"""How good promises are in real runs: by kind of worker, lane and what else runs on the same instances.

A real daemon and real workers that sleep; all kinds of `tests.bench.kinds` run side by side for some minutes: people's
jobs one by one, and groups that asked for a batch, both at random. The first third only teaches. `covered` is the share
that was done by the promised 90th percentile, `width` the median of what lies between the promised end and that,
`error` the median distance of the promised end from the real one, `bias` the median of the same with its sign (below
0: promised too soon), all relative to the time from the submission to the real end. `best` is the error of somebody who
knows when each job begins and what such jobs usually take, but not who comes between: a bound that no forecast reaches.
`none` is how many were promised nothing, as too little was known.

Run: python -m tests.bench.promised [--seconds N] [--seed N] [--only KIND…] [--trickle] [--delay COST] [--dump FILE]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from hybridq.job import LANES, Forecast, Lane, Mode
from hybridq.outlook import Outlook
from hybridq.queue.ledger import read
from hybridq.report import report as score
from hybridq.submit import submit, submit_many
from tests.bench.kinds import KINDS, SKETCH, WORKER, Coming, coming
from tests.support import building
from tests.support.provider import Provider

POLICY = "[policy]\nbackground_delay_cost = {}\nload_weight = 0\n"  # some wait a few seconds for company
TOLD = 0.02  # seconds by which nothing is late
HEAD = "kind     lane    beside      told none  covered   width   error    bias    best"


class Submitted(Struct, frozen=True):
    """One submission: what was promised, and what became of it. Times are epoch seconds."""

    of: Coming
    lane: Lane
    made: float
    promise: Forecast
    ids: tuple[int, int]
    begun: float = 0.0  # when an instance began on the first of it, after a start
    finished: float = 0.0

    @property
    def real(self) -> float:
        """Seconds from the submission to the end."""
        return max(0.05, self.finished - self.made)

    @property
    def usual(self) -> float:
        """Seconds that such jobs usually take one after another."""
        return sum(job.usual for job in self.of.jobs)


def drive(outlook: Outlook, every: Iterable[Coming]) -> list[Submitted]:
    """Submit each at its time."""
    begin, found = time.time(), []
    for each in every:
        time.sleep(max(0.0, begin + each.at - time.time()))
        asked, kind, made = each.request(), KINDS[each.name], time.time()
        if each.batch:
            accepted = submit_many(outlook, ((asked, kind.input(job), None) for job in each.jobs))
            assert accepted is not None
        else:
            accepted = submit(outlook, asked, kind.input(each.jobs[0]))
        decision = accepted.decision
        lane = Lane.STREAM if decision.mode is Mode.STREAM else Lane.BATCH
        found.append(Submitted(each, lane, made, decision.promised, (accepted.first, accepted.last)))
    return found


def ended(outlook: Outlook, every: Iterable[Submitted]) -> list[Submitted]:
    """The same with when they really began and ended. A job is claimed while the instance has another, or starts."""
    sql = (
        "SELECT min(max(started, finished - busy)), max(finished), sum(state <> 'done') FROM job"
        " LEFT JOIN result USING (id) WHERE id BETWEEN ? AND ?"
    )
    found = []
    for each in every:
        begun, finished, others = outlook.store.rows(sql, each.ids)[0]
        if not others:
            found.append(msgspec.structs.replace(each, begun=begun, finished=finished))
    return found


def beside(each: Submitted, every: Iterable[Submitted]) -> str:
    """What else of the same handler waited or ran when this was submitted."""
    others = [o for o in every if o.of.name == each.of.name and o.made < each.made < o.finished]
    lanes = {o.lane for o in others}
    return "both" if len(lanes) == 2 else "nothing" if not lanes else "a batch" if Lane.BATCH in lanes else "streams"


def least(every: Sequence[Submitted]) -> dict[tuple[int, int], float]:
    """The error of somebody who knows when each begins: by the line that fits best how long such take (Theil 1950)."""
    alike: dict[tuple[str, Lane], list[Submitted]] = {}
    for each in every:
        alike.setdefault((each.of.name, each.lane), []).append(each)
    found = {}
    for some in alike.values():
        points = [(each.usual, each.finished - each.begun) for each in some]
        slopes = [(d - b) / (c - a) for a, b in points for c, d in points if c > a * 1.2]
        slope = median(slopes) if slopes else 0.0
        height = median(lasted - slope * usual for usual, lasted in points)
        for each in some:
            found[each.ids] = abs(each.begun + height + slope * each.usual - each.finished) / each.real
    return found


def line(head: str, some: Sequence[Submitted], best: dict[tuple[int, int], float]) -> str:
    """The figures of some promises."""
    told = [(each, each.promise.finish, each.promise.finish90 or 0.0) for each in some if each.promise.finish]
    none = len(some) - len(told)
    if not told:
        return f"{head}{0:5} {none:4}"
    off = [(finish - each.finished) / each.real for each, finish, _ in told]
    covered = sum(each.finished <= finish90 + TOLD for each, _, finish90 in told) / len(told)
    width = median((finish90 - finish) / each.real for each, finish, finish90 in told)
    error, bias = median(map(abs, off)), median(off)
    last = median(best[each.ids] for each, *_ in told)
    return f"{head}{len(told):5} {none:4} {covered:8.1%} {width:7.1%} {error:7.1%} {bias:7.1%} {last:7.1%}"


def table(every: Sequence[Submitted], since: float) -> None:
    """What was promised after `since`, and what came: by all three, by each of them, and in all."""
    best, judged = least(every), [(each, beside(each, every)) for each in every if each.made > since]
    keys = [(each.of.name, str(each.lane), by) for each, by in judged]
    wanted = [
        *sorted(set(keys)),
        *((name, "", "") for name in KINDS),
        *(("", str(lane), "") for lane in LANES),
        *(("", "", by) for by in sorted({by for _, by in judged})),
        ("", "", ""),
    ]
    print(HEAD)
    for key in wanted:
        some = [
            each
            for (each, _), have in zip(judged, keys, strict=True)
            if all(want in ("", part) for want, part in zip(key, have, strict=True))
        ]
        if some:
            name, lane, by = (each or "all" for each in key)
            print(line(f"{name:8} {lane:7} {by:10}", some, best))


def later(outlook: Outlook, since: float) -> None:
    """The score of the report: what was promised after `since` at submission, and as it was shown later."""
    found = read(outlook.store, since, time.time())
    kept = score.kept(found.promises, found.promised)
    print(f"{'as the report tells':23}  told  kept    late   early   width   error    bias")
    for name, of in (
        ("at submission", kept),
        ("of those, groups", kept.groups),
        ("at the flush", kept.flush),
        ("half-way", kept.half),
    ):
        if of.ended:
            figures = (of.covered, of.late, of.early, of.width, of.error, of.bias)
            print(f"{name:23} {of.ended:5}" + "".join(f" {each or 0.0:7.1%}" for each in figures))


def config(folder: Path, url: str, names: Iterable[str], delay: float) -> str:
    """A configuration with all kinds, their workers in `folder` and a provider at `url`."""
    worker = folder / "worker.py"
    worker.write_text(WORKER)
    kinds = {**{name: KINDS[name] for name in names}, "sketch": SKETCH}
    return POLICY.format(delay) + "".join(kind.table(name, worker, url) for name, kind in kinds.items())


def main() -> None:
    """One run, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--trickle", action="store_true", help="nobody waits for the jobs that come one by one")
    parser.add_argument("--delay", type=float, default=0.1, help="what an hour of background delay costs")
    parser.add_argument("--dump", help="a file that gets each promise as a line of JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        provider.script.after, provider.first, provider.spread, provider.pieces = 3.0, 0.4, 0.2, 2
        outlook = building.queue(Path(folder), config(Path(folder), provider.url, asked.only, asked.delay))
        with closing(outlook.store), building.daemon(outlook):
            began = time.time()
            every = coming(asked.seconds, asked.seed, tuple(asked.only))
            if asked.trickle:
                every = [msgspec.structs.replace(each, nobody=True) for each in every if not each.batch]
            found = drive(outlook, every)
            building.until(lambda: not outlook.store.rows("SELECT 1 FROM cohort WHERE queued + running > 0"), 120)
            found = ended(outlook, found)
            later(outlook, began + asked.seconds / 3)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, seed {asked.seed}, {asked.seconds:g} s")
    table(found, began + asked.seconds / 3)
    if asked.dump:
        Path(asked.dump).write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in found))


if __name__ == "__main__":
    main()
