"""The live view in a real terminal: it follows the queue and the window, and gives the terminal back."""

import os
import pty
import re
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from hybridq.home import Home
from hybridq.job import State
from hybridq.queue.doorbell import VIEWER, ring

from ..support.screens import PATIENCE, Screen, put, start
from ..support.snapshots import busy, row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    put(home, busy(time.time()))
    return home


@pytest.fixture
def screen(folder: Path) -> Iterator[Screen]:
    made = Screen(folder)
    made.until(lambda: "stdlib" in made.text)
    yield made
    made.child.close(force=True)


def test_it_follows_the_queue(screen: Screen) -> None:
    """What is put into the queue is on the screen after a ring, and what left is gone."""
    now = time.time()
    screen.put(msgspec.structs.replace(busy(now), rows=(row(5, "a new one", state=State.RUNNING),)))
    screen.until(lambda: "a new one" in screen.text and "stdlib" not in screen.text)
    assert "streaming" in screen.text


def test_the_countdown_runs_by_itself(screen: Screen) -> None:
    """With nothing rung the seconds of a countdown go down."""
    screen.put(msgspec.structs.replace(busy(time.time()), rows=(row(5, "soon", eta=time.time() + 50),)))
    seen = set()

    def three() -> bool:
        seen.update(line.split()[-1] for line in screen.text.splitlines() if "soon" in line)
        return len(seen) >= 3

    screen.until(three)
    assert all(left.endswith("s") for left in seen)


def test_it_fills_the_height_and_says_the_rest(screen: Screen) -> None:
    """A window of 24 lines holds 17 rows; the last line counts the others."""
    screen.until(lambda: "and 6 more" in screen.terminal.display[23])
    assert sum("held" in line for line in screen.terminal.display[6:]) == 14


def test_it_survives_a_resize(screen: Screen) -> None:
    """Made narrow, it folds its columns and takes fewer rows; made wide, they are back; whatever COLUMNS says."""
    screen.resize(40, 12)
    screen.until(lambda: "and 18 more" in screen.terminal.display[11] and "WHY" not in screen.text)
    assert "stdlib" in screen.text
    assert "ETA" in screen.text
    screen.resize(160, 40)
    screen.until(lambda: "WHY" in screen.text and "saves 1.80, waiting costs 0.12" in screen.text)


@pytest.mark.parametrize(("width", "height"), [(40, 3), (8, 2), (1, 1)])
def test_it_survives_a_window_too_small_to_see(screen: Screen, width: int, height: int) -> None:
    """However small the window becomes, the view lives on and is whole when there is room again."""
    screen.resize(width, height)
    screen.until(lambda: "stdlib" not in screen.text)
    screen.resize(100, 24)
    screen.until(lambda: "stdlib" in screen.text and "STATE" in screen.text)


def test_control_c_gives_the_terminal_back(screen: Screen) -> None:
    """The exit code is 130; screen, cursor and echo are as before."""
    before = termios.tcgetattr(screen.child.child_fd)[3]
    screen.child.sendintr()
    assert screen.end() == 130
    assert screen.given_back
    assert not before & termios.ECHO
    assert termios.tcgetattr(screen.child.child_fd)[3] & termios.ECHO
    assert b"Traceback" not in screen.raw


def test_q_ends_it(screen: Screen) -> None:
    """`q` is an end without a complaint; another key is none, and is not echoed."""
    screen.child.send("x\r")
    screen.put(msgspec.structs.replace(busy(time.time()), rows=(row(5, "still here"),)))
    screen.until(lambda: "still here" in screen.text)
    screen.child.send("q")
    assert screen.end() == 0
    assert screen.given_back


def test_arrows_choose_a_row(screen: Screen) -> None:
    """The marked row is another with each arrow, whichever of its two forms the terminal sends."""
    screen.child.send("\x1b[B")
    screen.until(lambda: ">» 900" in screen.text)
    screen.child.send("\x1bOB")
    screen.until(lambda: ">● 101+" in screen.text)


def test_a_chosen_row_survives_a_resize(screen: Screen) -> None:
    """It stays chosen and in sight as the window becomes low, and narrow, and large again."""
    screen.child.send("\x1b[B" * 12)
    screen.until(lambda: ">‖ 792" in screen.text)
    for width, height in ((100, 9), (40, 12), (160, 40)):
        screen.resize(width, height)
        screen.until(lambda height=height: ">‖ 792" in screen.text and "quit" in screen.terminal.display[height - 1])  # type: ignore[misc]


def test_an_opened_row_scrolls_and_closes(screen: Screen) -> None:
    """Its lines fill the window, whatever size that has; Escape alone is the way back."""
    screen.child.send("jo")
    screen.until(lambda: "output of transcribe müller.wav, line 100" in screen.terminal.display[22])
    screen.child.send("g")
    screen.until(lambda: "line 1 " in screen.terminal.display[0])
    screen.child.send(" ")
    screen.until(lambda: "line 23 " in screen.terminal.display[0])
    screen.resize(70, 12)
    screen.until(lambda: "quit" in screen.terminal.display[11] and "line 33 " in screen.terminal.display[10])
    screen.child.send("\x1b")
    screen.until(lambda: "WHAT" in screen.text)


