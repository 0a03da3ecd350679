"""Pipes: the lag that they add, and items a second, beside a bare Python loop that feeds the same worker."""

import os
import subprocess
import sys
import threading
import time
from typing import IO

from hybridq.outlook import Outlook
from tests.bench.measure import HYBRIDQ, environment, queue, row

CHUNK = 1024
WORKER = """
import json, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    calls = calls if isinstance(calls, list) else [calls]
    told = []
    for call in calls:
        until = time.perf_counter() + 20e-6
        while time.perf_counter() < until:
            pass
        told.append('{"id": %d, "output": "%s"}\\n' % (call["id"], call["input"]))
    sys.stdout.write("".join(told))
    sys.stdout.flush()
"""
BARE = """
import json, os, subprocess, sys
worker = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
begun, rest, chunk = 0, b"", int(sys.argv[2])
while data := os.read(0, 262144):
    *lines, rest = (rest + data).split(b"\\n")
    for at in range(0, len(lines), chunk):
        part = [line.decode() for line in lines[at : at + chunk]]
        calls = [{"id": begun + place, "attempt": 1, "input": text} for place, text in enumerate(part)]
        worker.stdin.write(json.dumps(calls).encode() + b"\\n")
        worker.stdin.flush()
        found = {}
        for _ in part:
            reply = json.loads(worker.stdout.readline())
            found[reply["id"]] = reply["output"]
        sys.stdout.write("".join(f"{found[call['id']]}\\n" for call in calls))
        sys.stdout.flush()
        begun += len(part)
"""


def pipes() -> None:
    """All of it."""
    with queue() as outlook:
        folder = outlook.store.home.folder
        worker, bare = folder / "twenty.py", folder / "bare.py"
        worker.write_text(WORKER)
        bare.write_text(BARE)
        with (folder / "config.toml").open("a") as config:
            config.write(f'[handlers.twenty]\ncommand = ["{sys.executable}", "{worker}"]\n')
        loop = [sys.executable, str(bare), str(worker), str(CHUNK)]
        ours = [*HYBRIDQ, "pipe", "twenty", "-q"]
        _throughput(outlook, loop, ours)
        _lags(outlook, loop, ours)


def _throughput(outlook: Outlook, loop: list[str], ours: list[str], items: int = 100_000) -> None:
    lines = "".join(f"{number}\n" for number in range(items)).encode()
    base = items / _took(outlook, loop, lines)
    for name, more, wanted in (("", [], ">= 0.70"), (" --volatile", ["--volatile"], ">= 0.85")):
        found = items / _took(outlook, [*ours, *more], lines)
        row(f"pipe{name}, 20 us an item", f"{found:,.0f}/s", f"bare loop {base:,.0f}/s", found / base, wanted)


def _took(outlook: Outlook, argv: list[str], lines: bytes) -> float:
    """Seconds from the first result to the last, so that no start counts."""
    with _started(outlook, argv) as process:
        first = _warm(process)
        threading.Thread(target=_feed, args=(process.stdin, lines), daemon=True).start()
        out, began = process.stdout, time.perf_counter()
        assert out is not None
        left = lines.count(b"\n")
        while left:
            left -= os.read(out.fileno(), 1 << 20).count(b"\n")
        took = time.perf_counter() - began
        assert first == b"warm\n"
    return took


def _lags(outlook: Outlook, loop: list[str], ours: list[str]) -> None:
    base = _lag(outlook, loop)
    for name, more in (("", []), (" --volatile", ["--volatile"])):
        found = _lag(outlook, [*ours, *more])
        for place, wanted in ((0.5, "<= 1 ms more"), (0.99, "<= 5 ms more")):
            mine, theirs = (each[int(len(each) * place)] * 1000 for each in (found, base))
            what = f"pipe{name}, lag at 1,000/s, p{place * 100:.0f}"
            row(what, f"{mine:.2f} ms", f"bare loop {theirs:.2f} ms", mine / theirs, wanted)


def _lag(outlook: Outlook, argv: list[str], items: int = 5000, rate: float = 1000.0) -> list[float]:
    """Seconds from the writing of each line to its result, sorted."""
    came: list[float] = []
    went: list[float] = []
    with _started(outlook, argv) as process:
        _warm(process)
        assert process.stdout is not None
        reading = threading.Thread(target=_note, args=(process.stdout, went, items))
        reading.start()
        assert process.stdin is not None
        began = time.perf_counter()
        for number in range(items):
            while (left := began + number / rate - time.perf_counter()) > 0:
                time.sleep(left)
            came.append(time.perf_counter())
            process.stdin.write(b"%d\n" % number)
        reading.join()
    return sorted(after - before for before, after in zip(came, went, strict=True))


def _note(out: IO[bytes], went: list[float], items: int) -> None:
    while len(went) < items:
        lines = os.read(out.fileno(), 65536).count(b"\n")
        went += [time.perf_counter()] * lines


def _feed(to: IO[bytes], lines: bytes) -> None:
    to.write(lines)
    to.flush()


def _started(outlook: Outlook, argv: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(argv, env=environment(outlook), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def _warm(process: "subprocess.Popen[bytes]") -> bytes:
    """Until the worker has answered once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"warm\n")
    return process.stdout.readline()
