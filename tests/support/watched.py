"""A live view in a process of its own: `watched.py FOLDER`.

The snapshot is FOLDER/snapshot, the bell a real one.
With `broken` as its content the reading fails, as a damaged queue would.
"""

import sys
from pathlib import Path

import msgspec

from hybridq.errors import CorruptQueue
from hybridq.home import Home
from hybridq.queue.doorbell import VIEWER, Doorbell
from hybridq.status.snapshot import Snapshot
from hybridq_cli.draw import live


def main(folder: Path) -> int:
    home = Home(folder, folder / "config.toml")
    home.prepare()

    def take(rows: int) -> Snapshot:
        text = (folder / "snapshot").read_bytes()
        if text == b"broken":
            raise CorruptQueue("the queue is damaged")
        read = msgspec.json.decode(text, type=Snapshot)
        left = len(read.rows) - rows
        return msgspec.structs.replace(read, rows=read.rows[:rows], hidden=read.hidden + max(0, left))

    live.STALE = 3600.0  # so that nothing but the bell brings news
    with Doorbell(home, VIEWER) as bell:
        return live.watch(take, bell)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
