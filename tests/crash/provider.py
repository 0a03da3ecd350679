"""Kill -9 of a runner at every step of a provider's batch: what every round must leave.

`python -m tests.crash.provider 100` runs as many rounds for each kind and prints its figures; the suite runs fewer.
"""

import argparse
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from hybridq.job import Mode
from tests.crash.runner import Doomed
from tests.support.building import asking, submit_all, until
from tests.support.llm import CONFIG, KINDS, base
from tests.support.provider import KEY, Provider

POINTS = (
    "claimed",
    "detached",
    "uploaded",
    "detached:2",
    "created",
    "detached:3",
    "polled",
    "polled:3",
    "detached:4",
    "reading",
    "reading:2",
    "replied",
    "storing",
    "storing:2",
    "stored",
    "ending",
    "ended",
    "ended:2",
)


class ProviderCrash(Doomed):
    """One queue and one provider that outlives the runners."""

    def __init__(self, folder: Path, kind: str, provider: Provider, seed: int = 7) -> None:
        config = CONFIG.format(kind=kind, url=base(provider, kind), more="")
        super().__init__(folder, config, seed, TEST_KEY=KEY)
        self.provider = provider
        self.died: Counter[str] = Counter()

    def submit(self, jobs: int) -> None:
        """So many background jobs for a batch."""
        numbers = range(self.jobs, self.jobs + jobs)
        submit_all(self.outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in numbers])
        self.jobs += jobs

    def round(self, point: str, jobs: int) -> None:
        """Start a runner on fresh work that dies at this point; one that never comes there is killed at the end."""
        self.submit(jobs)
        with self.runner("daemon", HYBRIDQ_TEST_DIE_AT=point) as process:
            while process.poll() is None and self.left():
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            self.died[point if process.wait(10) == -signal.SIGKILL and self.left() else "at the end"] += 1

    def finish(self) -> None:
        """Let a drain run in peace to the end; what a kill left behind a last result is a daemon's to tidy up."""
        self.drain()
        if self.outlook.store.rows("SELECT 1 FROM detached"):
            with self.runner("daemon") as process:
                until(lambda: not self.outlook.store.rows("SELECT 1 FROM detached"))
                process.terminate()

    def verdict(self) -> dict[str, int]:
        """Check that each job has its one right result, and was paid for once; returns the figures."""
        self.check("answer to")
        twice = {text: times for text, times in self.provider.charged.items() if times != 1}
        assert not twice, twice
        assert len(self.provider.charged) == self.jobs
        sent = sum(len(batch.requests) for batch in self.provider.batches)
        assert self.outlook.store.rows("SELECT * FROM detached") == []
        return {
            "jobs": self.jobs,
            "kills": sum(self.died.values()),
            "batches": len(self.provider.batches),
            "requests sent twice": sent - self.jobs,
        }


def main(rounds: int, seed: int = 7) -> None:
    """Run the rounds and print what came of them."""
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, Provider() as provider:
            crash = ProviderCrash(Path(folder), kind, provider, seed)
            began = time.monotonic()
            for number in range(rounds):
                provider.script.break_create = crash.random.random() < 0.1
                provider.script.after = crash.random.choice([0.0, 0.1])
                crash.round(POINTS[number % len(POINTS)], crash.random.choice([3, 40, 700]))
            crash.finish()
            print(kind, f"{time.monotonic() - began:.0f} s", crash.verdict(), dict(crash.died), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    main(asked.rounds, seed=asked.seed)
