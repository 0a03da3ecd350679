"""The completion scripts as people meet them: typed in a real shell on a real terminal, completed by TAB."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.support.completing import KEPT, filled, program

HOSTILE = "my group; $(touch pwned)"
SETUP = {
    "bash": f"PS1='READY> '\nsource {KEPT}/hybridq\n",
    "zsh": f"PS1='READY> '\nfpath=({KEPT} $fpath)\nautoload -Uz compinit\ncompinit -D -u\n",
    "fish": f"source {KEPT}/hybridq.fish\nset -g fish_autosuggestion_enabled 0\n"
    "function fish_prompt; echo 'READY> '; end\n",
}
# What is typed before TAB, and the line afterwards. `DIR` is a folder's name, other names are of the queue.
TYPED = [
    ("hybridq hand", "hybridq handlers"),
    ("hybridq handlers --ch", "hybridq handlers --check"),
    ("hybridq submit --mode ba", "hybridq submit --mode batch"),
    ("hybridq submit --mode=ba", "hybridq submit --mode=batch"),
    ("hybridq submit --group=night", "hybridq submit --group=nightly"),
    ("hybridq drain --group night", "hybridq drain --group nightly"),
    ("hybridq drain --handler dig", "hybridq drain --handler digest"),
    ("hybridq submit dig", "hybridq submit digest"),
    ("hybridq submit --priority 3 dig", "hybridq submit --priority 3 digest"),
    ("hybridq submit digest --each documen", "hybridq submit digest --each document.txt"),
    ("hybridq submit --cwd DI", "hybridq submit --cwd DIR/"),
    ("hybridq submit --mode batch -- document-vie", "hybridq submit --mode batch -- document-viewer"),
    ("hybridq submit -- document-viewer documen", "hybridq submit -- document-viewer document.txt"),
    ("hybridq show 10", "hybridq show 1001"),
    ("hybridq cancel 1001 night", "hybridq cancel 1001 nightly"),
    ("hybridq show team:l", "hybridq show team:late"),
    ("hybridq show team:", "hybridq show team:late"),
    ("hybridq show tea", "hybridq show team:late"),
    ("hybridq wait nightly k=v:", "hybridq wait nightly k=v:x"),
    ("hybridq drain --group=team:la", "hybridq drain --group=team:late"),
    ("hybridq drain --group team:late --handler dig", "hybridq drain --group team:late --handler digest"),
    ("hybridq wait status --he", "hybridq wait status --help"),
    ("hybridq schedule ad", "hybridq schedule add"),
    ("hybridq schedule pause wee", "hybridq schedule pause weekly-audit"),
    ("hybridq schedule add x @weekly --missed sk", "hybridq schedule add x @weekly --missed skip"),
    ("hybridq schedule add x @weekly dig", "hybridq schedule add x @weekly digest"),
    ("hybridq schedule add x @weekly -- document-vie", "hybridq schedule add x @weekly -- document-viewer"),
    ("hybridq completions fi", "hybridq completions fish"),
    ("hybridq wait my", r"hybridq wait my\ group\;\ \$\(touch\ pwned\)"),
]
# Where what is there must not be offered: these stay as they are.
KEPT_AS_TYPED = [
    "hybridq submit documen",
    "hybridq drain --handler documen",
    "hybridq show night -- documen",
    "hybridq schedule show nightly -- documen",
    "hybridq config documen",
]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with four groups and a job 1001, that is also a folder with a file, a folder and two programs."""
    folder = filled(tmp_path_factory.mktemp("home"), HOSTILE, "team:late", "k=v:x", last=1001)
    (folder / "document.txt").write_text("")
    (folder / "DIR").mkdir()
    (folder / "bin").mkdir()
    for name in ("hybridq", "document-viewer"):
        program(folder / "bin" / name)
    return folder


class Terminal:
    """A shell with its completions on a terminal that a test types on, and reads as a person does."""

    def __init__(self, shell: str, folder: Path) -> None:
        start = folder / {"bash": "setup.bash", "zsh": ".zshrc", "fish": "setup.fish"}[shell]
        start.write_text(SETUP[shell])
        arguments = {
            "bash": ["--noprofile", "--rcfile", str(start), "-i"],
            "zsh": ["-i"],
            "fish": ["--no-config", "-i", "-C", f"source {start}"],
        }[shell]
        environment = {"HYBRIDQ_HOME": str(folder), "HOME": str(folder), "ZDOTDIR": str(folder), "TERM": "xterm"}
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self._child = pexpect.spawn(
            shell, arguments, env={**os.environ, **environment, "PATH": path}, cwd=folder, dimensions=(40, 100)
        )
        self._screen = pyte.Screen(100, 40)
        self._stream = pyte.ByteStream(self._screen)

    def line(self, text: str) -> None:
        """Wait until this is what stands behind the prompt."""
        deadline = time.monotonic() + 30
        while f"READY> {text}".rstrip() not in (shown := [row.rstrip() for row in self._screen.display]):
            assert time.monotonic() < deadline, f"there is no {text!r} in\n" + "\n".join(filter(None, shown))
            with contextlib.suppress(pexpect.TIMEOUT):
                self._stream.feed(self._child.read_nonblocking(65536, 0.1))

    def places(self, *words: str) -> list[tuple[int, int]]:
        """(column, row) of each of these words, once all are on the screen."""
        deadline = time.monotonic() + 30
        while True:
            rows = self._screen.display
            found = [next(((row.find(word), y) for y, row in enumerate(rows) if word in row), None) for word in words]
            places = [place for place in found if place is not None]
            if len(places) == len(words):
                return places
            assert time.monotonic() < deadline, "\n".join(filter(str.strip, rows))
            with contextlib.suppress(pexpect.TIMEOUT):
                self._stream.feed(self._child.read_nonblocking(65536, 0.1))

    def type(self, keys: str) -> None:
        """Press these keys."""
        self._child.send(keys)

    def clear(self) -> None:
        """Empty the line and the screen."""
        self.type("\x15\x0c")
        self.line("")

    def close(self) -> None:
        """End the shell."""
        self._child.close(force=True)


@pytest.fixture(params=["bash", "zsh", "fish"])
def terminal(request: pytest.FixtureRequest, queue: Path) -> Iterator[Terminal]:
    """A terminal with each shell."""
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param}: apt-get install {request.param}, or brew install {request.param}")
    shell = Terminal(request.param, queue)
    try:
        shell.line("")
        yield shell
    finally:
        shell.close()


def test_tab_completes_what_may_stand_there(terminal: Terminal) -> None:
    """Commands, options, values, ids, groups, handlers, files and commands of jobs are completed where they stand."""
    for typed, whole in TYPED:
        terminal.type(f"{typed}\t")
        terminal.line(whole)
        terminal.clear()


def test_tab_completes_nothing_else(terminal: Terminal, queue: Path) -> None:
    """A file is not offered where a handler or nothing may stand; a group's name is never run."""
    for typed in KEPT_AS_TYPED:
        terminal.type(f"{typed}\t!")
        terminal.line(f"{typed}!")
        terminal.clear()
    assert not (queue / "pwned").exists()


def test_tab_lists_groups_before_ids(terminal: Terminal) -> None:
    """Where anything that selects jobs may stand, shells list the names first, column by column, then the ids."""
    terminal.type("hybridq wait \t\t")
    name, number = terminal.places("nightly", "1001")
    assert name < number
