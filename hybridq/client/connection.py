"""One connection a thread and process: SQLite's are neither shared between threads nor carried over a fork."""

import os
import threading
from pathlib import Path

from ..outlook import Outlook
from ..submit import connect

_INHERITED: list[Outlook] = []  # a fork's copies: closing one would end what the parent still uses


class Connections:
    """The connections of one queue, opened where first used. Can be pickled: it opens its own elsewhere."""

    def __init__(self, home: Path | None) -> None:
        self._home = home
        self._local = threading.local()

    def __reduce__(self) -> tuple[type["Connections"], tuple[Path | None]]:
        return Connections, (self._home,)

    def get(self) -> Outlook:
        """This thread's own. Raises as `Store.open` and `load_config` do."""
        opened: tuple[int, Outlook | None] = getattr(self._local, "opened", (0, None))
        pid, found = opened
        if found is not None and pid == os.getpid():
            return found
        if found is not None:
            _INHERITED.append(found)
        made = connect(dict(os.environ), home=self._home)
        self._local.opened = os.getpid(), made
        return made

    def close(self) -> None:
        """Close this thread's own; it is opened again when used."""
        pid, found = getattr(self._local, "opened", (0, None))
        if found is not None and pid == os.getpid():
            found.store.close()
            del self._local.opened
