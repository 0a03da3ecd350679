"""Encodings at each door: a mark is none of the text, another encoding is named, a file's name is bytes."""

import json
import os
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.handlers.llm.prompts import prompt
from hybridq.home import Home
from hybridq.job import Call
from hybridq.simulate.workload import Suppose, read_trace
from tests.support.user import Queue, inputs

MARK = b"\xef\xbb\xbf"
ODD = os.fsdecode(b"caf\xe9 \xff.txt")
CAT = '[handlers.echo]\ncommand = "cat"\nprotocol = "lines"\n'


@pytest.fixture
def mine(tmp_path: Path) -> Queue:
    """A queue whose handler gives its input back."""
    return Queue(tmp_path, CAT)


@pytest.mark.parametrize(
    ("content", "args"),
    [
        (b"hello", ("@{}",)),
        (b"hello", ("-",)),
        (b"hello\r\n", ("--lines", "{}")),
        (b"hello\r\n", ("--lines", "-")),
        (b'{"input": "hello"}\r\n', ("--jsonl", "{}")),
    ],
)
def test_a_mark_of_the_encoding_is_none_of_an_input(
    mine: Queue, tmp_path: Path, content: bytes, args: tuple[str, ...]
) -> None:
    """Of a file, of lines, of standard input."""
    path = tmp_path / "marked"
    path.write_bytes(MARK + content)
    words = [word.format(path) for word in args]
    assert mine.run("submit", "echo", "--detach", *words, input=MARK + content, text=False).returncode == 0
    assert inputs(mine) == ["hello"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("args", [("@{}",), ("-",), ("--lines", "{}"), ("--jsonl", "{}", "--skip-bad")])
def test_another_encoding_is_named_and_nothing_accepted(
    mine: Queue, tmp_path: Path, args: tuple[str, ...], encoding: str
) -> None:
    """Also where bad lines are left out: every second byte of it would pass for text."""
    path = tmp_path / "wide"
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # the other brings its own
    path.write_bytes((mark + '{"input": "one"}\n{"input": "two"}\n').encode(encoding))
    words = [word.format(path) for word in args]
    refused = mine.run("submit", "echo", *words, input=path.read_bytes(), text=False)
    assert (refused.returncode, refused.stdout) == (65, b"")
    assert b"UTF-16, not UTF-8" in refused.stderr
    assert inputs(mine) == []


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (MARK + b"hello\r\nyou", "hello\nyou"),
        ("hello".encode("utf-16"), "hello"),
        (b"price 5\x96", "price 5\ufffd"),
    ],
)
def test_a_file_in_a_prompt_is_its_text(tmp_path: Path, content: bytes, sent: str) -> None:
    """Whatever wrote it; bytes that are no text are replaced."""
    (tmp_path / "x.txt").write_bytes(content)
    assert prompt("{file}", Call(id=1, attempt=1, input=json.dumps(str(tmp_path / "x.txt")).encode())) == sent


def test_a_file_whose_name_is_no_text_is_read(mine: Queue, tmp_path: Path) -> None:
    """As an input of --each that a prompt names, and as @FILE."""
    (tmp_path / ODD).write_text("hello")
    assert mine.run("submit", "echo", "--detach", "--each", "--", str(tmp_path / ODD)).returncode == 0
    assert mine.run("submit", "echo", "--detach", f"@{tmp_path / ODD}").returncode == 0
    (named,), (text,) = mine.rows("SELECT input FROM job ORDER BY id")
    assert json.loads(text) == "hello"
    assert prompt("{file}", Call(id=1, attempt=1, input=named)) == "hello"
    assert prompt("{input}", Call(id=1, attempt=1, input=named)).isprintable()


def test_a_folder_whose_name_is_no_text_is_worked_in(mine: Queue, tmp_path: Path) -> None:
    """A command runs where it was submitted, also through the daemon's hands."""
    (tmp_path / ODD).mkdir()
    done = mine.run("submit", "--mode", "stream", "--follow", "--", "pwd", cwd=tmp_path / ODD, text=False)
    assert (done.returncode, done.stdout) == (0, os.fsencode(tmp_path / ODD) + b"\n"), done.stderr
    assert json.loads(mine.run("show", "last", "--json").stdout)["cwd"].endswith("caf\\xe9 \\xff.txt")


def test_a_config_with_a_mark_is_read(tmp_path: Path) -> None:
    """As an editor of Windows writes it."""
    (tmp_path / "config.toml").write_bytes(MARK + CAT.replace("\n", "\r\n").encode())
    assert "echo" in load_config(Home(tmp_path, tmp_path / "config.toml"), {}).handlers


def test_a_trace_with_a_mark_is_read(tmp_path: Path) -> None:
    """As a spreadsheet writes it."""
    (tmp_path / "t.csv").write_bytes(MARK + b"arrival,input_size,output_size\r\n0,1,1\r\n")
    assert len(read_trace(tmp_path / "t.csv", Suppose()).arrivals) == 1
