"""A hint says the whole line again: every argument of the one that it corrects, quoted as a shell needs it."""

import shlex
from pathlib import Path

import pytest

from tests.support.user import ECHO, Queue


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("stauts --all 'a b'", "hybridq status --all 'a b'"),
        ("wiat 3,5-8 --timeout 2s", "hybridq wait 3,5-8 --timeout 2s"),
        ("ls -l 'a b'", "hybridq submit -- ls -l 'a b'"),
        ("submit ls -l", "hybridq submit -- ls -l"),
        ("submit --group g ls -l", "hybridq submit --group g -- ls -l"),
        ("submit cat 'a b' c", "hybridq submit -- cat 'a b' c"),
        ("submit --group cat cat x --wait", "hybridq submit --group cat --wait -- cat x"),
        ("submit 'ls | wc'", "hybridq submit --shell 'ls | wc'"),
    ],
)
def test_a_hint_keeps_the_arguments(tmp_path: Path, typed: str, meant: str) -> None:
    """Whatever was typed wrongly, the line that is proposed has all of it, and ends with 64."""
    done = Queue(tmp_path, ECHO).run(*shlex.split(typed))
    assert done.returncode == 64
    assert f": {meant}" in done.stderr
    assert done.stdout == ""


def test_a_word_that_means_nothing_gets_no_line(tmp_path: Path) -> None:
    """Where nothing is near, the list of commands is named."""
    assert Queue(tmp_path).run("qqqq").stderr == "hybridq: no command named 'qqqq'. List them: hybridq --help\n"
