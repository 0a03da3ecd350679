"""Lines of an access log in the common format, with known anomalies among them."""

import random
from typing import NamedTuple


class Log(NamedTuple):
    """The lines, and by the number of a line what is odd about it."""

    lines: list[str]
    odd: dict[int, str]


def log(count: int, seed: int = 1) -> Log:
    """So many lines, of which about one in fifty is odd; some addresses guess passwords."""
    chance, lines, odd = random.Random(seed), [], {}
    refused: dict[str, int] = {}
    for number in range(count):
        address, path, status = f"10.0.0.{chance.randrange(20)}", f"/page/{chance.randrange(100)}", 200
        kind = chance.randrange(200)
        if kind == 0:
            path = "/../etc/passwd"
            odd[number] = f"climbing: {path}"
        elif kind == 1:
            status = 503
            odd[number] = f"failing: {path}"
        elif kind < 60:
            status = 401
        refused[address] = refused.get(address, 0) + 1 if status == 401 else 0
        if refused[address] == 5:
            odd[number] = f"guessing: {address}"
        if kind == 2:
            lines.append("-- MARK --")
            odd[number] = "unreadable"
            refused[address] = max(0, refused[address] - 1)
            continue
        lines.append(f'{address} - - [01/Dec/2026:04:00:00 +0000] "GET {path} HTTP/1.1" {status} 512')
    return Log(lines, odd)
