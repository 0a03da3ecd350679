"""The line of `config.toml` on which a key or a table stands.

Found by reading table headers and keys as text, after the file has been read as TOML; where that is not certain, the
file alone is named.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")


_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+(?:\s*\.\s*[A-Za-z0-9_\"'-]+)*)\s*=")


def place(path: Path, text: str, key: str) -> str:
    """`FILE:LINE` of a key or table, `FILE` alone where the line is not certain."""
    lines = [line for line, found in _lines(text) if found in (key, f"{key}[0]")]
    return f"{path}:{lines[0]}" if len(lines) == 1 else str(path)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each table header and key with its line number, by reading lines one by one."""
    table = ""
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _plain(header[2])
            if header[1] == "[[":
                seen[table] += 1
                table = f"{table}[{seen[table] - 1}]"
            yield number, table
        elif key := _KEY.match(line):
            yield number, f"{table}.{_plain(key[1])}" if table else _plain(key[1])


def _plain(key: str) -> str:
    return re.sub(r"\s*\.\s*", ".", key.replace('"', "").replace("'", ""))
