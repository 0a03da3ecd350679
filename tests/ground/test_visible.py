"""Nothing from a job reaches a terminal as anything but text."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hybridq.visible import visible, visible_line

HOSTILE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=sys.maxunicode), max_size=50)


def is_harmless(text: str) -> bool:
    return all(char in "\n\t" or unicodedata.category(char) not in HOSTILE for char in text)


def test_every_control_and_format_character_is_shown() -> None:
    """No character that Unicode calls control, format, surrogate or separator gets through, alone or not."""
    passed = [char for char in map(chr, range(sys.maxunicode + 1)) if visible(char) == char]
    assert {char for char in passed if unicodedata.category(char) in HOSTILE} == {"\n", "\t"}
    assert len(passed) > 1_100_000 - 6_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "\\x1b]8;;http://x\\x07link\\x1b]8;;\\x07"),
        ("\x1b]52;c;aGk=\x1b\\", "\\x1b]52;c;aGk=\\x1b\\"),
        ("\x1bP0;1|17/ab\x9c", "\\x1bP0;1|17/ab\\x9c"),
        ("\x9b2J", "\\x9b2J"),
        ("a\0b\x7f", "a\\x00b\\x7f"),
        ("bell\x07\nnext", "bell\\x07\nnext"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("50%\r100%\r\ndone\n\tok", "50%\\r100%\r\ndone\n\tok"),
        ("[bold]plain[/nope] Größe 日本", "[bold]plain[/nope] Größe 日本"),
    ],
)
def test_known_attacks_are_plain_text(text: str, shown: str) -> None:
    """Each way to command a terminal or to deceive a reader is shown as its escape; other text stays."""
    assert visible(text) == shown


@given(ANY_TEXT)
def test_any_text_becomes_harmless(text: str) -> None:
    """Whatever comes in, what goes out can be encoded and holds no hostile character."""
    shown = visible(text)
    shown.encode()
    assert is_harmless(shown.replace("\r\n", "\n"))
    assert visible(shown) == shown


@given(ANY_TEXT, st.integers(0, 30))
def test_line_is_one_line(text: str, width: int) -> None:
    """A line never holds a line end or a tab, whatever it is made from."""
    shown = visible_line(text, width)
    assert is_harmless(shown)
    assert not set(shown) & set("\n\t")


@given(st.text("aZ 日本한é\u0301\n\x1b", max_size=60), st.integers(0, 30))
def test_line_fits(text: str, width: int) -> None:
    """A line takes at most its width in cells, and `…` stands where something is missing."""
    shown, whole = visible_line(text, width), visible_line(text, 1000)
    assert cell_len(shown) <= width
    assert shown == whole or shown.endswith("…") or width == 0


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("nightly", 7, "nightly"),
        ("nightly", 6, "night…"),
        ("two\nlines", 20, "two\\nlines"),
        ("日本語テキスト", 7, "日本語…"),
        ("日本", 4, "日本"),
        ("x", 0, ""),
        ("x" * 1_000_000, 3, "xx…"),
    ],
)
def test_line_is_cut_where_it_must(text: str, width: int, shown: str) -> None:
    """Wide characters count twice, and what fits exactly is left alone."""
    assert visible_line(text, width) == shown
