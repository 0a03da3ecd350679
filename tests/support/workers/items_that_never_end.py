"""A worker for pipes: answers each item in the way that its argument says, after so many seconds an item."""

import json
import re
import sys
import time

ACCESS = re.compile(r'(\S+) \S+ \S+ \[[^]]*\] "\S+ (\S+) [^"]*" (\d{3}) ')
refusals = {}  # by address: how many requests in a row were refused


def detect(line):
    """What is odd about a line of an access log; None: nothing."""
    found = ACCESS.match(line)
    if found is None:
        return "unreadable"
    address, path, status = found.groups()
    refusals[address] = refusals.get(address, 0) + 1 if status == "401" else 0
    if refusals[address] == 5:
        return f"guessing: {address}"
    if "../" in path:
        return f"climbing: {path}"
    return f"failing: {path}" if status >= "500" else None


def upper(text):
    return text.upper()


answer = {"detect": detect, "upper": upper}.get(sys.argv[1], str)
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
for line in sys.stdin:
    message = json.loads(line)
    calls = message if isinstance(message, list) else [message]
    if sys.argv[1] == "backwards":
        calls = calls[::-1]
    for call in calls:
        until = time.perf_counter() + seconds
        if seconds > 0.001:
            time.sleep(seconds)
        while time.perf_counter() < until:
            pass
        if call["input"] == "hang":
            time.sleep(600)
        key = "error" if call["input"] == "bad" else "output"
        reply = json.dumps({"id": call["id"], key: answer(call["input"])})
        print(*[reply] * (2 if sys.argv[1] == "backwards" else 1), sep="\n")
    sys.stdout.flush()
