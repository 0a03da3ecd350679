"""Idempotency keys (`submit --key`): the same key again is the same job, even if its first submitter died.

Rule: a key stands for a job that was accepted, or that a living process is submitting; whoever died before that has
left nothing, and is known to be dead by the kernel at once.
"""

import msgspec

from ..errors import BadData, TryAgain
from ..job import Request
from .runner import alive
from .store import Store


def known(store: Store, key: str, digest: bytes, writer: int | None = None) -> int | None:
    """The job that this key stands for already, or that `writer` has given it in this very submission.

    Raises BadData when it asked for something else, TryAgain while another process submits it.
    """
    found = store.row(
        "SELECT key.job, key.digest, cohort.accepted, cohort.writer FROM key JOIN job ON job.id = key.job"
        " JOIN cohort ON cohort.id = job.cohort WHERE key.name = ?",
        (key,),
    )
    if found is None:
        return None
    job, before, accepted, by = found
    mine = accepted is None and by == writer
    if accepted is None and not mine and not alive(store, by, "submit"):
        return None  # its writer died, so that it was never accepted; or it is being cleaned away
    if before != digest and mine:
        raise BadData(f"the key {key!r} is given twice, for different inputs")
    if accepted is None and not mine:
        raise TryAgain(f"the key {key!r} is being submitted by another process; try again when it has finished")
    if before != digest:
        raise BadData(f"the key {key!r} already belongs to job {job}, which is different: hybridq show {job}")
    return int(job)


def keep(store: Store, key: str, job: int, digest: bytes) -> None:
    """This key stands for this job from now on."""
    store.connection.execute("INSERT OR REPLACE INTO key VALUES (?, ?, ?)", (key, job, digest))


def digest_of(request: Request, data: bytes) -> bytes:
    """What a key is compared by."""
    import hashlib  # OpenSSL takes 4 ms to load, which a job without a key need not pay

    what = msgspec.json.encode([request.handler, request.cwd])  # the same from any terminal: no environment
    return hashlib.sha256(what + b"\0" + data).digest()