def test_a_failure_rings_the_terminal(screen: Screen) -> None:
    """With the bell on it rings as the number of failures grows, and not before."""
    screen.child.send("b")
    screen.until(lambda: "rings when a job fails" in screen.text)
    assert b"\x07" not in screen.raw
    before = busy(time.time())
    counts = {**before.head.counts, State.FAILED: 5}
    screen.put(msgspec.structs.replace(before, head=msgspec.structs.replace(before.head, counts=counts)))
    screen.until(lambda: b"\x07" in screen.raw)


def test_termination_gives_the_terminal_back(screen: Screen) -> None:
    """A SIGTERM from elsewhere leaves no wreck."""
    screen.child.kill(signal.SIGTERM)
    assert screen.end() == 143
    assert screen.given_back


def test_control_z_lends_the_terminal_back(screen: Screen) -> None:
    """While it is suspended the terminal is as before; continued, it draws again."""
    view = psutil.Process(screen.child.pid)
    screen.child.send("\x1a")
    screen.until(lambda: view.status() == psutil.STATUS_STOPPED)
    screen.until(lambda: screen.given_back)
    view.send_signal(signal.SIGCONT)
    screen.until(lambda: not screen.given_back)
    screen.child.sendintr()
    assert screen.end() == 130


def test_a_reading_that_fails_gives_the_terminal_back(screen: Screen) -> None:
    """What goes wrong in the queue is told on the first screen, not lost on the other."""
    (screen.home.folder / "snapshot").write_bytes(b"broken")
    ring(screen.home, VIEWER)
    assert screen.end() == 1
    assert screen.raw.rfind(b"the queue is damaged") > screen.raw.rfind(b"\x1b[?1049l") > 0
    assert screen.given_back


def test_a_hangup_ends_it(screen: Screen) -> None:
    """The signal of a closed window ends the view with its own exit code and no word."""
    screen.child.kill(signal.SIGHUP)
    assert screen.end() == 129
    assert b"Traceback" not in screen.raw


def test_a_terminal_that_goes_away_ends_it(folder: Path) -> None:
    """Without any signal, as under nohup, the view notices that its terminal has gone, and ends quietly."""
    ours, theirs = pty.openpty()
    view = start(folder, stdin=theirs, stdout=theirs, TERM="xterm-256color")
    os.close(theirs)
    with view:
        assert b"\x1b[?1049h" in os.read(ours, 65536)
        os.close(ours)
        assert view.wait(PATIENCE) == 0
        assert view.stderr is not None
        assert view.stderr.read() == b""


def test_a_dumb_terminal_gets_plain_lines(folder: Path) -> None:
    """With TERM=dumb no escape is written, and a change is a line."""
    screen = Screen(folder, TERM="dumb")
    screen.until(lambda: b"stdlib" in screen.raw)
    screen.put(msgspec.structs.replace(busy(time.time()), rows=(row(5, "a new one"),)))
    screen.until(lambda: b"a new one" in screen.raw)
    screen.child.sendintr()
    assert screen.end() == 130
    assert b"\x1b" not in screen.raw
    screen.child.close()


def test_q_leaves_a_dumb_terminal_too(folder: Path) -> None:
    """Where only lines are printed, `q` alone ends it as well, without a return and without an echo."""
    screen = Screen(folder, TERM="dumb")
    screen.until(lambda: b"stdlib" in screen.raw)
    screen.child.send("q")
    assert screen.end() == 0
    screen.child.close()


def test_no_color_holds_in_the_live_view(folder: Path) -> None:
    """With NO_COLOR the view is drawn, and no colour with it."""
    screen = Screen(folder, NO_COLOR="1")
    screen.until(lambda: "stdlib" in screen.text)
    screen.child.sendintr()
    assert screen.end() == 130
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]", screen.raw)
    screen.child.close()


def test_without_a_terminal_changes_are_lines(folder: Path) -> None:
    """Into a pipe go the rows as they are, then one line a change; SIGTERM ends it."""
    with start(folder) as view:
        assert view.stdout is not None
        assert [b"stdlib" in view.stdout.readline() for _ in range(4)][3]
        before = busy(time.time())
        ended = row(900, "transcribe", state=State.DONE, finished=time.time())
        put(folder, msgspec.structs.replace(before, rows=(ended, *before.rows[1:])))
        ring(Home(folder, folder / "config.toml"), VIEWER)
        line = next(line for line in iter(view.stdout.readline, b"") if b"done at" in line)
        assert b"  900  transcribe  " in line
        view.terminate()
        assert b"900" not in view.stdout.read()
        assert view.wait(PATIENCE) == 143


def test_a_reader_who_leaves_ends_it(folder: Path) -> None:
    """`status --watch | head -25` ends quietly, though nothing changes and so nothing is written any more."""
    with start(folder) as view:
        assert view.stdout is not None
        assert view.stderr is not None
        for _ in range(25):
            view.stdout.readline()
        view.stdout.close()
        assert view.wait(PATIENCE) == 0
        assert view.stderr.read() == b""


def test_a_reader_who_never_came_is_no_error(folder: Path) -> None:
    """`status --watch | true`: nothing is said of the broken pipe, not even at exit."""
    reader, writer = os.pipe()
    os.close(reader)
    with start(folder, stdout=writer) as view:
        os.close(writer)
        assert view.wait(PATIENCE) == 0
        assert view.stderr is not None
        assert view.stderr.read() == b""
