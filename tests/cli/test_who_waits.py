"""Who is taken to wait, for each way to submit: with real shells, terminals, loops and the programs that make them."""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from hybridq.audience import RETYPED
from tests.support.building import HYBRIDQ, until
from tests.support.user import ECHO, Queue

PERSON = "a terminal in the foreground"
LOOP = "a loop in your shell"
SOON = "two jobs within a few seconds"  # where the shell reads lines, which may be typed
ONE_COMMAND = "several jobs from one command"
S = "hq submit echo x --json"  # which neither waits nor follows, and so ends at once
MANY = "many jobs in one submission"
LIST = "printf 'a\\nb\\nc\\n'"


def people(jobs: int = 1) -> list[str]:
    """So many jobs for which somebody waits."""
    return [f"user: {PERSON}"] * jobs


def nobody(*signals: str) -> list[str]:
    """A job for each of these signals that says that nobody waits."""
    return [f"background: {signal}" for signal in signals]


# Typed at the prompt of an interactive shell: the lines, and who waits for each job that they submit.
TYPED = {
    "a command": ([S], people()),
    "a command through sh": ([f"sh -c '{S}'"], people()),
    "a command under nice": ([f"nice {S}"], people()),
    "a command under env": ([f"env A=1 {S}"], people()),
    "a command that reads a pipe": (["echo x | hq submit echo - --json"], people()),
    "a command whose output is read": ([f"{S} | cat"], people()),
    "a command whose output is kept": ([f"id=$({S})"], people()),
    "a subshell": ([f"({S})"], people()),
    "a function": ([f"f() {{ {S}; }}; f"], people()),
    "a script": ([f"printf '#!/bin/sh\\n{S}\\n' >s; chmod +x s; ./s"], people()),
    "one line of a file": (["echo x >f; hq submit echo --lines f --json"], people()),
    "one line of a pipe": (["echo x | hq submit echo --lines - --json"], people()),
    "one JSON line": (['echo \'{"input":"x"}\' | hq submit echo --jsonl - --json'], people()),
    "one file": (["echo x >f; hq submit echo --each f --json"], people()),
    "a program that a person looks at": (["python3 -c 'import os; os.system(\"" + S + "\")'"], people()),
    "two lines": ([f"{LIST} | head -2 | hq submit echo --lines - --json"], nobody(MANY)),
    "two JSON lines": (
        ['printf \'{"input":1}\\n{"input":2}\\n\' | hq submit echo --jsonl - --json'],
        nobody(MANY),
    ),
    "two files": (["touch a b; hq submit echo --each a b --json"], nobody(MANY)),
    "put into the background": ([f"{S} & wait"], nobody("a terminal, but in the background")),
    "a loop whose first went into the background": (
        [f"{S} & wait; {S}"],
        nobody("a terminal, but in the background", LOOP),
    ),
    "a terminal left": ([f"setsid -w {S}"], nobody("no terminal")),
    "without a hangup": ([f"nohup {S} </dev/null 2>/dev/null >o; cat o"], nobody("no terminal")),
    "detached": (["hq submit echo x --detach"], nobody("--detach")),
    "said by the option": ([f"for i in 1 2; do {S} --audience user; done"], ["user: --audience"] * 2),
    "said by the variable": ([f"for i in 1 2; do HYBRIDQ_AUDIENCE=user {S}; done"], ["user: HYBRIDQ_AUDIENCE"] * 2),
    "a for loop": ([f"for i in 1 2 3; do {S}; done"], [*people(), *nobody(LOOP, LOOP)]),
    "a while loop": (["i=0; while [ $i -lt 2 ]; do i=$((i+1)); " + S + "; done"], [*people(), *nobody(LOOP)]),
    "a slow loop": ([f"for i in 1 2; do {S}; sleep 2.1; done"], [*people(), *nobody(LOOP)]),
    "a loop under nice": ([f"for i in 1 2; do nice {S}; done"], [*people(), *nobody(LOOP)]),
    "a loop through sh": ([f"for i in 1 2; do sh -c '{S}; :'; done"], [*people(), *nobody(LOOP)]),
    "a loop whose output is read": ([f"for i in 1 2; do {S} | cat; done"], [*people(), *nobody(LOOP)]),
    "a loop over a file": (
        [f"{LIST} >f; while read -r l; do {S}; done <f"],
        [*people(), *nobody(SOON, SOON)],
    ),
    "a loop over a pipe": (
        [f"{LIST} | while read -r l; do {S}; done"],
        [*people(), *nobody(ONE_COMMAND, ONE_COMMAND)],
    ),
    "a loop that keeps the output": ([f"for i in 1 2; do id=$({S}); done"], [*people(), *nobody(ONE_COMMAND)]),
    "a loop in a script": (
        [f"printf '#!/bin/sh\\nfor i in 1 2; do {S}; done\\n' >s; chmod +x s; ./s"],
        [*people(), *nobody(ONE_COMMAND)],
    ),
    "a loop in Python": (
        ["python3 -c 'import os; [os.system(\"" + S + "\") for i in range(2)]'"],
        [*people(), *nobody(ONE_COMMAND)],
    ),
    "a loop of groups": (
        [f"for i in 1 2; do {LIST} | head -1 | hq submit echo --lines - --json; done"],
        [*people(), *nobody(LOOP)],
    ),
    "xargs": ([f"{LIST} | xargs -n1 hq submit echo --json"], nobody("xargs", "xargs", "xargs")),
    "xargs with one": (["echo a | xargs hq submit echo --json"], nobody("xargs")),
    "xargs in parallel": ([f"{LIST} | xargs -n1 -P3 hq submit echo --json"], nobody("xargs", "xargs", "xargs")),
    "xargs through sh": ([f"echo a | xargs -I% sh -c '{S}; :'"], nobody("xargs")),
    "xargs that waits": (["echo a | xargs hq submit echo --mode stream --wait"], ["user: --wait"]),
    "find": (["touch f; find . -name f -exec hq submit echo {} --json \\;"], nobody("find")),
    "find, all at once": (["touch a b; find . -name '[ab]' -exec hq submit echo --json --each {} +"], nobody(MANY)),
    "make": (["printf 'all:\\n\\t" + S + "\\n' >Makefile; make -s"], people()),
    "make of two": (
        ["printf 'all:\\n\\t" + S + "\\n\\t" + S + "\\n' >Makefile; make -s"],
        [*people(), *nobody(ONE_COMMAND)],
    ),
    "make in parallel": (
        ["printf 'all: a b\\na b:\\n\\t" + S + "\\n' >Makefile; make -sj2"],
        nobody("make -j", "make -j"),
    ),
    "watch": ([f"timeout --foreground 20 watch -n 9 '{S}; kill 0'"], nobody("watch")),
    "a git hook": (
        [
            "git init -q . && git config user.email a@b && git config user.name a",
            f"printf '#!/bin/sh\\n{S}\\n' >.git/hooks/post-commit; chmod +x .git/hooks/post-commit",
            "git commit -q --allow-empty -m x",
        ],
        nobody("a git hook"),
    ),
    "a git alias": (["git init -q . && git config alias.sub '!" + S + "'", "git sub"], people()),
    "under CI": ([f"CI=true {S}"], nobody("CI")),
    "under CI, waiting": (["CI=true hq submit echo x --wait"], nobody("CI")),
    "not under CI": ([f"CI=false {S}"], people()),
    "waiting": (["hq submit echo x --wait"], ["user: --wait"]),
    "following": (["hq submit echo x --follow"], ["user: --follow"]),
}

