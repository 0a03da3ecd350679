"""A live view in a process of its own: `watched.py FOLDER`.

The snapshot is FOLDER/snapshot, the bell a real one.
With `broken` as its content the reading fails, as a damaged queue would.
"""

import sys
from pathlib import Path

import msgspec
from rich.text import Text

from hybridq.errors import CorruptQueue
from hybridq.home import Home
from hybridq.queue.doorbell import VIEWER, Doorbell
from hybridq.status.snapshot import Row, Snapshot
from hybridq_cli.draw import live
from hybridq_cli.draw.filter import Filter


class FileDesk:
    """What stands in the file; nothing can be changed there."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "snapshot"

    def take(self, rows: int, filter_: Filter, all_: bool) -> Snapshot:
        """So many of its rows."""
        text = self._file.read_bytes()
        if text == b"broken":
            raise CorruptQueue("the queue is damaged")
        read = msgspec.json.decode(text, type=Snapshot)
        left = len(read.rows) - rows
        return msgspec.structs.replace(read, rows=read.rows[:rows], hidden=read.hidden + max(0, left))

    def page(self, kind: str, row: Row | None) -> Text:
        """Lines that say what was opened."""
        return Text("\n".join(f"{kind} of {row and row.what}, line {number}" for number in range(1, 101)))

    def act(self, verb: str, row: Row) -> str:
        """Nothing."""
        return f"{verb}: this is a file"


def main(folder: Path) -> int:
    home = Home(folder, folder / "config.toml")
    home.prepare()

    with Doorbell(home, VIEWER) as bell:
        return live.watch(FileDesk(folder), bell)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
