"""Only the address of the configuration is asked, and what a provider calls ended is never sent again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from anthropic import APIConnectionError

from hybridq.config.llm import LlmOptions, mistake
from hybridq.errors import HybridqError
from hybridq.handlers.llm.anthropic import Anthropic
from hybridq.job import Failure, Mode
from hybridq.outlook import Outlook
from tests.support.accents import ask
from tests.support.building import asking, daemon, look, submit_all, until
from tests.support.handling import ends
from tests.support.llm import KINDS, base, model, said, served, through
from tests.support.provider import KEY, Provider

WRONG = {
    "a port too large": "https://host:99999/v1",
    "port 0": "https://host:0/v1",
    "a port that is a word": "https://host:80a/v1",
    "no port": "https://host:/v1",
    "two ports": "https://host:80:90",
    "no scheme": "api.example.com/v1",
    "no scheme but a port": "localhost:8000/v1",
    "another scheme": "ftp://host/v1",
    "one slash": "https:/host/v1",
    "no host": "https:///v1",
    "an empty label": "https://a..b/v1",
    "half an address": "https://[::1/v1",
    "a number that is no address": "https://256.1.1.1/v1",
    "a query": "https://host/v1?api-version=1",
    "an empty query": "https://host/v1?",
    "a fragment": "https://host/v1#x",
    "a name": "https://me@host/v1",
    "a name and a password": "https://me:secret@host/v1",
    "a blank": "https://host/v 1",
    "a line end": "https://host/v1\n",
    "a letter without width": "https://host\u200b/v1",
    "chat": "https://host/v1/chat/completions",
    "chat elsewhere": "https://host/openai/chat/completions/",
    "messages": "https://host/v1/messages",
    "batches": "https://host/v1/messages/batches",
    "models": "https://host/v1/models",
    "without TLS": "http://host/v1",
}


@pytest.mark.parametrize("what", WRONG)
def test_an_address_that_cannot_be_right_is_refused_when_it_is_read(what: str) -> None:
    """With what was expected, and without the address, in which a key may stand."""
    key, why = mistake(LlmOptions(model="m", base_url=WRONG[what])) or ("", "")
    assert key == "base_url"
    assert why.startswith("expected")
    assert "secret" not in why


RIGHT = [
    "https://host",
    "https://host/",
    "https://host:8443/v1/",
    "http://[::1]:8/v1",
    "https://a-b.c_d.example/x/models",
]


@pytest.mark.parametrize("url", [*RIGHT, "HTTPS://Host/v1", "http://127.0.0.1:1", "https://host/v1beta/openai"])
def test_other_addresses_are_taken(url: str) -> None:
    """With and without a path, a slash, a port."""
    assert mistake(LlmOptions(model="m", base_url=url)) is None


@pytest.fixture
def other() -> Iterator[Provider]:
    """Another server, which the configuration does not name; `asked` holds what came to it."""
    with Provider() as served:
        served.asked = []  # type: ignore[attr-defined]
        served.instead["GET", ""] = served.instead["POST", ""] = noting(served)
        yield served


def noting(served: Any) -> Any:
    """Answers nothing, and keeps who asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        served.asked.append((request.path, dict(request.headers)))
        return web.Response(status=404)

    return answer


def test_results_are_read_below_the_configured_address(provider: Provider, other: Any) -> None:
    """Wherever the server says that they are."""
    where = f"http://127.0.0.1:{other.port}/v1/messages/batches/x/results"
    provider.script.told = lambda batch: {**batch, "results_url": batch["results_url"] and where}

    async def main() -> list[Any]:
        handler = model(provider, "anthropic")
        try:
            return (await through(handler, "a", "b"))[1]
        finally:
            await handler.close()

    fetched = asyncio.run(main())
    assert sorted(map(said, ends(fetched).values())) == ["answer to a", "answer to b"]
    assert other.asked == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_named_and_not_followed(provider: Provider, other: Any, kind: str) -> None:
    """The key goes nowhere, the sentence says where it would have gone, without what may be secret in that."""

    async def away(request: web.Request) -> web.StreamResponse:
        to = f"http://me:pass@127.0.0.1:{other.port}/new/place?token=abc"
        return web.Response(status=307, headers={"location": to})

    provider.instead["POST", "/v1/"] = away
    end = ask(model(provider, kind))
    assert isinstance(end, Failure)
    assert f"307: the server redirects to http://127.0.0.1:{other.port}/new/place; nothing" in end.reason
    assert not end.retryable
    assert other.asked == []


