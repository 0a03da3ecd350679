"""The process that sends one message by apprise: `python -m hybridq.hooks.sending`, the message on standard input.

Rule: URLs come on standard input, where no list of processes shows them, and are in nothing that it says. A process of
its own, since what hangs in it can be ended.
"""

import logging
import sys

import msgspec

from ..scrub import scrub
from .urls import expanded


class _Last(logging.Handler):
    """Keeps the last thing that was said."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said = record.getMessage()


def main() -> int:
    """Send it; 0: every URL took it."""
    asked = msgspec.json.decode(sys.stdin.buffer.read())
    try:
        import apprise
    except ImportError:
        from ..installed import install_command

        return _refused(f"apprise is not installed: {install_command('notify')}")
    expanded(asked["urls"], {})  # makes them known
    last = _Last(logging.WARNING)
    logging.getLogger("apprise").addHandler(last)
    sender = apprise.Apprise()
    for number, url in enumerate(asked["urls"], 1):
        if not sender.add(url):
            return _refused(f"apprise does not understand URL {number} of notify")
    if sender.notify(title=asked["title"], body=asked["text"], notify_type=asked["kind"]):
        return 0
    return _refused(" ".join(last.said.split()) or "the message was refused")


def _refused(why: str) -> int:
    sys.stderr.write(scrub(why) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
