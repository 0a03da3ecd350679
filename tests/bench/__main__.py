"""`python -m tests.bench [NAME…]`: every figure beside its baseline, of the same run. Quiet machine, please."""

import sys

from tests.bench import bounds, headline, latency, pipes, throughput

BENCHES = {
    "batch": throughput.batch_lane,
    "submit": throughput.bulk_submit,
    "many": throughput.many_submissions,
    "shell": throughput.shell_jobs,
    "stream": latency.stream,
    "commands": latency.commands,
    "idle": latency.idle,
    "bounds": bounds.bounds,
    "pipes": pipes.pipes,
    "headline": headline.headline,
}

if __name__ == "__main__":
    print(f"{'what':44} {'ours':>18} {'baseline':>24} {'ratio':>8}  wanted")
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
