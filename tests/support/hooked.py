"""A queue whose hooks write down what they are told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from tests.support.user import Queue

FAILS = ("--", "sh", "-c", "echo bad >&2; exit 3")


class Hooked(Queue):
    """`hooks` is the table in config.toml; `{told}` in it is a file that gets a line an event."""

    def __init__(self, folder: Path, hooks: str) -> None:
        super().__init__(folder)
        self.file = folder / "told"
        (self.folder / "config.toml").write_text("[hooks]\n" + hooks.replace("{told}", str(self.file)))

    def told(self) -> list[dict[str, Any]]:
        """All events that were told, in their order."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def left(self) -> int:
        """How much is still to be told."""
        return int(self.rows("SELECT count(*) FROM outbox")[0][0])


class Webhook:
    """A server on loopback that takes what is posted to it."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refusing = 0  # so many are refused first
        this = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refused = this.refusing > 0
                this.refusing -= refused
                if not refused:
                    this.got.append(body)
                self.send_response(500 if refused else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"json://127.0.0.1:{self.server.server_port}/token-{'x' * 12}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A server that is up, and ended at the end."""
    made = Webhook()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