def test_whatever_path_an_answer_names_no_other_server_is_asked(provider: Provider, other: Any) -> None:
    """The last gate: a request to another address is not sent."""

    async def main() -> None:
        client = Anthropic(LlmOptions(model="m", base_url=base(provider, "anthropic")), KEY)
        with pytest.raises(APIConnectionError) as raised:
            await client._once.get(f"http://127.0.0.1:{other.port}/v1/x", cast_to=object)
        assert client.trouble(raised.value).reason.startswith("refusing to ask 127.0.0.1: base_url is ")
        await client.close()

    asyncio.run(main())
    assert other.asked == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{port}", "socks5://127.0.0.1:9", "nonsense://x"])
def test_this_machine_is_asked_through_no_proxy(
    provider: Provider, other: Any, kind: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and prompt for a server here are seen by nobody between, whatever the environment says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.format(port=other.port))
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    assert said(ask(model(provider, kind))) == "answer to hello"
    assert other.asked == []


UNMADE = {
    ("ALL_PROXY", "socks5://127.0.0.1:9"): "ALL_PROXY asks for a SOCKS proxy",
    ("HTTPS_PROXY", "nonsense://x"): "check HTTPS_PROXY",
    ("SSL_CERT_FILE", "/nonexistent/ca.pem"): "SSL_CERT_FILE is /nonexistent/ca.pem, which does not exist",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variable", UNMADE)
def test_an_environment_that_no_client_can_be_made_in_is_named(
    provider: Provider, kind: str, variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job fails with the variable's name, and is not tried again."""
    monkeypatch.setenv(*variable)
    end = ask(model(provider, kind, base_url="https://example.invalid/v1"))
    assert isinstance(end, Failure)
    assert UNMADE[variable] in end.reason
    assert not end.retryable


def unreadable(provider: Provider, outlook: Outlook) -> str:
    """Submit a batch whose results answer 404, until the views say so; returns what they say."""
    submit_all(outlook, asking("gpt", Mode.BATCH, group="g", retries=3), [b'"a"', b'"b"', b'"c"'])
    told: list[str] = []

    def seen() -> bool:
        told[:] = [row.why or "" for row in look(outlook, "g").rows]
        return any("cannot read" in each for each in told)

    until(seen)
    return told[0]


def lost(provider: Provider) -> None:
    """From now on its results answer 404."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if request.path.endswith("results") else await provider._retrieve(request)

    provider.instead["GET", "/v1/messages/batches/"] = answer
    provider.instead["GET", "/v1/files/"] = answer_404


async def answer_404(request: web.Request) -> web.StreamResponse:
    """There is nothing."""
    return web.Response(status=404)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_ended_is_held_while_its_results_cannot_be_read(
    provider: Provider, tmp_path: Path, kind: str
) -> None:
    """404 for its results: it is not sent again, the views say why; when they can be read each job has its answer."""
    lost(provider)
    with served(tmp_path, provider, kind) as outlook, daemon(outlook):
        assert "cannot read its answers: 404" in unreadable(provider, outlook)
        assert outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state") == [("running", 3)]
        provider.instead.clear()
        until(lambda: outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state") == [("done", 3)])
    assert len(provider.batches) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_ended_and_vanished_is_not_sent_again(provider: Provider, tmp_path: Path, kind: str) -> None:
    """First its results, then the batch itself answer 404: its jobs fail, with what to do."""
    lost(provider)
    with served(tmp_path, provider, kind) as outlook, daemon(outlook):
        unreadable(provider, outlook)
        provider.instead["GET", "/v1/messages/batches/"] = provider.instead["GET", "/v1/batches/"] = answer_404
        until(lambda: outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state") == [("failed", 3)])
        assert "no longer knows it; it may be charged" in look(outlook, "1").rows[0].why
    assert len(provider.batches) == 1


def test_a_handler_that_cannot_be_made_holds_what_runs_at_its_provider(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon whose key is unusable: the batch of an earlier one is held with that reason, and not given up."""
    provider.script.after = 1000.0
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH, group="g"), [b'"a"', b'"b"'])
        with daemon(outlook):
            until(lambda: len(provider.batches) == 1 and "with the provider" in (look(outlook, "g").rows[0].why or ""))
        monkeypatch.setenv("TEST_KEY", "sk-wrong\u200bkey")
        with daemon(outlook):
            until(lambda: "TEST_KEY holds a key that cannot be sent" in (look(outlook, "g").rows[0].why or ""))
        assert outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state") == [("running", 2)]


def test_only_errors_of_ours_tell_of_a_key(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
    """A check of a handler whose key no header can carry names the variable."""
    monkeypatch.setenv("TEST_KEY", "sk-\u201cquoted\u201d")
    with pytest.raises(HybridqError, match=r"TEST_KEY holds a key that cannot be sent: its character 4 is U\+201C"):
        asyncio.run(model(provider).check())
