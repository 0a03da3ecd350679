"""Whether hooks can be told: their commands, the client of `notify`, its variables, and what could not be told."""

import re
import shutil
from collections.abc import Iterator, Mapping

from ..config.values import Config, HooksConfig
from ..hooks.urls import expanded, missing_client
from ..job import HookEvent
from ..queue.outbox import untold
from ..queue.store import Store
from ..when import how_many
from .finding import Finding, problem, warning, well

_PROGRAM = re.compile(r"[A-Za-z0-9_./+-]+")
_BUILT_IN = frozenset({"cd", "exec", "export", "eval", "if", "for", "while", "case", "read", "test", "set", "umask"})


def check_hooks(config: Config, store: Store | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing where there are none."""
    hooks = config.hooks
    if not hooks.heard:
        return
    if wrong := [*_commands(hooks, environ), *_urls(hooks, environ)]:
        yield problem("hooks", "; ".join(wrong), "then try one: hybridq hooks --test failed")
    else:
        yield well("hooks", f"{how_many(len(hooks.heard), 'hook')} can be told; hybridq hooks --test tries one")
    for each in untold(store) if store is not None else ():
        yield warning(
            "hooks", f"{each.event} ({each.way}): {each.lost}", "hybridq hooks --again tells what was given up"
        )


def _commands(hooks: HooksConfig, environ: Mapping[str, str]) -> Iterator[str]:
    """Of each command line whose first word is a plain name, whether there is such a program."""
    for event in HookEvent:
        first = (hooks.command(event).split() or [""])[0]
        plain = _PROGRAM.fullmatch(first) and "/" not in first and first not in _BUILT_IN
        if plain and not shutil.which(first, path=environ.get("PATH")):
            yield f"the program of {event}, {first}, is not found"


def _urls(hooks: HooksConfig, environ: Mapping[str, str]) -> Iterator[str]:
    if missing := missing_client(hooks):
        yield missing
    if lacking := expanded(hooks.notify, environ)[1]:
        yield f"{lacking} is not set, which notify names"
