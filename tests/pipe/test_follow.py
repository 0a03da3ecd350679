"""`--follow`: files by their names, as they grow, are rotated or cut."""

from pathlib import Path
from typing import IO

from tests.support.user import Queue


def add(file: Path, text: str) -> None:
    """Write more to a log."""
    with file.open("a") as more:
        more.write(text)


def said(out: IO[str] | None, lines: int) -> list[str]:
    """So many lines of results."""
    assert out is not None
    return [out.readline().strip() for _ in range(lines)]


def test_a_log_is_followed_through_rotation_and_truncation(queue: Queue, tmp_path: Path) -> None:
    """What was written to the old file before and after it was renamed, the new file, and what comes after a cut."""
    file = tmp_path / "log"
    file.write_text("a\n")
    with queue.start("pipe", "upper", "-F", str(file)) as process:
        assert said(process.stdout, 1) == ["A"]
        file.rename(tmp_path / "log.1")
        add(tmp_path / "log.1", "b\nc")
        add(file, "d\n")
        assert said(process.stdout, 3) == ["B", "C", "D"]
        file.write_text("")
        assert queue.rows("SELECT count(*) FROM pipe") == [(1,)]
        add(file, "e\n")
        assert said(process.stdout, 1) == ["E"]


def test_by_its_key_it_finds_a_file_that_was_rotated_meanwhile(queue: Queue, tmp_path: Path) -> None:
    """Its rest is read first, by the name that it has now."""
    file = tmp_path / "log"
    file.write_text("a\n")
    queue.run("pipe", "upper", "--key", "k", str(file))
    add(file, "b\n")
    file.rename(tmp_path / "log.1")
    file.write_text("c\n")
    with queue.start("pipe", "upper", "-F", "--key", "k", str(file)) as process:
        assert said(process.stdout, 2) == ["B", "C"]


def test_a_file_that_is_not_there_yet_is_waited_for(queue: Queue, tmp_path: Path) -> None:
    """And several are followed at once."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("a\n")
    with queue.start("pipe", "upper", "-F", str(first), str(second)) as process:
        assert said(process.stdout, 1) == ["A"]
        second.write_text("b\n")
        assert said(process.stdout, 1) == ["B"]
