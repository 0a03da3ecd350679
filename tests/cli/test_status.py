"""`status` as a user types it, and what every view owes its reader: real processes, pipes and terminals."""

import json
import re
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from hybridq.outlook import Outlook
from hybridq.submit import submit
from hybridq_cli.draw.filter import Filter
from hybridq_cli.watching import QueueDesk, Watched
from tests.support.building import (
    ECHO,
    HYBRIDQ,
    asking,
    command,
    daemon,
    document,
    environment,
    groups,
    queue,
    typed,
    until,
)

HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m[bold red]x[/nope]\u202eabc\u2066\x00\x7f\ud83d\n\ttail"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def test_an_empty_queue_says_how_to_begin(outlook: Outlook) -> None:
    """Nothing there: the first command to type, beside the table that is none."""
    assert typed(outlook, "status", hint="hybridq: nothing here yet: hybridq submit -- CMD\n").count("\n") == 1


def test_no_arguments_at_all_are_status(every_state: Outlook) -> None:
    """`hybridq` alone shows the queue."""
    bare, named = (typed(every_state, *args).splitlines() for args in ((), ("status",)))
    assert [line.split("\t")[:4] for line in bare] == [line.split("\t")[:4] for line in named]


def test_status_is_a_line_a_row_for_a_pipe(every_state: Outlook) -> None:
    """Titles, then one line a row with its fields apart by tabs."""
    title, *lines = typed(every_state, "status").splitlines()
    assert title.split() == ["ID", "WHAT", "MODE", "STATE", "PROGRESS", "ETA", "IN", "WHY"]
    fields = [line.split("\t") for line in lines]
    assert [(line[0], line[3]) for line in fields] == [
        ("1-6", "running"),
        ("9", "queued"),
        ("8", "held"),
        ("7", "cancelled"),
    ]


def test_selectors_and_filters_go_together(every_state: Outlook) -> None:
    """Rows are those that every condition lets through; the limit counts them."""

    def ids(*args: str) -> list[int]:
        return [row["id"] for row in document(every_state, "status", *args)["rows"]]

    assert ids("1-9", "--state", "failed", "--state", "cancelled") == [4, 7]
    assert ids("--mode", "stream") == [9]
    assert ids("8", "g") == [8, 1, 4]
    assert ids("--limit", "2") == [1, 9]
    assert ids("all", "--state", "done") == [1, 2, 3]
    assert ids("g", "--state", "failed") == [4]


@pytest.mark.parametrize("args", [["status", "99"], ["status", "none"], ["show", "99"], ["explain", "none"]])
def test_what_is_not_there_is_66(every_state: Outlook, args: list[str]) -> None:
    """A selector that names nothing: one sentence on standard error, 66, and nothing on standard output."""
    done = command(every_state.store.home, *args)
    assert (done.returncode, done.stdout) == (66, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args", [["status", "--limit", "0"], ["status", "--state", "odd"], ["status", "8-3"], ["show", "1-3"], ["show"]]
)
def test_what_makes_no_sense_is_64(every_state: Outlook, args: list[str]) -> None:
    """A bad option or selector is a usage error."""
    assert command(every_state.store.home, *args).returncode == 64


def test_json_is_one_document_with_stable_names(every_state: Outlook) -> None:
    """Head, rows, hidden; times are epoch seconds; counts are by state."""
    found = document(every_state, "status")
    assert set(found) == {"head", "rows", "pipes", "hidden", "more", "searched_from"}
    assert found["head"]["counts"] == {"queued": 3, "running": 1, "done": 3, "failed": 1, "cancelled": 1}
    assert abs(found["head"]["now"] - time.time()) < 60
    assert set(found["rows"][0]) == {
        "id",
        "last",
        "group",
        "what",
        "handler",
        "audience",
        "mode",
        "lane",
        "state",
        "counts",
        "submitted",
        "started",
        "finished",
        "start",
        "eta",
        "eta90",
        "deadline",
        "cost",
        "exit_code",
        "away",
        "waits_for",
        "mixed",
        "why",
        "why_beside",
        "why_kind",
        "late",
        "late_by",
        "causes",
    }


def test_hostile_inputs_are_shown_as_text(outlook: Outlook) -> None:
    """Escapes, markup, bidi and NUL in a job's input reach neither a pipe, nor a terminal, nor JSON as they are."""
    data = json.dumps(HOSTILE).encode()
    submit(outlook, asking(), data)
    submit(outlook, asking("shell"), json.dumps({"argv": ["echo", HOSTILE.replace("\0", "")]}).encode())
    for args in (["status"], ["show", "1"], ["show", "2"], ["explain", "1"]):
        for more in ([], ["--json"]):
            text = typed(outlook, *args, *more)
            assert not UNSEEN.search(text), (args, text)
    assert "[bold red]" in typed(outlook, "status")
    shown = screen(outlook, "status")
    assert "\x1b[2J" not in shown
    assert "\x1b]" not in shown
    assert not re.search("[\x80-\x9f\u202e\u2066]", shown)


