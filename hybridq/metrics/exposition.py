"""The metrics as text, once or for whoever scrapes.

Rule: a scrape has a thread and a connection of its own, so that none of a daemon's loops ever waits for one. It is
served on this machine alone unless another address is named.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, Metric, generate_latest, start_http_server
from prometheus_client.registry import Collector

from ..config.read import load_config
from ..config.values import Config
from ..errors import ConfigError, UsageError
from ..home import Home
from ..outlook import Outlook
from ..queue.read_only import open_to_read
from .families import families

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]+\]|[^:\[\]]*):)?(?P<port>\d{1,5})")


class QueueCollector(Collector):
    """Reads the queue at each scrape. A mistake in the configuration leaves the values that held before."""

    def __init__(self, home: Home, config: Config, environ: Mapping[str, str]) -> None:
        self._home, self._config, self._environ = home, config, environ

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        with suppress(ConfigError, OSError):
            self._config = load_config(self._home, self._environ)
        with open_to_read(self._home) as store:
            yield from list(families(Outlook(store, self._config), time.time()))

    def describe(self) -> list[Metric]:
        """Nothing: the queue is not read to find out the names."""
        return []


def as_text(home: Home, config: Config, environ: Mapping[str, str]) -> bytes:
    """All metrics as they are now, in the text format of Prometheus, which node_exporter's textfile collector reads."""
    return generate_latest(_registry(home, config, environ))


def parse_address(text: str) -> tuple[str, int]:
    """(host, port) of `HOST:PORT`, `:PORT` or `PORT`. Raises UsageError."""
    found = _ADDRESS.fullmatch(text)
    if not found or int(found["port"]) > 65535:
        raise UsageError(f"{text!r} is no address: write :9464, or HOST:PORT for another than {LOOPBACK}")
    return (found["host"] or LOOPBACK).strip("[]"), int(found["port"])


@contextmanager
def served(home: Home, config: Config, environ: Mapping[str, str], address: tuple[str, int]) -> Iterator[str]:
    """Serve the metrics of a queue while the context lasts; gives their URL. Raises UsageError where the address cannot
    be had."""
    host, port = address
    try:
        server, thread = start_http_server(port, host, _registry(home, config, environ))
    except OSError as problem:
        raise UsageError(f"cannot serve metrics on {host}:{port}: {problem.strerror or problem}") from None
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(home: Home, config: Config, environ: Mapping[str, str]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(QueueCollector(home, config, environ))
    return registry
