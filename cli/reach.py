"""Reaching the queue for commands that look or cancel: a mistake in the configuration does not stop them.

Rule: what is wrong is said in one line on standard error, and the defaults hold instead. Whatever runs, decides or
submits by the configuration uses `hybridq.submit.connect`, and ends with 78.
"""

import os
from contextlib import suppress

from hybridq.config.read import SHELL, load_config
from hybridq.config.values import Config
from hybridq.errors import ConfigError
from hybridq.home import Home
from hybridq.outlook import Outlook
from hybridq.queue.store import Store

from .errors import sentence
from .tell import say


def reach() -> Outlook:
    """The queue of this environment, to change jobs or to stay with them."""
    home = Home.find(os.environ)
    return Outlook(Store.open(home), _configuration(home))


def look() -> Outlook:
    """The queue of this environment, to read it once: on a full disk and without the right to write, too."""
    from hybridq.queue.read_only import open_to_read

    home = Home.find(os.environ)
    return Outlook(open_to_read(home), _configuration(home))


def renew(outlook: Outlook) -> None:
    """Take up what changed in config.toml; while there is a mistake in it the values so far hold, as in a daemon."""
    with suppress(ConfigError, OSError):
        config = load_config(outlook.store.home, os.environ)
        if config != outlook.config:
            outlook.configure(config)


def _configuration(home: Home) -> Config:
    try:
        return load_config(home, os.environ)
    except (ConfigError, OSError) as problem:
        wrong = sentence(problem)
        say(f"{wrong}{'' if wrong.endswith('?') else '.'} Continuing with the defaults")
        return Config(handlers={"shell": SHELL})
