"""Filters of `status` and `export`: which jobs each lets through, alone and together, and what is not searched."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.queue import search
from hybridq.queue.claims import claim_stream
from hybridq.queue.runner import Runner
from hybridq.selection import Criteria
from hybridq.status import searching
from hybridq_cli.draw.filter import Filter
from hybridq_cli.watching import QueueDesk, Watched
from tests.support.building import asking, command, document, look, submit_all, typed
from tests.support.user import Queue

SHELL = """
[handlers.shell]
expected = "100ms"
"""


def ids(outlook: Outlook, *args: str) -> list[int]:
    """The ids of the rows that `status` shows."""
    return [row["id"] for row in document(outlook, "status", *args)["rows"]]


def aged(outlook: Outlook, job: int, hours: float) -> None:
    """A single job came and ended so many hours earlier than it did."""
    with outlook.store.tx() as connection:
        for sql in (
            "UPDATE job SET started = started - ?1, finished = finished - ?1 WHERE id = ?2",
            "UPDATE cohort SET accepted = accepted - ?1, started = started - ?1, finished = finished - ?1"
            " WHERE first_id = ?2 AND name IS NULL",
        ):
            connection.execute(sql, (3600 * hours, job))


def test_failed_is_the_state(every_state: Outlook) -> None:
    """`--failed` shows what `--state failed` does, and both go together with other states."""
    assert ids(every_state, "--failed") == ids(every_state, "--state", "failed") == [4]
    assert ids(every_state, "--failed", "--state", "cancelled") == [4, 7]


def test_since_leaves_out_what_had_ended(every_state: Outlook) -> None:
    """What goes on is there still; of what ended only what did so since."""
    aged(every_state, 7, hours=5)
    assert ids(every_state, "--since", "2h") == [1, 9, 8]
    assert ids(every_state, "--since", "6h") == [1, 9, 8, 7]


def test_until_leaves_out_what_came_later(every_state: Outlook) -> None:
    """By the instant of submission, whatever became of it."""
    aged(every_state, 7, hours=5)
    aged(every_state, 8, hours=3)
    assert ids(every_state, "--until", "2h") == [8, 7]
    assert ids(every_state, "--until", "2h", "--since", "4h") == [8]


def test_a_handler_alone(every_state: Outlook) -> None:
    """Rows of other handlers are not shown, and the rest is counted."""
    submit_all(every_state, asking("shell"), [b'{"argv": ["true"]}'] * 3)
    assert ids(every_state, "--handler", "shell") == [10]
    found = look(every_state, criteria=Criteria(handlers=("echo",)), limit=1)
    assert sum(row.jobs for row in found.rows) + found.hidden == 9


def test_a_handler_that_nobody_knows(every_state: Outlook) -> None:
    """A slip of the pen is told, not an empty queue."""
    done = command(every_state.store.home, "status", "--handler", "ecko")
    assert (done.returncode, done.stdout) == (64, "")
    assert "there is no handler 'ecko'. Configured: echo, shell" in done.stderr


def test_words_are_found_in_inputs_and_groups(every_state: Outlook) -> None:
    """Each word, in whatever case and order; a group by its name is one row, a job by its input another."""
    submit_all(every_state, asking(group="invoices"), [b'"Rechnung 17"', b'"Rechnung 18"'])
    (single,) = submit_all(every_state, asking(), ['"Größe der Rechnung"'.encode()])
    assert ids(every_state, "--text", "17 rechnung") == [10]
    assert ids(every_state, "--text", "INVOICE") == [10]
    assert ids(every_state, "--text", "GRÖSSE") == [single]
    assert ids(every_state, "invoices", "--text", "18") == [11]


def test_what_was_not_searched_is_told(every_state: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the newest jobs nobody looks unasked: from which one on is told, and `all_` looks at each."""
    monkeypatch.setattr(searching, "LOOKED", 2)
    monkeypatch.setattr(search, "PAGE", 1)
    sought = Criteria(words=("x",))
    assert (found := look(every_state, criteria=sought)).rows == ()
    assert found.searched_from == 8
    assert len(look(every_state, criteria=sought, all_=True).rows) == 6