# Without a terminal: the variables, the words after `hq submit`, and who waits.
PLAIN: dict[str, tuple[dict[str, str], str, str]] = {
    "a program": ({}, "echo x --json", "background: no terminal"),
    "a program that waits": ({}, "echo x --wait", "user: --wait"),
    "a service": ({"INVOCATION_ID": "1"}, "echo x --json", "background: systemd service"),
    "a service that waits": ({"INVOCATION_ID": "1"}, "echo x --wait", "background: systemd service"),
    "a service that follows": ({"JOURNAL_STREAM": "8:1"}, "echo x --follow", "background: systemd service"),
    "CI": ({"CI": "true"}, "echo x --json", "background: CI"),
    "CI that waits": ({"CI": "1"}, "echo x --wait", "background: CI"),
    "CI that says so": ({"CI": "1", "HYBRIDQ_AUDIENCE": "user"}, "echo x --json", "user: HYBRIDQ_AUDIENCE"),
    "a service that says so": ({"INVOCATION_ID": "1"}, "echo x --json --audience user", "user: --audience"),
}


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue of its own, with `hq` in its path."""
    queue = Queue(tmp_path, ECHO)
    program = tmp_path / "bin" / "hq"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(HYBRIDQ)} "$@"\n')
    program.chmod(0o755)
    queue.environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "xterm"}
    (tmp_path / "work").mkdir()
    return queue


def found(queue: Queue) -> list[str]:
    """Who waits for each submission, and what said so."""
    rows = queue.rows(
        "SELECT audience || ': ' || json_extract(CAST(request AS TEXT), '$.signal') FROM cohort"
        " WHERE origin IS NULL AND accepted IS NOT NULL ORDER BY id"
    )
    return [said for (said,) in rows]


def callers(queue: Queue) -> list[tuple[object, ...]]:
    """What the kernel told of who called, and when each was over: for a failure's sake."""
    return queue.rows(
        "SELECT id, json_extract(CAST(request AS TEXT), '$.caller'), accepted, finished FROM cohort"
        " WHERE origin IS NULL ORDER BY id"
    )


