"""Reaching the queue for commands that look or cancel: a mistake in the configuration does not stop them.

Rule: what is wrong is said in one line on standard error, and the defaults hold instead. Whatever runs, decides or
submits by the configuration uses `hybridq.submit.connect`, and ends with 78.
"""

import os

from hybridq.config import Config
from hybridq.config_read import SHELL, load
from hybridq.errors import ConfigError
from hybridq.home import Home
from hybridq.outlook import Outlook
from hybridq.store import Store

from .errors import sentence
from .tell import say


def reach() -> Outlook:
    """The queue of this environment, to change jobs or to stay with them."""
    home = Home.find(os.environ)
    return Outlook(Store.open(home), _configuration(home))


def look() -> Outlook:
    """The queue of this environment, to read it once: on a full disk and without the right to write, too."""
    from hybridq.reading_only import open_to_read

    home = Home.find(os.environ)
    return Outlook(open_to_read(home), _configuration(home))


def _configuration(home: Home) -> Config:
    try:
        return load(home, os.environ)
    except (ConfigError, OSError) as problem:
        say(f"{sentence(problem)}. This command goes on with the defaults")
        return Config(handlers={"shell": SHELL})
