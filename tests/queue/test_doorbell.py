"""Waking: at once after a ring, by kind, and never a burden when a listener died."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hybridq.home import Home
from hybridq.queue.doorbell import RUNNER, VIEWER, Doorbell, ring


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home whose path is far longer than a socket's could be."""
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path / ("deep" * 30) / "home")})
    home.prepare()
    return home


def test_a_ring_wakes_a_sleeper(home: Home) -> None:
    """A listener that waits for a minute wakes when another thread rings."""
    with Doorbell(home, RUNNER) as bell:
        threading.Timer(0.05, ring, (home, RUNNER)).start()
        assert bell.wait(60)
        assert not bell.wait(0)


def test_a_ring_before_the_wait_is_not_lost(home: Home) -> None:
    """Ringing first and waiting then wakes at once, however often it was rung."""
    with Doorbell(home, VIEWER) as bell:
        for _ in range(100_000):
            assert ring(home, VIEWER) == 1
        assert bell.wait(0)
        assert not bell.wait(0)


def test_kinds_are_told_apart(home: Home) -> None:
    """A viewer does not hear what is for runners."""
    with Doorbell(home, VIEWER) as viewer, Doorbell(home, RUNNER) as runner:
        assert ring(home, RUNNER) == 1
        assert runner.wait(0)
        assert not viewer.wait(0)


def test_the_bell_of_a_dead_listener_is_taken_away(home: Home) -> None:
    """After kill -9 of a listener the next ring finds nobody and tidies up."""
    code = (
        "import sys; from hybridq.home import Home; from hybridq.queue.doorbell import Doorbell\n"
        "bell = Doorbell(Home.find({'HYBRIDQ_HOME': sys.argv[1]}), 'runner'); print('up', flush=True); bell.wait(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(home.folder)], stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"up\n"
        assert ring(home, RUNNER) == 1
        listener.kill()
    assert ring(home, RUNNER) == 0
    assert list(home.bells.iterdir()) == []


def test_a_bell_that_is_being_hung_is_nobodys_to_take_away(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring that comes between the making of a pipe and its opening takes nothing away."""
    make = os.mkfifo

    def made_and_rung(path: Path, mode: int) -> None:
        make(path, mode)
        ring(home, VIEWER)

    monkeypatch.setattr(os, "mkfifo", made_and_rung)
    with Doorbell(home, VIEWER) as bell:
        assert ring(home, VIEWER) == 1
        assert bell.wait(0)
