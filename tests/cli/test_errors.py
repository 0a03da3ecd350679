"""Every error becomes one sentence and one exit code, in real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq import errors

START = "import sys, os, sqlite3, signal\nfrom hybridq import errors\nfrom hybridq_cli.errors import run_guarded\n"
EVERY_CLASS = [
    (errors.UsageError, 64),
    (errors.BadData, 65),
    (errors.NoSuchJob, 66),
    (errors.AlreadyRunning, 69),
    (errors.CorruptQueue, 70),
    (errors.ReadOnly, 77),
    (errors.StorageError, 74),
    (errors.TryAgain, 75),
    (errors.NotAllowed, 77),
    (errors.ConfigError, 78),
    (errors.SchemaError, 78),
    (errors.HybridqError, 70),
]


def guarded(body: str, **more: object) -> subprocess.CompletedProcess[str]:
    """A process whose guarded main has this body."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    program = f"{START}def main():\n{indented}\nrun_guarded(main)\n"
    # Unbuffered, nothing would be left to refuse at the end.
    environ = {**os.environ, "PYTHONUNBUFFERED": "", **more.pop("env", {})}  # type: ignore[dict-item]
    given: dict[str, object] = {"stdout": subprocess.PIPE, **more}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env=environ, timeout=60, **given
    )


def test_every_class_has_a_code() -> None:
    """Each class of the tree has its exit code, and a new one is noticed here."""
    from hybridq_cli.errors import exit_code

    tree = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert tree == {kind for kind, _ in EVERY_CLASS}
    assert [exit_code(kind("x")) for kind, _ in EVERY_CLASS] == [code for _, code in EVERY_CLASS]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise errors.NoSuchJob('no job 7: hybridq status')", 66, "hybridq: no job 7: hybridq status\n"),
        ("raise errors.TryAgain", 75, "hybridq: Not now, but later.\n"),
        ("raise errors.UsageError('\\x1b[31m[b]x\\u202e')", 64, "hybridq: \\x1b[31m[b]x\\u202e\n"),
        ("open('/')", 74, "hybridq: /: Is a directory\n"),
        (
            "raise PermissionError(13, 'x', '/etc/x')",
            77,
            "hybridq: /etc/x: Permission denied; fix its permissions, or choose another place\n",
        ),
        (
            "raise OSError(30, 'x')",
            77,
            "hybridq: Read-only file system; fix its permissions, or choose another place\n",
        ),
        ("raise OSError(28, 'x')", 74, "hybridq: No space left on device; free some space, then try again\n"),
        ("raise ExceptionGroup('both', [errors.NoSuchJob('no job 7'), OSError()])", 66, "hybridq: no job 7\n"),
        ("raise errors.BadData('x' * 10**6)", 65, f"hybridq: {'x' * 2000}…\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 70, "hybridq: no\n"),
        ("pass", 0, ""),
    ],
)
def test_error_is_one_sentence_and_a_code(body: str, code: int, said: str) -> None:
    """What is raised becomes its code, and its text in harmless characters."""
    done = guarded(body)
    assert (done.returncode, done.stderr) == (code, said)


def test_nobody_sees_a_traceback_unasked() -> None:
    """An unforeseen error is one line and 70; the traceback comes only when asked for."""
    done = guarded("{}['missing']")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    assert "KeyError: 'missing'" in done.stderr
    asked = guarded("{}['missing']", env={"HYBRIDQ_TRACEBACK": "1"})
    assert asked.returncode == 70
    assert "Traceback (most recent call last)" in asked.stderr


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("db.execute('pragma max_page_count = 3')\ndb.execute('insert into t values (zeroblob(99999))')", 74, "full"),
        ("other = sqlite3.connect(sys.argv[0] or 'q.db', timeout=0)\nother.execute('begin immediate')", 75, "busy"),
        (
            "open('n.db', 'w').write('x' * 5000)\nsqlite3.connect('n.db').execute('select * from t')",
            70,
            "not a database",
        ),
        ("sqlite3.connect('/nonexistent/q.db')", 74, "unable to open"),
    ],
)
def test_sqlite_errors_are_told_apart(tmp_path: Path, body: str, code: int, said: str) -> None:
    """A full disk, a busy queue and a foreign file each have their own code and sentence."""
    start = "db = sqlite3.connect('q.db', isolation_level=None)\ndb.execute('create table t (x)')\n"
    hold = "db.execute('begin immediate')\n" if code == 75 else ""
    done = guarded(start + hold + body.replace("sys.argv[0] or ", ""), cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_full_disk_under_the_output_is_told() -> None:
    """Output that the disk refuses ends with 74 and a sentence, also when it is refused at the very end."""
    with Path("/dev/full").open("w") as full:
        done = guarded("print('x')", stdout=full)
    assert done.returncode == 74
    assert done.stderr == "hybridq: No space left on device; free some space, then try again\n"


@pytest.mark.parametrize("lines", [1, 100_000])
def test_closed_pipe_is_quiet(lines: int) -> None:
    """A reader that closes the pipe ends the command without a word, as it ends any other."""
    reader, writer = os.pipe()
    os.close(reader)
    done = guarded(f"for i in range({lines}): print('a long line of output', i)", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_closed_standard_error_is_no_second_error() -> None:
    """Without a standard error the code alone says what happened."""
    program = f"{START}def main(): raise errors.NoSuchJob('x')\nrun_guarded(main)"
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", program]
    assert subprocess.run(command, timeout=60).returncode == 66


def test_interrupt_is_quiet() -> None:
    """Control-C ends with 130 and no words."""
    done = guarded("os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()")
    assert (done.returncode, done.stderr) == (130, "")
    assert signal.SIGINT == 2


def test_interrupt_while_it_begins_is_quiet() -> None:
    """Control-C in the tenth of a second in which the command line is still imported: 130, and no traceback."""
    program = (
        "import os, signal, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hybridq_cli.commands': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from hybridq_cli.main import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
