"""`doctor`: the queue and its machine, checked from end to end, with what to do for each.

Rule: a check is a row: its mark, what it is about, a sentence with its number, and below it what to type. Only a
problem makes the exit code 1; a warning may be meant so.
"""

import os
import shutil
import sys
import textwrap
import time
from typing import Annotated

import typer

from hybridq.home import Home
from hybridq.visible import visible
from hybridq.when import how_many

from .documents import Examined
from .tell import is_tty, print_document

app = typer.Typer()
MARKS = {"ok": "✓", "warning": "!", "problem": "✗"}
ILL = 1  # the exit code where there is a problem


@app.command()
def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put right what is safe to: counters, leftover files, jobs of dead runners."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: ok, checks (check, level, text, advice).")] = False,
) -> None:
    """Check the queue and this machine, and say what to do.

    Reads the whole database, which takes seconds for a large one. Marks: ✓ well, ! worth knowing, ✗ a problem.
    Exits with 1 if there is a problem, else with 0.
    """
    from hybridq.doctor import examine

    home, now = Home.find(os.environ), time.time()
    findings = (examine.repair if repair else examine.examine)(home, os.environ, now)
    problems = sum(found.level == "problem" for found in findings)
    if json:
        print_document(Examined(ok=not problems, checks=tuple(findings)))
    else:
        wide = max(len(found.check) for found in findings)
        for found in findings:
            mended = "repaired: " if found.repaired else ""
            _print(f"{MARKS[found.level]} {found.check:{wide}}  ", f"{mended}{found.text}", found.advice)
        warnings = sum(found.level == "warning" for found in findings)
        print(f"\n{how_many(problems, 'problem')}, {how_many(warnings, 'warning')}")
    raise typer.Exit(ILL if problems else 0)


def _print(head: str, text: str, advice: str) -> None:
    """One row, folded beside its head where the terminal is narrow; what to do is a line of its own."""
    room = shutil.get_terminal_size().columns if is_tty(sys.stdout) else sys.maxsize
    indent = " " * (len(head) if room >= 60 else 2)
    for begin, line in ((head, text), (indent, f"→ {advice}" if advice else "")):
        if line:
            print(_folded(visible(line), begin, indent, room))


def _folded(line: str, begin: str, indent: str, room: int) -> str:
    return textwrap.fill(
        line, room, initial_indent=begin, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
