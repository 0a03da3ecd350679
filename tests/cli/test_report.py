"""`report` as its user types it: lines, one document, curves on a terminal, a page, and what is said without them."""

import json
import os
import re
from pathlib import Path

import pexpect
import pytest
from msgspec.structs import replace

from hybridq.installed import install_command
from hybridq.job import Audience
from hybridq.report.report import Saved
from hybridq_cli.draw.report import headline, sections
from hybridq_cli.draw.words import saved_words
from tests.support.building import ECHO, HYBRIDQ, asking, command, environment, look, queue, run_jobs, submit_all, typed
from tests.support.ledgers import Past, asked


def test_an_empty_queue_says_so_kindly(past: Past) -> None:
    """With nothing in it the report says what to do; with nothing finished, where to look."""
    said = command(past.home, "report")
    assert (said.returncode, said.stdout.strip()) == (0, "no job has run yet. Submit one: hybridq submit -- COMMAND")
    past.submit(0, 3)
    said = command(past.home, "report")
    assert "no job has finished yet; 3 jobs are queued or running" in said.stdout
    assert "nothing was submitted since" in command(past.home, "report", "--since", "1s").stdout


def test_the_document_has_the_same_figures(past: Past) -> None:
    """`--json` is one document that holds what the report says."""
    past.flush(100, 110, past.submit(10, 4))
    said = command(past.home, "report", "--json")
    found = json.loads(said.stdout)
    assert (found["done"], found["total"]["saved"], found["total"]["share"]) == (4, 3.0, 0.75)
    assert found["gathered"]["sooner"] is None


def test_it_says_what_the_rules_are(past: Past) -> None:
    """The flushes are told by why they ran, in words."""
    past.flush(100, 110, past.submit(10, 4), rule="drain")
    said = command(past.home, "report").stdout
    assert re.search(r"started by hand +1 +4", said)
    assert "waiting saves nothing" not in said


@pytest.mark.parametrize(
    ("shared", "part", "says"),
    [(True, 1.0, "not known yet"), (True, 2.0, "(50%)"), (False, 0.8, "(25%) more"), (False, 1.0, None)],
    ids=["not known", "saved", "lost", "nothing"],
)
def test_status_tells_the_savings_of_the_report(tmp_path: Path, shared: bool, part: float, says: str | None) -> None:
    """The same jobs have the same savings in both, are dearer in both, or not known yet in both."""
    outlook = queue(tmp_path, ECHO.replace('protocol = "lines"\n', "") if shared else ECHO)
    with outlook.store:
        submit_all(outlook, asking(), [b"1"] * 4)
        run_jobs(outlook, 4)
        with outlook.store.tx() as connection:
            connection.execute("UPDATE cohort SET streamed = cost * ?", (part,))
        assert (says or "saved 0") in saved_words(look(outlook).head)
        assert (says or "nothing saved") in typed(outlook, "report").replace("\n", " ")


def test_money_adds_up_as_it_is_told(past: Past) -> None:
    """The same decimals below and beside each other; a loss is more, and no saving has a percentage."""
    past.flush(100, 110, past.submit(10, 4))
    found = past.report()
    rows = [
        Saved(handler=name, audience=Audience.USER, jobs=1, done=1, cost=c, streamed=s, saved=s - c, share=1 - c / s)
        for name, c, s in (("one", 0.00306, 0.01041), ("two", 0.00414, 0.00404))
    ]
    whole = Saved(
        handler=None, audience=None, jobs=2, done=2, cost=0.0072, streamed=0.01445, saved=0.00725, share=0.5017
    )
    found = replace(found, saved=tuple(rows), total=whole)
    (_, _, _, money), *_ = sections(found)
    assert [row[3:] for row in money] == [
        ("0.0031", "0.0104", "0.0073", "71%"),
        ("0.0041", "0.0040", "-0.0001", "-2%"),
        ("0.0072", "0.0144", "0.0072", "50%"),
    ]
    assert headline(found).startswith("The jobs cost 0.0072; streaming all of them as they came would have cost 0.0144")
    loss, none = replace(found, saved=(rows[1],), total=rows[1]), replace(rows[0], cost=0.010402, share=0.0008)
    assert headline(loss).endswith("would have cost 0.0040: 0.0001 (2%) more.")
    assert headline(replace(found, saved=(none,), total=none)).endswith(": nothing saved.")


def test_names_from_outside_are_harmless(past: Past) -> None:
    """What a job's failure says cannot steer the terminal, in tables and in the document; no line ends with spaces."""
    past.flush(10, 20, past.submit(0, 2), errors=["\x1b]52;c;x\x07[red]boom\u202e"])
    for flags in ((), ("--json",)):
        said = command(past.home, "report", *flags)
        assert "boom" in said.stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(said.stdout)
        assert all(line == line.rstrip() for line in said.stdout.splitlines())
    assert "[red]" in command(past.home, "report").stdout


def shown(past: Past, **environ: str) -> str:
    """What a terminal of 100 columns shows."""
    text, code = pexpect.run(
        " ".join([HYBRIDQ[0], "-c", f"'{HYBRIDQ[2]}'", "report"]),
        withexitstatus=True,
        encoding="utf-8",
        timeout=60,
        env={**environment(past.home, **environ), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )
    assert code == 0, text
    return str(text)


def without(module: str, folder: Path) -> dict[str, str]:
    """The environment of an installation that lacks this module."""
    (folder / f"{module}.py").write_text("raise ImportError")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.getcwd()])}


def test_a_terminal_shows_curves(past: Past, tmp_path: Path) -> None:
    """On a terminal there are tables and curves; without plotext one line says how to get it."""
    asked(past, 0, 1, 2)
    past.flush(100, 110, past.submit(10, 4))
    text = shown(past)
    assert "Time to first output" in text
    assert "cost so far" in text
    assert "▚" in text
    bare = shown(past, **without("plotext", tmp_path))
    assert "Time to first output" in bare
    assert f"curves need plotext: {install_command('report')}" in " ".join(bare.split())
    assert "cost so far" not in bare


def test_a_page_without_plotly_says_how_to_get_it(past: Past, tmp_path: Path) -> None:
    """Without plotly nothing is written, and the error names the command that helps."""
    past.flush(100, 110, past.submit(10, 4))
    page = tmp_path / "page.html"
    said = command(past.home, "report", "--html", str(page), **without("plotly", tmp_path))
    assert said.returncode != 0
    assert install_command("report") in said.stderr
    assert not page.exists()


def test_a_page_that_cannot_be_written(past: Past, tmp_path: Path) -> None:
    """A folder that is not there is named, without a traceback."""
    past.flush(100, 110, past.submit(10, 4))
    said = command(past.home, "report", "--html", str(tmp_path / "no" / "page.html"))
    assert said.returncode != 0
    assert "cannot write" in said.stderr
    assert "Traceback" not in said.stderr


def test_reading_is_all_it_does(past: Past) -> None:
    """A report changes nothing in the queue."""
    past.flush(100, 110, past.submit(10, 4))
    before = past.store.changes()
    command(past.home, "report", "--json")
    assert past.store.changes() == before
