"""Files that a user names: what never ends, or begins only when somebody else comes, holds nobody up."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from hybridq.errors import BadData
from hybridq.handlers.llm.prompts import prompt
from hybridq.job import Call
from tests.support.building import HYBRIDQ, command, environment, queue, until
from tests.support.user import Queue, inputs

NO_FILES = ("pipe", "zero", "folder")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with what is no file: a pipe that nobody writes to, a device without an end, a folder."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("args", [("submit", "echo", "hello"), ("daemon",), ("config",), ("drain",)])
def test_a_config_that_is_no_file_ends_each_command_with_a_sentence(
    odd: Path, kind: str, args: tuple[str, ...]
) -> None:
    """It names the file and says what it is; nothing waits for a writer."""
    queue(odd).store.close()
    config = odd / "home" / "config.toml"
    config.unlink()
    config.symlink_to(odd / kind)
    refused = command(odd / "home", *args)
    assert refused.returncode == 78, refused
    assert re.search(r"(cannot read \S+config.toml: it is a \w+|config.toml is a folder)", refused.stderr)


def test_a_daemon_whose_config_becomes_a_pipe_goes_on_and_can_be_stopped(tmp_path: Path) -> None:
    """The values so far hold on, the log says why, and SIGTERM ends it."""
    mine = Queue(tmp_path, '[handlers.echo]\ncommand = "cat"\nprotocol = "lines"\n')
    with mine.daemon() as daemon:
        (mine.folder / "config.toml").unlink()
        os.mkfifo(mine.folder / "config.toml")
        assert mine.run("submit", "--mode", "stream", "--follow", "--", "echo", "hi").returncode == 78
        daemon.terminate()
        _, said = daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    assert "Traceback" not in said


DOORS = {
    ("submit", "echo", "@{}", "--detach"): NO_FILES,
    ("submit", "echo", "--each", "--", "{}"): NO_FILES,
    ("submit", "echo", "--lines", "{}"): NO_FILES[1:],  # a pipe with a name is read, when somebody writes to it
    ("submit", "echo", "--jsonl", "{}"): NO_FILES[1:],
    ("simulate", "{}"): NO_FILES[1:],
}


@pytest.mark.parametrize(("args", "kind"), [(args, kind) for args, kinds in DOORS.items() for kind in kinds])
def test_what_is_no_file_is_refused_and_nothing_accepted(odd: Path, kind: str, args: tuple[str, ...]) -> None:
    """With a sentence, at once, whichever door it came to."""
    outlook = queue(odd)
    refused = command(odd / "home", *(word.format(odd / kind) for word in args))
    assert refused.returncode in (64, 65, 74), refused
    assert re.search("Is a directory|is a directory|it is a|not a readable file", refused.stderr), refused.stderr
    with outlook.store as store:
        assert store.rows("SELECT * FROM job") == []


def test_what_another_command_writes_is_read(tmp_path: Path) -> None:
    """`<(CMD)` and /dev/stdin are pipes that somebody writes to."""
    mine = Queue(tmp_path, '[handlers.echo]\ncommand = "cat"\nprotocol = "lines"\n')
    line = '"$@" --lines <(printf "one\\ntwo\\n") && printf three | "$@" @/dev/stdin && "$@" @<(printf four)'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *HYBRIDQ, "submit", "echo", "--detach"],
        env=environment(mine.folder),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert inputs(mine) == ["one", "two", "three", "four"]


def asked(path: str | Path) -> str:
    """What a model is sent for a job whose input names this file."""
    return prompt("<{file}>", Call(id=1, attempt=1, input=b'"' + os.fsencode(path) + b'"'))


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_prompt_of_no_file_fails_its_job_alone(odd: Path, kind: str) -> None:
    """It waits for nothing, needs no memory, and says what is wrong."""
    with pytest.raises(BadData, match=r"cannot be read: (it is a|Is a)"):
        asked(odd / kind)


def test_a_config_without_end_is_refused(tmp_path: Path) -> None:
    """However large the file is, no more of it is read than a configuration may have."""
    queue(tmp_path).store.close()
    os.truncate(tmp_path / "home" / "config.toml", 1 << 33)
    refused = command(tmp_path / "home", "submit", "echo", "x")
    assert refused.returncode == 78
    assert "larger than" in refused.stderr


def test_a_job_that_names_a_pipe_holds_nobody_up(odd: Path) -> None:
    """A command's folder that is a pipe: that job fails, the next one runs."""
    mine = Queue(odd, "")
    until(lambda: mine.run("submit", "--mode", "stream", "--detach", "--", "true", cwd=odd / "folder").returncode == 0)
    (odd / "folder").rmdir()
    os.mkfifo(odd / "folder")
    mine.run("submit", "--mode", "stream", "--detach", "--", "echo", "fine")
    mine.run("drain", "--quiet")
    assert [state for (state,) in mine.rows("SELECT state FROM job ORDER BY id")] == ["failed", "done"]