def test_more_than_is_shown(every_state: Outlook) -> None:
    """Where nobody counts, it is told that there is more."""
    assert document(every_state, "status", "--since", "1h", "--limit", "4")["more"] is False
    assert document(every_state, "status", "--since", "1h", "--limit", "3")["more"] is True
    hint = "hybridq: and more: --all\n"
    assert len(typed(every_state, "status", "--text", "echo", "--limit", "2", hint=hint).splitlines()) == 3


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--since", "2h", "--until", "3h"], "--until 3h is before --since 2h"),
        (["--text", " "], "--text needs at least one word"),
        (["--since", "soon"], "is not a time"),
    ],
)
def test_what_cannot_be_meant(outlook: Outlook, args: list[str], told: str) -> None:
    """64 and the sentence."""
    done = command(outlook.store.home, "status", *args)
    assert done.returncode == 64
    assert told in done.stderr


def test_slow_is_beside_the_usual(tmp_path: Path) -> None:
    """Over three times what its like usually take, and a second at least; one that fails is slow as well."""
    queue = Queue(tmp_path, SHELL)
    for line in ("sleep 1.1", "sleep 0.5", "sleep 1.1; exit 3", "true"):
        queue.run("submit", "--wait", "--shell", line)
    found = json.loads(queue.run("status", "--slow", "--json").stdout)["rows"]
    assert [row["id"] for row in found] == [3, 1]
    assert [row["id"] for row in json.loads(queue.run("status", "--slow", "--failed", "--json").stdout)["rows"]] == [3]


def test_one_that_runs_is_slow_by_now(tmp_path: Path) -> None:
    """It need not have ended."""
    queue = Queue(tmp_path, SHELL)
    with queue.start("submit", "--wait", "--", "sleep", "30"):
        slow: list[Any] = []
        deadline = time.monotonic() + 30
        while not slow and time.monotonic() < deadline:
            slow = json.loads(queue.run("status", "--slow", "--json").stdout)["rows"]
        assert [(row["id"], row["state"]) for row in slow] == [(1, "running")]


def test_export_takes_them_too(every_state: Outlook) -> None:
    """Of a handler, failed, since or until: the same jobs as rows of a file."""
    submit_all(every_state, asking("shell"), [b'{"argv": ["true"]}'])
    aged(every_state, 7, hours=5)

    def exported(*args: str) -> list[int]:
        done = command(every_state.store.home, "export", *args)
        return [json.loads(line)["id"] for line in done.stdout.splitlines()]

    assert exported("--handler", "shell") == [10]
    assert exported("--failed") == exported("g", "--failed") == [4]
    assert exported("--until", "2h") == [7]
    assert exported("--since", "2h", "--handler", "echo") == [1, 2, 3, 4, 5, 6, 8, 9]


def test_the_live_view_takes_them_too(every_state: Outlook) -> None:
    """What they let through alone is watched."""
    aged(every_state, 7, hours=5)
    for watched, ids in (
        (Watched(criteria=Criteria(words=("y",))), [9, 8, 7]),
        (Watched(criteria=Criteria(since=time.time() - 7200)), [1, 9, 8]),
        (Watched(states=(State.FAILED,)), [4]),
    ):
        rows = QueueDesk(every_state, watched).take(40, Filter(), False).rows
        assert [row.id for row in rows] == ids


def test_states_as_the_table_says_them(every_state: Outlook) -> None:
    """`held` is queued in the batch lane, `streaming` is running in the other; `queued` and `running` are of any."""
    runner = Runner(every_state.store, "submit")
    assert claim_stream(every_state.store, runner.id, "echo", 1, time.time())
    assert ids(every_state, "--state", "held") == [6, 8]
    assert ids(every_state, "--state", "streaming") == [9]
    assert ids(every_state, "--state", "running") == [5, 9]
    assert ids(every_state, "--state", "waiting") == []


def test_held_and_streaming_are_not_asked_for_together(every_state: Outlook) -> None:
    """They are of two lanes: the message names what can be asked for."""
    ended = command(every_state.store.home, "status", "--state", "held", "--state", "failed")
    assert ended.returncode == 64
    assert "ask for queued and failed" in ended.stderr
