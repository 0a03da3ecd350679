"""Opening a session: one job whose input keeps arriving.

Rule: the job is the live handler's, or, where a handler names one as its `draft`, the better handler's: then the live
output is the draft. What is kept of the input is there before anybody sees the job.
"""

import os
import sys
import time
from typing import NamedTuple

from msgspec.structs import replace

from hybridq.asking import options as asking
from hybridq.asking.options import Options
from hybridq.audience import find_audience
from hybridq.config.values import HandlerConfig
from hybridq.errors import UsageError
from hybridq.job import Cuts, Mode
from hybridq.outlook import Outlook
from hybridq.queue.intake import Accepted
from hybridq.queue.kept import Keeping
from hybridq.queue.submissions import before
from hybridq.submit import submit

from ..tell import is_tty

NOTHING = b"null"  # the input of a session's job: what arrives is kept beside the database


class Opened(NamedTuple):
    """A session that was accepted, and where its input is kept."""

    accepted: Accepted
    keeping: Keeping


def open_session(outlook: Outlook, handler: str, cuts: Cuts, options: Options) -> Opened:
    """Accept the job of a session, durably. Raises UsageError where the handler takes none."""
    config = outlook.handler(handler)
    mode = session_mode(outlook, handler, config)
    who = find_audience(
        environ=os.environ,
        waits="--session",
        many=False,
        stdin_tty=is_tty(sys.stdin),
        output_tty=is_tty(sys.stdout) or is_tty(sys.stderr),
        before=lambda caller: before(outlook.store, caller),
    )
    around = asking.surroundings_of(config, options, os.environ)
    request = asking.request(handler, config, options, who, time.time(), around, outlook.config.resources)
    kept: list[Keeping] = []
    accepted = submit(
        outlook,
        replace(request, mode=mode, session=cuts),
        NOTHING,
        stays=True,
        waits=True,
        keep_input=lambda job: kept.append(Keeping(outlook.store.home, job)),
    )
    return Opened(accepted, kept[0])


def session_mode(outlook: Outlook, name: str, config: HandlerConfig) -> Mode:
    """Adaptive where its draft's handler takes sessions, else stream. Raises UsageError where neither takes one."""
    if config.draft and outlook.handler(config.draft).session:
        return Mode.ADAPTIVE
    if config.session:
        return Mode.STREAM
    draft = f", and neither does {config.draft}" if config.draft else ""
    raise UsageError(
        f"{name} takes no sessions{draft}. If its worker reads pieces of input, write session = true"
        f" in [handlers.{config.draft or name}]: hybridq help sessions"
    )
