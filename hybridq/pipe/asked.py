"""What a pipe is asked to do, and what it tells: plain data."""

import os

from msgspec import Struct

from ..errors import AlreadyRunning, HybridqError, UsageError
from ..job import Audience, Mode, Request
from ..outlook import Outlook
from ..queue.pipes import Figures, Source, keyed
from ..queue.runner import alive
from ..queue.store import Store
from .item import Form
from .shedding import Shed

SIGNAL = "pipe"  # who says that nobody waits for what is shed


class Asked(Struct, frozen=True, kw_only=True):
    """What a pipe is asked to do. `within` seconds; `ack`: the descriptor on which is told what is durable; `out`: the
    one of the results; `safe`: a terminal reads them."""

    handler: str
    files: tuple[str, ...] = ()
    form: Form = Form.LINES
    follow: bool = False
    within: float | None = None
    shed: Shed = Shed.OLDEST
    volatile: bool = False
    ordered: bool = True
    key: str | None = None
    group: str | None = None
    ack: int | None = None
    out: int = 1
    safe: bool = False


class News(Struct, kw_only=True):
    """How a pipe is. `failure`: the latest; `disk`: why it accepts nothing; `left`: jobs of dead ones; `closed`: why
    all is shed now."""

    group: str
    figures: Figures
    failure: str = ""
    disk: str = ""
    left: int = 0
    closed: str = ""
    stopping: bool = False


class End(Struct, kw_only=True):
    """How a pipe ended. `jobs`: what was left of it became so many; `signal`: that stopped it, 0: none; `gone`: why
    nobody reads its results any more, `problem` why it read no further."""

    group: str
    figures: Figures
    jobs: int = 0
    signal: int = 0
    gone: OSError | None = None
    problem: HybridqError | None = None


def request_of(outlook: Outlook, asked: Asked) -> Request:
    """What is asked for items that become jobs."""
    handler = outlook.handler(asked.handler)
    if handler.traits.commands:
        raise UsageError(
            f"{asked.handler} runs commands, and a pipe feeds workers and models: hybridq submit --lines -"
        )
    if handler.needs:  # a pipe's own workers would take what others were given
        raise UsageError(
            f"{asked.handler} needs {' and '.join(handler.needs)}, which a pipe cannot hold. Submit the lines instead:"
            f" hybridq submit {asked.handler} --lines -"
        )
    modes = outlook.modes(asked.handler)
    return Request(
        handler=asked.handler,
        audience=Audience.BACKGROUND,
        signal=SIGNAL,
        mode=Mode.BATCH if Mode.BATCH in modes else None,
        group=asked.group or asked.key,
        retries=handler.retries,
    )


def sources_of(store: Store, asked: Asked) -> list[Source]:
    """What is read, and from where on, by the key."""
    paths = [os.path.abspath(path) if path != "-" else path for path in asked.files or ("-",)]
    before: dict[str, Source] = {}
    if asked.key is not None and (last := keyed(store, asked.key)) is not None:
        if last.ended is None and alive(store, last.runner):
            raise AlreadyRunning(f"a pipe of the key {asked.key} runs already. See it: hybridq status")
        before = {source.path: source for source in last.sources}
    return [before.get(path, Source(path=path)) for path in paths]
