"""Stores in threads of which one runs at a time: a seed decides at each BEGIN, COMMIT and ROLLBACK who goes on."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from hybridq.home import Home
from hybridq.queue.store import Store

POINTS = ("BEGIN", "COMMIT", "ROLLBACK")


def interleaved(home: Home, seed: int, actors: Sequence[Callable[[Store], object]]) -> None:
    """Run these at once, each with a store of its own; the same seed gives the same order. Raises what one raised."""
    turns = _Turns(random.Random(seed), len(actors))
    problems: list[BaseException] = []

    def act(number: int) -> None:
        turns.wait(number)
        try:
            with Store.open(home) as store:
                store.connection = _Stopping(store.connection, lambda: turns.point(number))  # type: ignore[assignment]
                actors[number](store)
        except BaseException as problem:
            problems.append(problem)
        finally:
            turns.end(number)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(actors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


class _Turns:
    """Whose turn it is."""

    def __init__(self, source: random.Random, actors: int) -> None:
        self._source = source
        self._alive = list(range(actors))
        self._turn = source.choice(self._alive)
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._turn == number, 60)

    def point(self, number: int) -> None:
        with self._changed:
            self._turn = self._source.choice(self._alive)
            self._changed.notify_all()
        self.wait(number)

    def end(self, number: int) -> None:
        with self._changed:
            self._alive.remove(number)
            self._turn = self._source.choice(self._alive or [-1])
            self._changed.notify_all()


class _Stopping:
    """A connection that stops before each statement that begins or ends a transaction."""

    def __init__(self, connection: Any, point: Callable[[], None]) -> None:
        self._connection = connection
        self._point = point

    def execute(self, sql: str, *parameters: Any) -> Any:
        """As the connection does, when it is its turn."""
        if sql.startswith(POINTS):
            self._point()
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
