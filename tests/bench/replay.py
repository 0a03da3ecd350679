"""What `simulate --history` tells of a real run, beside what that really cost and how long it kept whom waiting.

Real workers in both lanes for a minute (`tests/support/replays.py`). The last line holds what the report says streaming
everything would have cost against what the simulation says of the same jobs.

Run: python -m tests.bench.replay [--seconds N]. Ends with 1 where a cost is off by more than 5 % or a mean wait by more
than 25 %. Quiet machine, please.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hybridq.job import Audience
from tests.support.replays import all_streamed, live, recorded, replayed

COST, WAIT = 0.05, 0.25


def line(what: str, really: float, told: float, most: float) -> bool:
    """Print one figure; says whether it is near enough."""
    off = told / really - 1
    print(f"{what:44} {really:12.4g} {told:12.4g} {off:+8.1%}  within {most:.0%}")
    return abs(off) <= most


def main() -> None:
    """One run, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    print(f"{'what':44} {'really':>12} {'told':>12} {'off':>8}")
    with TemporaryDirectory() as folder:
        outlook = live(Path(folder), seconds)
        with outlook.store:
            really, told, streamed = recorded(outlook), replayed(outlook), all_streamed(outlook)
    good = [line("cost", really.cost, told.cost, COST)]
    for who in Audience:
        good.append(line(f"mean wait, {who}", really.waits[who][0], told.waits[who][0], WAIT))
        line(f"median wait, {who}", really.waits[who][1], told.waits[who][1], WAIT)
        line(f"99th percentile of waits, {who}", really.waits[who][2], told.waits[who][2], WAIT)
    good.append(line("all streamed: simulated; by the report", streamed, really.streamed, COST))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
