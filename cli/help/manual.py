"""The man page `hybridq.1`: the pages of `hybridq help` as `man` reads them; `python -m hybridq_cli.help.manual FOLDER`
writes it.

Rule: made of those pages alone, so it says nothing else. What is long and for programs is named, not repeated.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hybridq import __version__

from ..commands import COMMANDS
from .topics import TOPICS, text

NAMED = frozenset({"json", "python", "plugins", "sql"})  # pages for who writes programs
ORDER = ("commands", *(topic for topic in TOPICS if topic != "commands"))
_ABOUT = """\
hybridq is one local queue. It runs urgent jobs at once, batches the rest, and decides by itself which is which. For
every job it tells how it runs, why, when it will be done and what it cost. Everything works without a daemon; with one,
jobs start at once and batches run when they are due.
"""
_FILES = (
    ("config.toml", "Handlers, prices and limits. hybridq config --path prints where it belongs."),
    ("queue.db", "The queue, in the folder HYBRIDQ_HOME, or else in the platform's folder for data."),
    ("outputs", "What jobs print, beside the queue."),
    ("daemon.jsonl", "The daemon's log, beside the queue: hybridq log."),
)


def page() -> str:
    """The whole page, in the macros of man(7)."""
    return "\n".join(line for part in (_head(), *map(_topic, _shown()), _foot()) for line in part) + "\n"


def write(folder: Path) -> Path:
    """Write the page into a folder; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "hybridq.1"
    path.write_text(page(), encoding="utf-8")
    return path


def _shown() -> list[str]:
    return [topic for topic in ORDER if topic not in NAMED]


def _head() -> Iterator[str]:
    yield '.\\" Made by python -m hybridq_cli.help.manual from the pages of hybridq help.'
    yield f'.TH HYBRIDQ 1 "" "hybridq {__version__}" "hybridq"'
    yield from (".SH NAME", "hybridq \\- a local queue for work that is urgent and work that can wait")
    yield from (".SH SYNOPSIS", ".B hybridq", "[\\fICOMMAND\\fR [\\fIARGUMENT\\fR...]]")
    yield from (".SH DESCRIPTION", *_plain(_ABOUT).splitlines())
    for name, (_, line) in COMMANDS.items():
        yield from (".TP", f"\\fBhybridq {_code(name)}\\fR", _plain(line))


def _foot() -> Iterator[str]:
    yield ".SH FILES"
    for name, said in _FILES:
        yield from (".TP", f"\\fI{_code(name)}\\fR", _plain(said))
    yield ".SH SEE ALSO"
    others = ", ".join(f"\\fBhybridq help {topic}\\fR ({_plain(TOPICS[topic])})" for topic in sorted(NAMED))
    yield f"{others}."


def _topic(topic: str) -> Iterator[str]:
    """A page of Markdown, in the order of its parts."""
    from rich.markdown import Markdown  # which knows tables

    yield from _Roff(Markdown(text(topic)).parsed).lines()


class _Roff:
    """What Markdown's parser found, as lines for man(7)."""

    def __init__(self, tokens: Sequence[Any]) -> None:
        self._tokens = tokens
        self._lists: list[int | None] = []  # the next number of each list that is open; None: it has bullets
        self._titles: list[str] = []  # of the table
        self._cells: list[str] = []  # of its row
        self._begins = False  # an item of a list

    def lines(self) -> Iterator[str]:
        """All of it."""
        for place, token in enumerate(self._tokens):
            inside = self._tokens[place + 1] if token.type.endswith("_open") else token
            yield from self._token(token, inside)

    def _token(self, token: Any, inside: Any) -> Iterator[str]:
        match token.type:
            case "heading_open":
                title = _inline(inside)
                yield f".SH {_bare(title).upper()}" if token.tag == "h1" else f".SS {_bare(title)}"
            case "paragraph_open":
                if not self._begins:
                    yield ".IP" if self._lists else ".PP"
                self._begins = False
                yield from _safe(_inline(inside))
            case "bullet_list_open" | "ordered_list_open":
                self._lists.append(None if token.type.startswith("bullet") else 1)
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                yield self._item()
            case "fence":
                yield from (".PP", ".RS 4", ".EX", *_safe(_code(token.content.rstrip("\n"))), ".EE", ".RE")
            case "th_open":
                self._titles.append(_inline(inside))
            case "td_open":
                self._cells.append(_inline(inside))
            case "tr_close" if self._cells:
                yield from self._row()
            case "table_close":
                self._titles = []

    def _item(self) -> str:
        self._begins = True
        number = self._lists[-1]
        if number is None:
            return ".IP \\(bu 2"
        self._lists[-1] = number + 1
        return f".IP {number}. 3"

    def _row(self) -> Iterator[str]:
        """Its first cell, and indented what is in the last; between them what is in others, by their titles."""
        first, *between, last = self._cells
        said = [f"{title}: {cell}" for title, cell in zip(self._titles[1:-1], between, strict=True) if cell]
        self._cells = []
        yield from (".TP", f"\\fB{_bare(first)}\\fR")
        yield from _safe(last + (f" ({'; '.join(said)})" if said else ""))


def _inline(token: Any) -> str:
    """A line with its marks for what is code, strong or a link."""
    parts = []
    for each in token.children or ():
        match each.type:
            case "text":
                parts.append(_plain(each.content))
            case "code_inline":
                parts.append(f"\\fB{_code(each.content)}\\fR")
            case "strong_open" | "em_open":
                parts.append("\\fB" if each.type == "strong_open" else "\\fI")
            case "strong_close" | "em_close":
                parts.append("\\fR")
            case "softbreak" | "hardbreak":
                parts.append("\n")
    return "".join(parts)


def _bare(marked: str) -> str:
    return re.sub(r"\\f[BIR]", "", marked)


def _plain(said: str) -> str:
    return said.replace("\\", "\\e")


def _code(said: str) -> str:
    """What may be typed: a dash is a dash, and a quotation mark is what it is."""
    return _plain(said).replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")


def _safe(said: str) -> list[str]:
    """Lines of which none is taken for a request."""
    return [f"\\&{line}" if line.startswith((".", "'")) else line for line in said.split("\n")]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
