"""What waited-for jobs put out, as files for those that waited: `{after}` in an input.

Rule: made once for a gate, whole or not at all, of what the queue keeps; taken away with the jobs that waited
(`queue/cleaning`). What put out nothing has an empty file, what was cleaned away has none.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

from ..home import open_private
from ..queue.gates import Gate, attempts, gate_of
from ..queue.outputs import after_path, output_path
from ..queue.results import result, text_of
from ..queue.store import Store

MARK = b"{after}"


def filled(store: Store, job: int, data: bytes) -> bytes:
    """A job's input with the path of what it waited for in place of `{after}`; as it is where it waited for nothing."""
    gate = gate_of(store, job)
    if gate is None or not gate.jobs:
        return data
    path = json.dumps(os.fsdecode(results_of(store, gate)))[1:-1]
    return data.replace(MARK, path.encode())


def results_of(store: Store, gate: Gate) -> Path:
    """The folder with a file for each job that was waited for; of a single one its file."""
    folder = after_path(store.home, gate.id)
    if not folder.exists():
        _make(store, gate, folder)
    first, last = gate.ranges[0]
    return folder / f"{first}.out" if gate.jobs == 1 and first == last else folder


def _make(store: Store, gate: Gate, folder: Path) -> None:
    for above in (folder.parent, made := folder.with_name(f"{folder.name}.{os.getpid()}")):
        with contextlib.suppress(FileExistsError):
            above.mkdir(mode=0o700)
    for job, attempt in attempts(store, gate):
        _put(store, job, attempt, made / f"{job}.out")
    try:
        made.rename(folder)
    except OSError:  # another runner was faster
        shutil.rmtree(made)


def _put(store: Store, job: int, attempt: int, place: Path) -> None:
    """The output of one job, by another name of the same file where it is one."""
    place.unlink(missing_ok=True)
    found = result(store, job)
    if found is None or found.value is None:
        with contextlib.suppress(FileNotFoundError):
            os.link(output_path(store.home, job, attempt), place)
            return
    with os.fdopen(open_private(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(text_of(found.value) if found is not None and found.value is not None else b"")
