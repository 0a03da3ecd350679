"""Jobs as `export` gives them: what the queue holds of one, with its output, as one record.

Rule: nothing is lost on the way. JSON stays JSON, digit by digit; an output that is no UTF-8 is base64, and one that
is long is named by its file; what is not there any more is counted.
"""

import json
import os

import msgspec
from msgspec import Raw

from hybridq.job import ENDED
from hybridq.outlook import Outlook
from hybridq.queue.export import ExportedJob
from hybridq.queue.outputs import Tail, missing, output_path
from hybridq.status.rows import exit_code

from .documents import JobRecord
from .shapes import text_or_base64

LONG = 1024 * 1024  # bytes of an output in a file; a longer one is named
STDERR = 2000  # characters of standard error that are given
_raw = msgspec.json.Decoder(Raw).decode


class Records:
    """Makes records of what the queue holds."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook

    def of(self, job: ExportedJob) -> JobRecord:
        """The record of a job. Its input, and an output that is JSON, are `Raw`."""
        usage = {} if job.usage is None else msgspec.json.decode(job.usage)
        drafted = job.value is None and job.state not in ENDED and job.draft_attempt is not None
        value, attempt = (job.draft_value, job.draft_attempt) if drafted else (job.value, job.result_attempt)
        output, encoded, file = self._printed(job, attempt) if value is None else (as_json(value), None, None)
        return JobRecord(
            id=job.id,
            group=job.group,
            key=job.key,
            handler=job.handler,
            state=job.state,
            mode=job.mode,
            attempt=job.attempt,
            input=as_json(job.input),
            output=output,
            base64=encoded,
            output_file=file,
            stderr=self._said(job),
            draft=drafted,
            error=job.error,
            exit_code=exit_code(self._outlook.config, job.handler, job.state, job.exit_code),
            dropped=job.dropped,
            missing=self._missing(job),
            cut=usage.pop("cut", None),
            submitted=job.submitted,
            started=job.started,
            first=job.first,
            finished=job.finished,
            deadline=job.deadline,
            cost=job.cost,
            streamed=job.streamed,
            usage=usage or None,
        )

    def _printed(self, job: ExportedJob, attempt: int | None) -> tuple[str | None, str | None, str | None]:
        """What an attempt has printed so far: text, or base64, or where it is long its file."""
        number = job.attempt if attempt is None else attempt
        if not number:
            return None, None, None
        path = output_path(self._outlook.store.home, job.id, number)
        if path.exists() and path.stat().st_size > LONG:
            return None, None, os.fsencode(path).decode("utf-8", "backslashreplace")
        tail = Tail(self._outlook.store.home, job.id, number, 1)
        try:
            return *text_or_base64(b"".join(tail.more()), over=job.state in ENDED), None
        finally:
            tail.close()

    def _said(self, job: ExportedJob) -> str | None:
        """The end of what it has said on standard error, which mostly is why it failed."""
        if not job.err or job.result_attempt is None:
            return None
        try:
            with output_path(self._outlook.store.home, job.id, job.result_attempt, 2).open("rb") as file:
                file.seek(max(0, job.err - 4 * STDERR))  # a character has four bytes at most
                return file.read(4 * STDERR).decode("utf-8", "backslashreplace")[-STDERR:]
        except FileNotFoundError:
            return None

    def _missing(self, job: ExportedJob) -> int:
        if job.value is not None or job.result_attempt is None:
            return 0
        return missing(self._outlook.store.home, job.id, job.result_attempt, 1, job.out)


def as_json(data: bytes) -> Raw:
    """JSON as it is kept, in one line; of what is none the text. Half of a surrogate pair stands for a file's name that
    is no UTF-8: it stays its escape, which Python and many others read."""
    try:
        _raw(data)
        data.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Raw(json.dumps(_loaded(data)).encode())
    return Raw(data.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in data or b"\r" in data else data)


def _loaded(data: bytes) -> object:
    try:
        return json.loads(data, parse_constant=str)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace")
