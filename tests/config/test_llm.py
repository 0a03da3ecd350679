"""What the configuration of a language model may say, and how each mistake is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.brain.llm_prices import PER, TokenPrices, Tokens, call_cost, prices
from hybridq.config.llm import LlmOptions, loopback, options
from hybridq.config.read import load_config
from hybridq.config.values import HandlerConfig
from hybridq.errors import BadData, ConfigError
from hybridq.handlers.llm.errors import scrubbed
from hybridq.handlers.llm.prompts import prompt
from hybridq.home import Home
from hybridq.job import Call
from tests.support.user import Queue


def read(folder: Path, table: str) -> HandlerConfig:
    """The handler `gpt` of a config.toml with this table."""
    (folder / "config.toml").write_text(f"[handlers.gpt]\n{table}\n")
    return load_config(Home(folder, folder / "config.toml"), {}).handlers["gpt"]


def test_a_model_needs_nothing_but_its_name(tmp_path: Path) -> None:
    """Kind and model are enough; the rest has defaults that suit a provider."""
    found = read(tmp_path, 'kind = "openai"\nmodel = "gpt-5-mini"')
    assert (found.instances, found.retries, found.chunk) == (32, 3, 50_000)
    assert options(found) == LlmOptions(model="gpt-5-mini")


def test_all_keys_are_read(tmp_path: Path) -> None:
    """Its own keys go to the options, in their types; those of every handler stay the handler's."""
    found = read(
        tmp_path,
        'kind = "anthropic"\nmodel = "m"\nbase_url = "http://127.0.0.1:1"\napi_key_env = "K"\nsystem = "s"\n'
        'prompt = "{file}"\nmax_tokens = 5\ntemperature = 1\nextra_body = {top_k = 3}\nrequests_per_minute = 10\n'
        "tokens_per_minute = 1000\nprice_input = 1\nprice_cached = 0.1\nprice_output = 2\nbatch_factor = 0.4\n"
        'flex_factor = 0.3\nbatch_by = "calls"\nflex_up_to = 2\npoll = "2s"\ninstances = 4\ntimeout = "1m"\n'
        "daily_budget = 5\n",
    )
    chosen = options(found)
    assert (chosen.poll, chosen.extra_body, chosen.batch_by) == (2.0, {"top_k": 3}, "calls")
    assert (found.instances, found.timeout, found.daily_budget) == (4, 60.0, 5.0)


