"""What hybridq adds to a provider: 200 streams at once, and a batch of 50,000 lines.

`python -m tests.bench.providers` prints the figures. The scripted provider runs in a process of its own.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from hybridq.job import Mode
from hybridq.outlook import Outlook
from tests.crash.runner import RUNNER
from tests.support.building import asking, daemon, queue, submit_all

STREAMS = 200
LINES = 50_000
ROUNDS = 3  # the SDK alone and hybridq by turns; of each quantile the median counts
SPREADS = ((1.0, 4.0), (0.0, 2.0))  # seconds until the first token of a stream, and how much longer it may take
SERVER = """
import sys
from tests.support.provider import Provider
with Provider() as provider:
    provider.pieces, provider.gap = 2, 0.3
    provider.first, provider.spread = map(float, sys.argv[1:])
    print(provider.url, flush=True)
    sys.stdin.read()
"""
CONFIG = """
[policy]
background_delay_cost = 1e6
[handlers.gpt]
kind = "openai"
model = "m"
base_url = "{url}"
instances = {streams}
poll = 0.1
price_input = 1
price_output = 10
"""


@contextmanager
def provider(first: float = 0.0, spread: float = 0.0) -> Iterator[str]:
    """The scripted provider in its own process; its URL. First tokens take `first` seconds, and up to `spread` more."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(first), str(spread)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99) - 1]


async def by_sdk(url: str) -> list[float]:
    """Milliseconds between a first token's being sent and its arrival, for as many streams with the SDK alone."""
    import openai

    took = []

    async def ask(client: openai.AsyncOpenAI, number: int) -> None:
        chunks = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"when {number}"}], stream=True
        )
        first = True
        async for chunk in chunks:
            if first and chunk.choices and chunk.choices[0].delta.content:
                first = False
                took.append((time.time() - float(chunk.choices[0].delta.content.split()[0])) * 1000)

    async with openai.AsyncOpenAI(api_key="none", base_url=url) as client:
        await ask(client, 0)
        took.clear()
        await asyncio.gather(*(ask(client, number) for number in range(STREAMS)))
    return took


def by_hybridq(url: str) -> list[float]:
    """The same through a queue and its daemon: until the token is where followers read it."""
    with tempfile.TemporaryDirectory() as folder:
        outlook = queue(Path(folder), CONFIG.format(url=url, streams=STREAMS))
        with outlook.store as store, daemon(outlook):
            for numbers in (range(1), range(STREAMS)):
                before = ended(outlook)
                submit_all(outlook, asking("gpt", Mode.STREAM), [b'"when %d"' % number for number in numbers])
                while ended(outlook) < before + len(numbers):
                    time.sleep(0.5)  # often enough; looking takes time from what is measured
            rows = store.rows("SELECT first, value FROM result WHERE id > 1")
        return [(first - float(value.strip(b'"').split()[0])) * 1000 for first, value in rows]


def ended(outlook: Outlook) -> int:
    """Jobs that have ended."""
    row = outlook.store.row("SELECT sum(done + failed) FROM cohort")
    return int(row[0] or 0) if row else 0


def batch(url: str, lines: int) -> tuple[float, float, float]:
    """(seconds of CPU, seconds in all, MB at most) of a drain that has so many lines run as a batch."""
    with tempfile.TemporaryDirectory() as folder:
        outlook = queue(Path(folder), CONFIG.format(url=url, streams=8))
        text = b"x" * 1000
        submit_all(outlook, asking("gpt", Mode.BATCH), (b'"%d %s"' % (number, text) for number in range(lines)))
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, "drain"],
            env={**os.environ, "HYBRIDQ_HOME": str(outlook.store.home.folder)},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        assert ended(outlook) == lines
        outlook.store.close()
        return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    for first, spread in SPREADS:
        with provider(first, spread) as url:
            rounds = [(quantiles(asyncio.run(by_sdk(url))), quantiles(by_hybridq(url))) for _ in range(ROUNDS)]
        alone, through = (
            (median(each[way][0] for each in rounds), median(each[way][1] for each in rounds)) for way in (0, 1)
        )
        print(f"{STREAMS} streams at once, first tokens in {first:g} to {first + spread:g} s: from sent to seen (ms)")
        print(f"  SDK alone  p50 {alone[0]:6.1f}  p99 {alone[1]:6.1f}")
        print(f"  hybridq    p50 {through[0]:6.1f}  p99 {through[1]:6.1f}")
        print(f"  added      p50 {through[0] - alone[0]:6.1f}  p99 {through[1] - alone[1]:6.1f}   (<= 5 and <= 30)")
    with provider() as url:
        (base, _, least), (cpu, wall, most) = batch(url, 1), batch(url, LINES)
        print(f"a batch of {LINES:,} lines of 1 KB, made, sent, fetched and stored:")
        print(f"  {cpu - base:.1f} s of our time beside {base:.1f} s of starting, {wall:.1f} s in all   (<= 10 s)")
        print(f"  {most:.0f} MB at most, {least:.0f} MB for one line   (<= 300 MB)")


if __name__ == "__main__":
    main()
