"""The unit of money: named wherever a person reads an amount, and in no figure that a program reads."""

import json
import re
import time
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.home import Home
from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq_cli.draw import words
from tests.support.building import ECHO, asking, command, document, look, night, queue, submit_all, typed

PRICED = '[policy]\ncurrency = "EUR"\n' + ECHO + "price = 2.0\n"


@pytest.fixture
def paid(tmp_path: Path) -> Outlook:
    """A queue that counts in euros, with three jobs that are done and two that are held for the night."""
    outlook = queue(tmp_path, PRICED + night(time.time(), 7200))
    submit_all(outlook, asking(group="done"), [b'"x"'] * 3)
    assert command(outlook.store.home, "drain", "--quiet").returncode == 0
    submit_all(outlook, asking(mode=None, group="held"), [b'"x"'] * 2)
    return outlook


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "done"), r"cost +6\.00 EUR"),
        (("explain", "done"), r"cost +6\.00 EUR; forecast .* EUR"),
        (("explain", "held"), r"held for the night price at .*: a batch costs 0\.80 EUR then, streaming 4\.00 EUR now"),
        (("report",), r"3 of 5 jobs have ended and cost 6\.00 EUR"),
        (
            ("submit", "echo", "more", "--dry-run"),
            r"costs 0\.40 EUR .*: a batch costs 0\.40 EUR then, streaming 2\.00 EUR now",
        ),
    ],
)
def test_amounts_have_their_unit(paid: Outlook, words: tuple[str, ...], says: str) -> None:
    """In views, in reasons, in the report, and in what a submission is told."""
    assert re.search(says, " ".join(typed(paid, *words).split())), typed(paid, *words)


def test_the_head_of_the_queue_has_it(paid: Outlook) -> None:
    """What was spent, and what was saved."""
    assert words.spent_words(look(paid).head) == "spent 6.00 EUR"
    assert words.saved_words(look(paid).head) == "saved 0 EUR"


def test_programs_read_numbers(paid: Outlook) -> None:
    """A sentence names the unit there too; its kind and the figures do not."""
    found = document(paid, "explain", "held")
    assert found["decision"]["reason_kind"] == "saves"
    assert "4.00 EUR now" in found["decision"]["reason"]
    assert isinstance(found["decision"]["considered"][0]["cost"], float)
    rows = {row["group"]: row for row in document(paid, "status", "--all")["rows"]}
    assert rows["held"]["why_kind"] == "nobody"
    assert (rows["done"]["cost"], rows["done"]["why"]) == (pytest.approx(6.0), "")


def test_the_page_names_it_too(paid: Outlook, tmp_path: Path) -> None:
    """On the axis of money, and beside each amount."""
    pytest.importorskip("plotly")
    assert command(paid.store.home, "report", "--html", str(tmp_path / "page.html")).returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "3 of 5 jobs have ended and cost 6.00 EUR" in page
    assert re.search(r'"text": ?"EUR"', page)


@pytest.mark.parametrize("unit", ["EUR 1", "a\\u001b[31m", "nine chars", "-", "€-", "e\\u0301", "\\u0301"])
def test_a_unit_is_a_word_or_a_sign(tmp_path: Path, unit: str) -> None:
    """Anything else is refused, with the key and what was meant."""
    outlook = queue(tmp_path, "")
    (outlook.store.home.folder / "config.toml").write_text(f'[policy]\ncurrency = "{unit}"\n')
    said = command(outlook.store.home, "submit", "--detach", "--", "true")
    assert said.returncode == 78
    assert "policy.currency: expected a unit such as EUR or $" in said.stderr


@pytest.mark.parametrize("unit", ["", "EUR", "Kč", "$", "€", "⚡", "원"])
def test_a_word_or_a_sign_is_a_unit(tmp_path: Path, unit: str) -> None:
    """In any script."""
    (tmp_path / "config.toml").write_text(f'[policy]\ncurrency = "{unit}"\n')
    assert load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {}).policy.currency == unit


def test_what_is_held_or_done_says_its_kind(paid: Outlook) -> None:
    """`--json` of a submission, too."""
    said = command(paid.store.home, "submit", "echo", "one", "--json", "--mode", Mode.BATCH)
    assert json.loads(said.stdout)["reason_kind"] == "asked"
