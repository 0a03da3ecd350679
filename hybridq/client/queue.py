"""The queue as a program has it: submissions, and groups of them."""

import os
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import msgspec

from ..asking import options as asking
from ..asking.options import Options
from ..asking.waits import waits_for
from ..audience import Found, find_audience
from ..brain.policy import check_mode
from ..errors import BadData, UsageError
from ..job import Audience, Request, Waits
from ..outlook import Outlook
from ..queue.cancel_retry import cancel
from ..queue.doorbell import VIEWER, Doorbell
from ..queue.progress import Awaited
from ..queue.submissions import runs
from ..selection import Ids
from ..submit import submit, submit_many, wake
from .connection import Connections
from .hearing import Watch
from .job import Job


class Asked(TypedDict, total=False):
    """The options of `hybridq submit`, by the same names: times as there ("2h", "06:00") or as seconds."""

    mode: Literal["stream", "batch", "adaptive"]
    audience: Literal["user", "background"]
    deadline: str | float
    priority: int
    group: str
    retries: int
    backoff: str | float
    retry_on: str
    timeout: str | float
    cwd: str
    env: Iterable[str]
    env_file: str
    clean_env: bool
    max_cost: float
    needs: dict[str, int | str]
    notify: bool
    at: str | float
    delay: str | float
    after: "int | str | Job | Iterable[int | str | Job]"
    after_ended: "int | str | Job | Iterable[int | str | Job]"


class Queue:
    """The queue of this environment, or of the folder `home`. Any thread may use it, and a forked or spawned child."""

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self._connections = Connections(None if home is None else Path(home).absolute())

    def submit(self, handler: str, data: Any, *, key: str | None = None, **asked: Unpack[Asked]) -> Job:
        """Submit one job; it is durable when this returns. `data`, its input, is anything that JSON can
        say; for a command, a list of words, or text for a shell. The same `key` gives the same job. Without `audience`
        nobody waits for it.

        Raises HybridqError where it cannot be taken."""
        outlook = self._connections.get()
        options = _options(asked, key)
        request, behind = _asked(outlook, handler, options, many=False)
        data = _encoded(data, outlook.handler(handler).traits.commands)
        return self.job(submit(outlook, request, data, key=key, behind=behind).first)

    def submit_many(self, handler: str, inputs: Iterable[Any], **asked: Unpack[Asked]) -> "Group":
        """Submit a job for each input as one group, all or nothing, in memory that does not grow with their number.

        Raises HybridqError where one cannot be taken, or there is none."""
        outlook = self._connections.get()
        request, behind = _asked(outlook, handler, _options(asked, None), many=True)
        commands = outlook.handler(handler).traits.commands
        jobs = ((request, _encoded(each, commands), None) for each in inputs)
        accepted = submit_many(outlook, jobs, behind=behind)
        if accepted is None:
            raise UsageError("there are no inputs, so nothing was submitted")
        first, last = accepted.first, accepted.last
        apart = accepted.jobs != last - first + 1  # others submitted meanwhile
        ids = runs(outlook.store, first, last) if apart else ((first, last),)
        return Group(self._connections, ids, accepted.group)

    def job(self, number: int) -> Job:
        """The job of that id, which a program may have kept."""
        return Job(self._connections, number)

    def close(self) -> None:
        """Close this thread's connection; it is opened again when used."""
        self._connections.close()


class Group:
    """The jobs of one `submit_many`, in the order of their inputs. `name` selects them on the command line."""

    def __init__(self, connections: Connections, runs: tuple[tuple[int, int], ...], name: str | None) -> None:
        self._connections, self._runs, self.name = connections, runs, name

    def __repr__(self) -> str:
        return f"<Group {self.name} of {len(self):,}>"

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._runs)

    def __iter__(self) -> Iterator[Job]:
        return (Job(self._connections, number) for number in self._ids())

    def wait(self, *, timeout: float | None = None) -> dict[str, int]:
        """Wait until all have ended; how many are in each state. Raises TimeoutError, NoRunner, HybridqError."""
        store, jobs = self._connections.get().store, self._jobs()
        with Doorbell(store.home, VIEWER) as bell:
            rests = Watch(store, "this group", timeout).sleeps(bell)
            while not jobs.ended():
                next(rests)
        return {state: jobs.count(state) for state in ("done", "failed", "cancelled")}

    def cancel(self) -> int:
        """Cancel what has not ended; how many that were."""
        store = self._connections.get().store
        changed = cancel(store, list(self._ids()), time.time())
        wake(store)
        return changed

    def _ids(self) -> Iterator[int]:
        return chain.from_iterable(range(first, last + 1) for first, last in self._runs)

    def _jobs(self) -> Awaited:
        return Awaited(self._connections.get().store, [Ids(self._runs)], final=True)


def _options(asked: Asked, key: str | None) -> Options:
    """Raises UsageError for what is none of them."""
    said: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    for name in ("after", "after_ended"):
        if name in said:
            said[name] = _named(said[name])
    if "env" in said:
        said["env"] = tuple(said["env"])
    try:
        options = msgspec.convert({**said, "key": key}, Options)
    except msgspec.ValidationError as problem:
        raise UsageError(str(problem)) from None
    asking.check(options)
    return options


def _named(value: Any) -> tuple[int | str, ...]:
    many = (value,) if isinstance(value, int | str | Job) else tuple(value)
    return tuple(each.id if isinstance(each, Job) else each for each in many)


def _asked(outlook: Outlook, handler: str, options: Options, *, many: bool) -> tuple[Request, Waits | None]:
    config = outlook.handler(handler)
    around = asking.surroundings_of(config, options, os.environ)
    request = asking.request(handler, config, options, _who(many), time.time(), around, outlook.config.resources)
    check_mode(request, outlook.modes(handler))
    return request, waits_for(outlook.store, options)


def _who(many: bool) -> Found:
    """Nobody, where HYBRIDQ_AUDIENCE does not say another: whether a visitor waits, only the program knows."""
    if os.environ.get("HYBRIDQ_AUDIENCE"):
        return find_audience(environ=os.environ, waits="", many=many, stdin_tty=False)
    return Found(Audience.BACKGROUND, "a program")


def _encoded(value: Any, commands: bool) -> bytes:
    if commands and isinstance(value, str):
        value = {"shell": value}
    elif commands and isinstance(value, list | tuple):
        value = asking.command_input([os.fspath(word) for word in value])
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError) as problem:
        raise BadData(f"the input cannot be written as JSON: {problem}") from None