@contextmanager
def shell(queue: Queue, program: str = "bash --norc --noprofile -i") -> "Iterator[pexpect.spawn[str]]":
    """An interactive shell on a terminal of its own."""
    name, *words = shlex.split(program)
    work, environment = queue.folder.parent / "work", {**queue.environment, "PS1": "ready> "}
    child = pexpect.spawn(name, words, env=environment, cwd=str(work), encoding="utf-8", timeout=60)
    try:
        child.expect("ready> ")
        yield child
    finally:
        child.close(force=True)


def type_in(child: "pexpect.spawn[str]", *lines: str) -> None:
    """Type each line when the one before is done."""
    for number, line in enumerate(lines):
        child.sendline(f"{line}\necho d''one-{number}")
        child.expect(f"done-{number}")


@pytest.mark.parametrize("name", TYPED)
def test_typed_at_a_prompt(queue: Queue, name: str) -> None:
    """Who waits for what is typed at a prompt: a person, unless the kernel knows of a loop."""
    lines, expected = TYPED[name]
    with shell(queue) as child:
        type_in(child, *lines)
    # A busy shell may have taken the terminal back from a pipeline whose head has ended: nobody waits, by that sign.
    taken = "background: a terminal, but in the background"
    told = found(queue)
    pairs = zip(told, expected, strict=True)
    piped = " | " in "".join(lines)
    assert [right if one == taken and (piped or right.startswith("background")) else one for one, right in pairs] == (
        expected
    ), callers(queue)


@pytest.mark.parametrize("name", PLAIN)
def test_without_a_terminal(queue: Queue, name: str) -> None:
    """Who waits where there is no terminal."""
    environ, words, expected = PLAIN[name]
    done = subprocess.run(
        ["hq", "submit", *words.split()],
        env={**queue.environment, **environ},
        executable=shutil.which("hq", path=queue.environment["PATH"]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, found(queue)) == (0, [expected]), done.stderr


def test_a_command_that_waits_runs_what_nobody_else_would(queue: Queue) -> None:
    """Under CI nobody waits, but without a daemon what the command waits for is run by it, and it says why."""
    done = queue.run("submit", "echo", "x", "--wait", env={"CI": "true"})
    assert (done.returncode, found(queue)) == (0, nobody("CI"))
    reason = queue.run("explain", "1").stdout
    assert "runs now: no daemon runs that would flush it, and this command waits" in reason


def test_a_person_who_types_again(queue: Queue) -> None:
    """Whoever types a second command a few seconds later is a person still, also after one that was followed."""
    with shell(queue) as child:
        type_in(child, S)
        time.sleep(RETYPED + 0.1)  # as a person would
        type_in(child, S)
        time.sleep(RETYPED + 0.1)
        type_in(child, "hq submit echo x --mode stream")
        time.sleep(RETYPED + 0.1)
        type_in(child, S)
    assert found(queue) == people(4)


def test_loops_in_two_terminals_are_two(queue: Queue) -> None:
    """Two people at two terminals are two people, however soon one follows the other."""
    with shell(queue) as first, shell(queue) as second:
        type_in(first, S)
        type_in(second, S)
    assert found(queue) == people(2)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt install tmux")
def test_tmux_pane(queue: Queue) -> None:
    """Somebody waits in a pane that a client shows, nobody in one of a session that is detached."""
    socket = str(queue.folder.parent / "tmux")
    tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
    work = queue.folder.parent / "work"

    def ask(*words: str) -> str:
        return subprocess.run(
            [*tmux, *words], env=queue.environment, cwd=work, text=True, capture_output=True, check=True, timeout=30
        ).stdout

    def submitted(target: str) -> str:
        before = len(found(queue))
        ask("send-keys", "-t", target, S, "Enter")
        until(lambda: len(found(queue)) > before)
        return found(queue)[-1]

    ask("new-session", "-d", "-s", "one", "sh")
    try:
        assert [submitted("one:0")] == nobody("nobody looks at this tmux pane")
        with shell(queue) as child:
            child.sendline(shlex.join([*tmux, "attach", "-t", "one"]))
            until(lambda: ask("list-clients").strip() != "")
            time.sleep(RETYPED + 0.1)
            assert [submitted("one:0")] == people()
            ask("new-window", "-t", "one", "sh")  # which is shown from now on
            assert [submitted("one:1")] == people()
            time.sleep(RETYPED + 0.1)
            assert [submitted("one:0")] == nobody("nobody looks at this tmux pane")
    finally:
        ask("kill-server")
