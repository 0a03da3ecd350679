"""The URLs of `notify`: they hold tokens, so that they are shown by their scheme alone.

Rule: who reads one makes it known to `scrub`, with each part of it that may be a token.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from ..config.values import HooksConfig
from ..errors import ConfigError
from ..installed import install_command
from ..scrub import know

LEAST = 8  # characters of a part of a URL that may be a token
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expanded(urls: Iterable[str], environ: Mapping[str, str]) -> tuple[list[str], str]:
    """The URLs with the variables in them, and the first variable that is missing; "": none is."""
    found = []
    for url in urls:
        for name in _VARIABLE.findall(url):
            if not environ.get(name):
                return [], name
            know(environ[name])
        found.append(_VARIABLE.sub(lambda at: environ[at[1]], url))
        _hide(found[-1])
    return found, ""


def _hide(url: str) -> None:
    know(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    know(parts.password or "")
    for part in re.split(r"[/?&=@:#]", f"{parts.netloc}{parts.path}?{parts.query}"):
        if len(part) >= LEAST and not re.fullmatch(r"localhost|[\d.]+|[a-z.-]+", part):
            know(part)
            know(unquote(part))


def check_notify(hooks: HooksConfig) -> None:
    """Raise ConfigError where nobody can be sent a message."""
    if not hooks.notify:
        raise ConfigError("--notify has nobody to tell: set notify in [hooks] of config.toml. See: hybridq help hooks")
    if missing := missing_client(hooks):
        raise ConfigError(missing)


def missing_client(hooks: HooksConfig) -> str:
    """What `notify` needs and is not installed, with the command that installs it; "": nothing."""
    if not hooks.notify or find_spec("apprise"):
        return ""
    return f"notify needs apprise, which is not installed: {install_command('notify')}"
