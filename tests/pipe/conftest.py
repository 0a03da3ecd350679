"""A queue whose handlers answer the items of pipes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.user import Queue

WORKER = Path(__file__).parents[1] / "support" / "workers" / "items_that_never_end.py"


def handler(name: str, *arguments: object, **more: object) -> str:
    """The configuration of one."""
    command = ", ".join(f'"{each}"' for each in (sys.executable, WORKER, *arguments))
    settings = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f"[handlers.{name}]\ncommand = [{command}]\n{settings}"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """`upper`, `detect`, `slow` (20 ms an item), `burst` (1 ms), `many` (three, backwards), `dear`
    (1 an item, 10 a day), `silent` (timeout 1s)."""
    config = [
        handler("upper", "upper"),
        handler("detect", "detect"),
        handler("slow", "upper", 0.02),
        handler("burst", "upper", 0.001),
        handler("many", "backwards", 0.0005, instances=3, chunk=7),
        handler("dear", "upper", price=1.0, daily_budget=10.0),
        handler("silent", "upper", timeout='"1s"', chunk=1),
    ]
    queue = Queue(tmp_path, "\n".join(config))
    yield queue
    queue.outlook.store.close()