def test_a_huge_input_is_cut(outlook: Outlook) -> None:
    """An input of eight megabytes is shown by its beginning, and its size is said."""
    submit(outlook, asking(), b'"' + b"a" * 8_000_000 + b'"')
    assert len(typed(outlook, "status")) < 4000
    assert "8,000,002 bytes" in typed(outlook, "show", "1")
    assert len(document(outlook, "show", "1")["input"]) < 10_000


def test_a_thousand_groups_are_cut_to_the_limit_and_counted(outlook: Outlook) -> None:
    """A listing says how many jobs it left out; `--all` leaves out none."""
    groups(outlook, 1000)
    few = typed(outlook, "status", hint="hybridq: and 960 more jobs: --all\n").splitlines()
    assert len(few) == 41
    assert len(typed(outlook, "status", "--all").splitlines()) == 1001


def screen(outlook: Outlook, *args: str) -> str:
    """What reaches a terminal of 100 columns from a command that ends well."""
    child = pexpect.spawn(
        HYBRIDQ[0],
        [*HYBRIDQ[1:], *args],
        env=environment(outlook.store.home.folder, TERM="xterm-256color"),
        encoding="utf-8",
        codec_errors="surrogateescape",
        dimensions=(24, 100),
        timeout=30,
    )
    text = str(child.read())
    child.close()
    assert child.exitstatus == 0
    return text


def test_status_draws_on_a_terminal(every_state: Outlook) -> None:
    """On a terminal the head stands above the rows, and it ends at once."""
    text = screen(every_state, "status")
    assert "hybridq daemon" in text
    assert re.search(r"8\b.*echo y.*held", text)


def test_watch_shows_a_change_at_once_and_ends_with_q(outlook: Outlook) -> None:
    """The live view shows what is submitted while it stays, and gives the terminal back at `q`."""
    child = pexpect.spawn(
        HYBRIDQ[0],
        [*HYBRIDQ[1:], "status", "--watch"],
        encoding="utf-8",
        dimensions=(24, 100),
        timeout=30,
        env=environment(outlook.store.home.folder, TERM="xterm-256color"),
    )
    child.expect("nothing here yet")
    submit(outlook, asking(), b'"arrived"')
    child.expect("echo arrived")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_ring_without_a_change_reads_nothing_anew(outlook: Outlook, tmp_path: Path) -> None:
    """The live view's snapshot is taken again when somebody else has written, and not before."""
    desk, everything = QueueDesk(outlook, Watched(limit=10)), Filter()
    first = desk.take(5, everything, False)
    assert desk.take(5, everything, False) is first
    with queue(tmp_path).store as other, other.tx() as connection:
        connection.execute("INSERT INTO meta VALUES ('x', 1)")
    second = desk.take(5, everything, False)
    assert second is not first
    third = desk.take(50, everything, False)
    assert third is not second
    assert desk.take(60, everything, False) is third


def test_watch_without_a_terminal_prints_what_changed(outlook: Outlook) -> None:
    """Piped, the live view is a line a change."""
    said = outlook.store.home.folder / "said"
    with said.open("wb") as file:
        child = subprocess.Popen(
            [*HYBRIDQ, "status", "--watch"], stdout=file, env=environment(outlook.store.home.folder)
        )
    try:
        until(lambda: "no daemon" in said.read_text())
        submit(outlook, asking(), b'"arrived"')
        until(lambda: "echo arrived" in said.read_text())
    finally:
        child.terminate()
    assert child.wait(20) == 143


def test_the_help_says_what_times_are(outlook: Outlook) -> None:
    """Each command's `--json` says how times are written."""
    for name in ("status", "show", "explain"):
        assert "epoch seconds" in " ".join(typed(outlook, name, "--help").split())


def test_a_removed_handler_breaks_nothing(every_state: Outlook) -> None:
    """Jobs of a handler that is no longer configured are listed and explained."""
    config = every_state.store.home.config_file
    config.write_text("")
    assert typed(every_state, "status")
    assert typed(every_state, "explain", "8")
    config.write_text(ECHO)


def test_a_dead_daemon_leaves_the_view(outlook: Outlook) -> None:
    """A daemon that was killed is not shown again, though nobody has written and the last snapshot is not stale."""
    desk = QueueDesk(outlook)
    with daemon(outlook) as process:
        assert str(process.pid) in desk.take(5, Filter(), False).head.daemon
        process.kill()
        process.wait()
        assert desk.take(5, Filter(), False).head.daemon == ""
