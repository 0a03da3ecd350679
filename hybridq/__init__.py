"""One local queue: stream what somebody waits for, batch what can wait, and say why."""

__version__ = "0.1.0"