@pytest.mark.parametrize(
    ("table", "key", "what"),
    [
        ("", "", "model is missing"),
        ("model = 3", "model", "text in quotes"),
        ('model = " "', "model", "a model's name"),
        ('model = "m"\ntemprature = 1', "temprature", "did you mean temperature"),
        ('model = "m"\ncommand = ["x"]', "command", "no such key"),
        ('model = "m"\nbase_url = "http://example.com/v1"', "base_url", "expected https"),
        ('model = "m"\nbase_url = "ftp://example.com"', "base_url", "such as https://"),
        ('model = "m"\nbase_url = "https://me:pw@example.com"', "base_url", "no name and password"),
        ('model = "m"\napi_key_env = "sk-123"', "api_key_env", "not the key"),
        ('model = "m"\nprompt = "say {inptu}"', "prompt", "not {inptu}"),
        ('model = "m"\nprompt = "always the same"', "prompt", "expected {input}"),
        ('model = "m"\nmax_tokens = 0', "max_tokens", "at least 1"),
        ('model = "m"\nprice_input = -1', "price_input", "at least 0"),
        ('model = "m"\nextra_body = {stream = true}', "extra_body", "hybridq sets"),
        ('model = "m"\nbatch_by = "post"', "batch_by", "batch, flex, calls"),
        ('model = "m"\npoll = "soon"', "poll", "not a duration"),
    ],
)
def test_each_mistake_is_named_with_its_key(tmp_path: Path, table: str, key: str, what: str) -> None:
    """The sentence says which key, and what was expected."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, f'kind = "openai"\n{table}')
    assert f"handlers.gpt{f'.{key}' if key else ''}" in str(raised.value)
    assert what in str(raised.value)


@pytest.mark.parametrize("here", ["http://localhost:1/v1", "http://127.0.0.9", "http://[::1]:8/v1"])
def test_only_this_machine_is_spoken_to_without_tls(tmp_path: Path, here: str) -> None:
    """Loopback addresses may be http; a name that only begins like one may not."""
    assert loopback(here)
    read(tmp_path, f'kind = "openai"\nmodel = "m"\nbase_url = "{here}"')
    with pytest.raises(ConfigError):
        read(tmp_path, 'kind = "openai"\nmodel = "m"\nbase_url = "http://localhost.example.com"')


def test_prices_come_from_the_configuration_first() -> None:
    """Configured prices win; a dated name is the listed one; what is unknown or served elsewhere has no price."""
    assert prices(LlmOptions(model="gpt-5", price_input=7, price_output=8)) == TokenPrices(7, 7, 8)
    small = prices(LlmOptions(model="gpt-5-mini-2025-08-07"))
    assert small is not None
    assert small.input == 0.25
    assert prices(LlmOptions(model="gpt-5-pro")) is None
    assert prices(LlmOptions(model="gpt-5", base_url="http://127.0.0.1:1")) is None


def test_cached_and_written_tokens_cost_what_they_cost() -> None:
    """A cached token at its price, one written to the cache a quarter more than a plain one."""
    found = TokenPrices(10.0, 1.0, 100.0).of(Tokens(input=100, cached=60, written=20, output=5))
    assert found == pytest.approx(PER * (20 * 10 + 20 * 12.5 + 60 * 1 + 5 * 100))


def test_a_very_long_prompt_costs_what_the_list_says() -> None:
    """Beyond 100,000 tokens of input all of a call of this model costs five times as much, the answer too; foreseen
    as well as paid."""
    found = prices(LlmOptions(model="claude-haiku-5-5"))
    assert found is not None
    assert found.of(Tokens(input=100_000, output=1000)) == pytest.approx(PER * (100_000 * 0.1 + 1000 * 0.5))
    assert found.of(Tokens(input=100_001, output=1000)) == pytest.approx(5 * PER * (100_001 * 0.1 + 1000 * 0.5))
    few, many = (call_cost(LlmOptions(model="claude-haiku-5-5"), 4.0 * tokens) for tokens in (99_000, 198_000))
    assert few is not None
    assert many == pytest.approx(10 * few, rel=0.05)


def test_a_price_before_the_first_answer_is_the_lists() -> None:
    """Four bytes a token, and an answer no longer than `max_tokens`."""
    chosen = LlmOptions(model="m", price_input=1, price_output=10, prompt="{input}", max_tokens=50)
    assert call_cost(chosen, 393.0) == pytest.approx(PER * (100 + 500))
    assert call_cost(LlmOptions(model="m"), 1.0) is None


@given(st.text())
def test_an_input_is_data_and_never_a_template(text: str) -> None:
    """Whatever the input holds, it is filled in once, as it is, and can be sent."""
    call = Call(id=1, attempt=1, input=json.dumps(text).encode())
    sent = text.encode("utf-8", "replace").decode()
    assert prompt("<{input}|{input}>", call) == f"<{sent}|{sent}>"


def test_an_input_that_is_no_text_is_sent_as_its_json() -> None:
    """An object of `--jsonl` reaches the model as it was written."""
    assert prompt("{input}", Call(id=1, attempt=1, input=b'{"a": [1]}')) == '{"a": [1]}'


def test_a_file_that_is_none_is_bad_data(tmp_path: Path) -> None:
    """A folder, or a name with a NUL."""
    for name in (str(tmp_path), "a\0b"):
        with pytest.raises(BadData):
            prompt("{file}", Call(id=1, attempt=1, input=json.dumps(name).encode()))


def test_a_key_is_taken_out_of_any_sentence() -> None:
    """However often it is repeated; and what could move a terminal's cursor is shown instead."""
    assert scrubbed("bad sk-12345, use sk-12345", "sk-12345") == "bad ***, use ***"
    assert "\x1b" not in scrubbed("\x1b[2J", "sk-12345")


def test_a_server_without_prices_is_told_how_to_set_them(tmp_path: Path) -> None:
    """A forecast without a cost says once which keys would give it one; with them it does not."""
    config = '[handlers.own]\nkind = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'
    help_ = "(set price_input and price_output)"
    queue = Queue(tmp_path, config)
    assert queue.run("submit", "own", "hello", "--dry-run").stdout.count(help_) == 1
    queue.run("submit", "own", "hello", "--mode", "batch")
    assert " ".join(queue.run("explain", "1").stdout.split()).count(help_) == 1
    (queue.folder / "config.toml").write_text(config + "price_input = 1\nprice_output = 2\n")
    assert help_ not in queue.run("submit", "own", "hello", "--dry-run").stdout
