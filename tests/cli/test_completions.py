"""The completion scripts: the ones that are kept are the ones that the commands make, and bash obeys them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq_cli.shells import complete, completion, scripts
from hybridq_cli.shells.scripts import SCRIPTS
from tests.support.completing import KEPT, filled, program
from tests.support.user import Queue

HOSTILE = "$(touch pwned); `x` 'y'"


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three jobs, two groups and two handlers."""
    return filled(tmp_path_factory.mktemp("home"), HOSTILE)


def bash_completes(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words, each without its quoting."""
    line = " ".join(shlex.quote(word) for word in (str(program(folder / "hybridq")), *words))
    script = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _hybridq; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", f"source {shlex.quote(str(KEPT / 'hybridq'))}; {script}"],
        env={**os.environ, "HYBRIDQ_HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return shlex.split(done.stdout)


def test_kept_scripts_are_the_made_ones(tmp_path: Path) -> None:
    """`hybridq completions --write completions` would change nothing."""
    written = scripts.write(tmp_path)
    assert [path.name for path in written] == [name for name, _ in SCRIPTS.values()]
    for path in written:
        assert path.read_text() == (KEPT / path.name).read_text(), "run: hybridq completions --write completions"


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_script_knows_every_command_and_option(shell: str) -> None:
    """No command and no option is missing from any shell's script."""
    script = scripts.script(shell)
    for command in completion.commands():
        assert command.name in script
        for option in command.options:
            for name in option.names:
                assert (name if shell != "fish" else name.lstrip("-")) in script


def test_bash_completes_commands_and_options(queue: Path) -> None:
    """Commands, options and fixed values are offered where they may stand, in both spellings of a value."""
    assert bash_completes(queue, "hand") == ["handlers"]
    assert bash_completes(queue, "handlers", "--c") == ["--check"]
    assert bash_completes(queue, "submit", "--mode", "ba") == ["batch"]
    assert bash_completes(queue, "submit", "--mode", "=", "ba") == ["batch"]
    assert bash_completes(queue, "completions", "") == ["bash", "zsh", "fish"]


def test_bash_completes_from_the_queue(queue: Path) -> None:
    """Ids, groups and handlers come from the queue and the configuration."""
    assert bash_completes(queue, "cancel", "night") == ["nightly"]
    assert set(bash_completes(queue, "cancel", "")) == {"last", "all", "nightly", HOSTILE, "1", "2", "3"}
    assert bash_completes(queue, "show", "3") == ["3"]
    assert bash_completes(queue, "submit", "dig") == ["digest"]
    assert bash_completes(queue, "submit", "--mode", "batch", "dig") == ["digest"]


def test_bash_completes_the_commands_of_a_command(queue: Path) -> None:
    """`schedule` has commands of its own, each with its options and places; what is none of them is no place."""
    assert bash_completes(queue, "schedule", "re") == ["resume", "remove"]
    assert bash_completes(queue, "schedule", "edit", "--over") == ["--overlap"]
    assert bash_completes(queue, "schedule", "edit", "--overlap", "ca") == ["cancel"]
    assert bash_completes(queue, "schedule", "show", "") == ["weekly-audit"]
    assert bash_completes(queue, "schedule", "add", "x", "@weekly", "dig") == ["digest"]
    assert bash_completes(queue, "schedule", "add", "x", "@weekly", "--group", "night") == ["nightly"]


def test_bash_replaces_what_follows_a_colon_alone(tmp_path: Path) -> None:
    """readline splits words at `:` and `=` and replaces the last piece: that alone is offered."""
    folder = filled(tmp_path, "hostile", "team:late", "k=v:x")
    assert bash_completes(folder, "show", "team", ":", "l") == ["late"]
    assert bash_completes(folder, "show", "team", ":") == ["late"]
    assert bash_completes(folder, "show", "tea") == ["team:late"]
    assert bash_completes(folder, "drain", "--group", "=", "k", "=", "v", ":", "x") == ["x"]
    assert bash_completes(folder, "drain", "--group=team:l") == ["--group=team:late"]


def test_bash_completes_the_command_of_a_shell_job(queue: Path) -> None:
    """After `--` come commands, then files."""
    assert "true" in bash_completes(queue, "submit", "--", "tru")
    assert bash_completes(queue, "submit", "--", "cat", "config") == ["config.toml"]


def test_a_name_from_the_queue_is_never_run(queue: Path) -> None:
    """A group's name that is a command is offered quoted, and not run."""
    assert bash_completes(queue, "wait", "$") == [HOSTILE]
    assert not (queue / "pwned").exists()


def test_every_kind_is_answered(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind that a script asks for gives what begins as asked, the newest id first."""
    monkeypatch.setenv("HYBRIDQ_HOME", str(queue))
    assert complete.ids("") == ["3", "2", "1"]
    assert complete.groups("n") == ["nightly"]
    assert complete.handlers("s") == ["shell"]
    assert complete.selectors("la") == ["last"]
    assert complete.selectors("") == ["last", "all", *complete.groups(""), "3", "2", "1"]
    kinds = {thing.kind for command in completion.commands() for thing in (*command.options, *command.places)}
    assert kinds <= {*complete.KINDS, "", "nothing", "files", "folders", "words"}


def test_a_large_group_does_not_fill_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a group of fifty its name is offered, and a few ids; all ids that begin as typed."""
    user = Queue(tmp_path, "[handlers.digest]\ncommand = 'cat'\n")
    user.run("submit", "digest", "--lines", "-", "--group", "many", input="x\n" * 50)
    monkeypatch.setenv("HYBRIDQ_HOME", str(user.folder))
    assert complete.selectors("") == ["last", "all", "many", *map(str, range(50, 40, -1))]
    assert len(complete.selectors("4")) == 11


@pytest.mark.parametrize("args", [["ids", ""], ["groups", "x"], ["nonsense", ""], [], ["handlers", "\x1b"]])
def test_answer_is_silent_where_there_is_nothing(tmp_path: Path, args: list[str]) -> None:
    """Without a queue, with a broken configuration or a strange question: nothing said, nothing made, exit 0."""
    (tmp_path / "config.toml").write_text("[broken")
    done = subprocess.run(
        [sys.executable, "-c", "from hybridq_cli.main import run; run()", "__complete", *args],
        env={**os.environ, "HYBRIDQ_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_without_a_name_the_shell_is_the_users(tmp_path: Path) -> None:
    """`hybridq completions` is for the shell in $SHELL; for one that it does not know it says which there are."""
    user = Queue(tmp_path)
    mine, other = (user.run("completions", env={"SHELL": shell}) for shell in ("/usr/bin/fish", "/bin/tcsh"))
    assert mine.stdout == (KEPT / "hybridq.fish").read_text()
    assert other.returncode == 64
    assert "bash, zsh or fish" in other.stderr
