"""No key is stored, logged or shown, whatever says it and in whatever form."""

import base64
import html
import json
import logging
import secrets
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from hybridq.errors import HybridqError
from hybridq.handlers.llm.credentials import read_key
from hybridq.job import Mode
from hybridq.scrub import know, scrub
from hybridq_cli.errors import tell_error
from hybridq_cli.logs import JsonLine, TextLine
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import served
from tests.support.provider import KEY, Provider

ODD = "sk/od+d'k\"ey<&>%\\0123456789-" + secrets.token_hex(8)
FORMS: dict[str, Any] = {
    "plain": str,
    "repr": repr,
    "bytes": lambda key: repr(key.encode()),
    "in a list": lambda key: repr([f"'{key}"]),
    "JSON": json.dumps,
    "JSON with slashes": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "URL": urllib.parse.quote,
    "URL whole": lambda key: urllib.parse.quote(key, safe=""),
    "URL small": lambda key: urllib.parse.quote(key, safe="").lower(),
    "page": html.escape,
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic": lambda key: base64.b64encode(f":{key}".encode()).decode(),
    "basic user": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "basic name": lambda key: base64.b64encode(f"name:{key}@host".encode()).decode(),
    "base64 of URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "header": lambda key: f"{{'authorization': 'Bearer {key}'}}",
    "capitals": str.upper,
    "cut": lambda key: f"wrong key {key[: len(key) * 2 // 3]}",
}


def parts(key: str) -> set[str]:
    """What would betray a key: a third of it in any of the forms above."""
    third = key[len(key) // 3 : len(key) * 2 // 3]
    whole = {form(key) for name, form in FORMS.items() if name != "cut"}
    return whole | {third, third.upper(), third.encode().hex()}


@pytest.mark.parametrize("key", ["sk-" + secrets.token_hex(16), ODD], ids=["usual", "odd"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_key_is_hidden(form: str, key: str) -> None:
    """As it is, as programs write it down, encoded, or cut."""
    know(key)
    told = scrub(f"before {FORMS[form](key)} after")
    assert not [part for part in parts(key) if part in told], told
    assert told.startswith("before ")
    assert "***" in told


def test_other_words_stay() -> None:
    """A short key is no secret, and what only resembles a key is shown."""
    know("abc")
    know("sk-" + "x" * 30)
    assert scrub("abc sk-xx sk-yyyyyyyyyyyyyyyyyyyyyyyy") == "abc sk-xx sk-yyyyyyyyyyyyyyyyyyyyyyyy"


@pytest.mark.parametrize("made", [TextLine, JsonLine])
def test_a_log_line_holds_no_key(made: type[logging.Formatter], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its message nor the exception and the traceback that it carries."""
    know(ODD)
    monkeypatch.setenv("HYBRIDQ_TRACEBACK", "1")
    try:
        raise ValueError(f"Illegal header value b'Bearer {ODD}'")
    except ValueError as problem:
        found = (type(problem), problem, problem.__traceback__)
    record = logging.LogRecord("hybridq", logging.ERROR, "x.py", 1, "with %r", (ODD,), found)
    line = made().format(record)
    assert "Traceback" in line
    assert not [part for part in parts(ODD) if part in line]


def test_no_sentence_and_no_traceback_of_a_command_holds_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody foresaw is told without it."""
    know(ODD)
    monkeypatch.setenv("HYBRIDQ_TRACEBACK", "1")
    assert tell_error(ValueError(f"Illegal header value b'Bearer {ODD}'")) == 70
    told = capsys.readouterr().err
    assert "something went wrong inside hybridq (ValueError" in told
    assert not [part for part in parts(ODD) if part in told]


@given(st.text(min_size=1), st.characters(exclude_characters=[chr(code) for code in range(0x21, 0x7F)]), st.text())
def test_a_key_that_no_header_carries_is_refused_by_its_variable(before: str, odd: str, after: str) -> None:
    """A line end, a blank, a quote of typography, a letter without width: the variable is named, the key is not."""
    key = f"sk-{before}{odd}{after}-end"
    with pytest.raises(HybridqError, match="MY_KEY holds a key that cannot be sent: its character") as raised:
        read_key("MY_KEY", {"MY_KEY": key})
    assert len(before) < 8 or before not in str(raised.value)
    assert "-end" not in str(raised.value)


@pytest.mark.parametrize("key", ["sk-1\n", " sk-1\r\n", "\tsk-1"])
def test_blanks_around_a_key_are_no_part_of_it(key: str) -> None:
    """Files and `.env`s end with a line end."""
    assert read_key("K", {"K": key}) == "sk-1"


def test_what_a_server_repeats_of_a_key_is_nowhere(provider: Provider, tmp_path: Path) -> None:
    """In every form, of a refused stream and a refused batch: not in the queue's files, the log, or any `--json`."""

    async def echo(request: web.Request) -> web.StreamResponse:
        key = request.headers["authorization"].removeprefix("Bearer ")
        told = " ".join(form(key) for form in FORMS.values())
        return web.json_response({"error": {"message": told}}, status=401, headers={"x-key": key})

    provider.instead["POST", "/v1/"] = echo
    with served(tmp_path, provider) as outlook:
        home = outlook.store.home
        submit_all(outlook, asking("gpt", Mode.STREAM), [b'"a"'])
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"b"', b'"c"'])
        with daemon(outlook):
            until(lambda: outlook.store.rows("SELECT count(*) FROM job WHERE state = 'failed'") == [(3,)])
        words = ("status", "--all", "--json"), ("show", "1", "--json"), ("show", "2", "--json"), ("explain", "1")
        shown = [command(home, *each).stdout for each in words]
        kept = [path.read_bytes().decode("latin-1") for path in home.folder.rglob("*") if path.is_file()]
    assert any("wrong key ***" in text for text in shown)
    assert not [part for part in parts(KEY) for text in (*shown, *kept) if part in text]
