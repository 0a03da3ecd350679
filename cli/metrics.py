"""`metrics`: the queue as figures for Prometheus, printed or written for node_exporter's textfile collector.

Rule: a file is in its place whole or not at all, for it may be read at any instant.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hybridq.config.read import load_config
from hybridq.errors import UsageError
from hybridq.home import Home

from .replacing import ReplacedFile

app = typer.Typer()


@app.command()
def metrics(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file, all at once, instead of printing."),
    ] = None,
) -> None:
    """Print figures of the queue for Prometheus.

    For node_exporter's textfile collector, write a file from cron; a daemon serves the same figures itself with
    hybridq daemon --metrics :9464.

    \b
    * * * * *  hybridq metrics -o /var/lib/prometheus/node-exporter/hybridq.prom
    """
    require()
    from hybridq.metrics.exposition import as_text

    home = Home.find(os.environ)
    text = as_text(home, load_config(home, os.environ), os.environ)
    if output is None:
        sys.stdout.write(text.decode())
    else:
        with ReplacedFile(output) as file:
            file.write(text)


def require() -> None:
    """Raises UsageError where the client of Prometheus is not installed."""
    from importlib.util import find_spec

    if find_spec("prometheus_client") is None:
        from hybridq.installed import install_command

        raise UsageError(f"metrics need prometheus-client: {install_command('metrics')}")
