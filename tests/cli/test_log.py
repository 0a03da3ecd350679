"""`log`: what a daemon has logged, its last lines, since when, about what, and as it comes."""

import json
import os
import signal
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hybridq.home import Home
from hybridq_cli import logs
from tests.support.building import until
from tests.support.user import ECHO, Queue


@pytest.fixture
def home(tmp_path: Path) -> Queue:
    """A queue whose daemon has logged two flushes, one of `echo` with jobs 1 and 2 of group g."""
    queue = Queue(tmp_path, ECHO)
    kept(queue, (100.0, "info", "hybridq", "daemon pid 1 serves here"), (200.0, "warning", "hybridq.worker.echo", "hm"))
    return queue


def kept(queue: Queue, *events: tuple[float, str, str, str], name: str = "daemon.jsonl") -> None:
    """These are in the log."""
    with (queue.folder / name).open("a") as file:
        for at, level, logger, message in events:
            file.write(json.dumps({"at": at, "level": level, "logger": logger, "message": message}) + "\n")


def shown(queue: Queue, *args: str) -> list[str]:
    """The messages that `log` shows."""
    done = queue.run("log", "--json", *args)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]


def test_without_a_log_it_says_so(tmp_path: Path) -> None:
    """Nothing on standard output, and when there will be one."""
    done = Queue(tmp_path).run("log")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "hybridq: there is no log yet: it begins with the first hybridq daemon\n"


def test_a_daemon_keeps_what_it_says(tmp_path: Path) -> None:
    """`log` shows the very lines that stood on the daemon's standard error; only the owner reads them."""
    queue = Queue(tmp_path, ECHO)
    with queue.daemon() as process:
        queue.run(
            "submit", "echo", "--group", "g", "--mode", "batch", "--lines", "-", "--deadline", "2s", input="a\nb\n"
        )
        queue.run("wait", "g")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert "flush 1 ended" in said
    assert queue.run("log").stdout == said
    assert stat.S_IMODE((queue.folder / "daemon.jsonl").stat().st_mode) == 0o600
    assert all("flush 1" in line for line in shown(queue, "g"))
    assert shown(queue, "2") == shown(queue, "echo") == shown(queue, "g") != []


def test_the_last_lines_alone(home: Queue) -> None:
    """As many as were asked for, after what was put away before."""
    kept(home, (50.0, "info", "hybridq", "earlier"), name="daemon.1.jsonl")
    assert shown(home) == ["earlier", "daemon pid 1 serves here", "hm"]
    assert shown(home, "--lines", "2") == ["daemon pid 1 serves here", "hm"]
    assert shown(home, "-n", "0") == []


def test_since_an_instant(home: Queue) -> None:
    """All of it since then, however many lines."""
    kept(home, *[(time.time(), "info", "hybridq", f"{n}") for n in range(50)])
    assert shown(home, "--since", "1h") == [str(n) for n in range(50)]
    assert len(shown(home)) == 40


def test_lines_about_a_handler_or_a_job(home: Queue) -> None:
    """By its name, its logger, or its number, and by no part of these."""
    home.run("submit", "echo", "x", "--detach", "--mode", "batch")
    kept(home, (300.0, "info", "hybridq", "jobs wait for the handler echo"), (301.0, "info", "hybridq", "echoes"))
    kept(home, (302.0, "info", "hybridq", "job 1 is lost"), (303.0, "info", "hybridq", "job 12 is lost"))
    assert shown(home, "echo") == ["hm", "jobs wait for the handler echo"]
    assert shown(home, "1") == ["job 1 is lost"]
    assert home.run("log", "nobody").returncode == 66


def test_a_torn_line_is_left_out(home: Queue) -> None:
    """What a crash left of a line is none; what comes after is there."""
    with (home.folder / "daemon.jsonl").open("a") as file:
        file.write('{"at": 1, "lev\n')
    kept(home, (300.0, "info", "hybridq", "after"))
    assert shown(home, "-n", "2") == ["hm", "after"]


def test_it_is_followed_over_a_change_of_files(home: Queue) -> None:
    """Each new line, also after the log was put away and another begun; Control-C ends it with 130."""
    with home.start("log", "-f", "-n", "0") as process:
        got: list[str] = []
        os.set_blocking(process.stdout.fileno(), False)  # type: ignore[union-attr]

        def heard(text: str) -> bool:
            with suppress(BlockingIOError):
                got.append(os.read(process.stdout.fileno(), 65536).decode())  # type: ignore[union-attr]
            return text in "".join(got)

        until(lambda: kept(home, (1.0, "info", "hybridq", "first")) or heard("first"))
        (home.folder / "daemon.jsonl").rename(home.folder / "daemon.1.jsonl")
        kept(home, (2.0, "info", "hybridq", "second"))
        until(lambda: heard("second"))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert "".join(got).count("second") == 1


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log is put away in the place of the one before."""
    monkeypatch.setattr(logs, "KEPT", 100)
    place = Home(tmp_path, tmp_path / "config.toml")
    keeper: Any = logs.Kept(place)
    for number in range(20):
        record = logs.logging.makeLogRecord({"kept": json.dumps({"n": number, "text": "x" * 40})})
        keeper.emit(record)
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) <= 2
    assert max(sizes) < 200
