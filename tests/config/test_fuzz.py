"""What nobody types on purpose, at random: each input is read, or refused by the one error of its door.

Bounded, so that it stays quick; whatever was found once by many more tries is among the examples.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hybridq.asking.options import Options, merged, request, surroundings_of
from hybridq.audience import Found
from hybridq.brain.tariff import Tariff
from hybridq.config.origin import origins
from hybridq.config.read import load_config
from hybridq.errors import BadData, ConfigError, HybridqError, UsageError
from hybridq.home import Home
from hybridq.job import Audience, Mode, Request
from hybridq.outlook import Outlook
from hybridq.simulate.workload import Suppose, read_trace
from hybridq.submit import deciding
from hybridq.when import clock, eta, parse_deadline, parse_since, parse_span
from hybridq_cli.submitting.inputs import Item, encoder, json_lines
from tests.support.building import queue

NOW = 1.8e9
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LARGE = "1" * 400
NUMBERS = [
    "0",
    "1",
    "-1",
    "0.5",
    "1e308",
    "1e12",
    "1e-300",
    "5e-324",
    LARGE,
    "1" * 5000,
    "inf",
    "nan",
    f"0x{'f' * 300}",
]
WORDS = [
    '""',
    '"1h"',
    '"99:99"',
    '"22:00"',
    '"Europe/Berlin"',
    '"../x"',
    '"\\u0000"',
    '"~nobody/x"',
    '"m:f"',
    '"{x}"',
    '"http://[::1"',
    '"http://h:99999"',
    '"openai"',
    '"stream"',
    f'"{LARGE}h"',
    "true",
    "[]",
    "[[]]",
    '["a"]',
    "{}",
    "1979-05-27T07:32:00Z",
    "[" * 40 + "]" * 40,
]
VALUES = st.sampled_from([*NUMBERS, *WORDS])
POLICY = ("user_delay_cost", "background_delay_cost", "machine_cost", "hold", "theta", "load_weight", "load_free")
RUNNER = ("stream_slots", "batch_slots", "stop_grace", "output_limit", "stream_target")
HANDLER = (
    "kind",
    "command",
    "call",
    "cwd",
    "env",
    "modes",
    "draft",
    "instances",
    "chunk",
    "idle",
    "retries",
    "timeout",
    "expected",
    "fixed",
    "price",
    "daily_budget",
    "max_flush",
    "model",
    "base_url",
    "prompt",
    "poll",
    "price_input",
)
WINDOW = ("start", "end", "factor", "days")
TABLES = {
    "[policy]": POLICY,
    "[runner]": RUNNER,
    "[tariff]": ("zone", "factor"),
    "[[tariff.window]]": WINDOW,
    '[handlers.a]\ncommand = "cat"': HANDLER,
    '[handlers.b]\nkind = "openai"\nmodel = "m"': HANDLER,
}


@st.composite
def configs(draw: st.DrawFn) -> str:
    """A config.toml whose tables and keys are ours, and whose values are anything."""
    lines = []
    for head in draw(st.lists(st.sampled_from(list(TABLES)), unique=True)):
        keys = draw(st.lists(st.sampled_from(TABLES[head]), unique=True, max_size=4))
        lines += [head, *(f"{key} = {draw(VALUES)}" for key in keys if f"\n{key}" not in head)]
    return "\n".join(lines)


@BOUNDED
@given(configs() | st.text(max_size=60))
@example(f"[policy]\ntheta = {'1' * 5000}")
@example(f"[runner]\noutput_limit = 0x{'f' * 300}")
@example("[policy]\nhold = 1e300")
def test_any_config_is_read_or_a_config_error(tmp_path: Path, text: str) -> None:
    """And what was read has its origins and a price for every hour."""
    home = Home(tmp_path, tmp_path / "config.toml")
    home.config_file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config = load_config(home, {})
    except ConfigError:
        return
    assert Tariff(config.tariff).factor(NOW) >= 0
    assert list(origins(config, home, {}))


@pytest.fixture
def outlook(tmp_path: Path) -> Iterator[Outlook]:
    """An empty queue, to decide by other configurations."""
    with (made := queue(tmp_path)).store:
        yield made


@BOUNDED
@given(configs(), st.sampled_from([None, *Mode]), st.sampled_from(Audience), st.sampled_from([1, 10**6]))
@example("[policy]\ntheta = 0\nbackground_delay_cost = 1", Mode.BATCH, Audience.BACKGROUND, 1)
@example('[handlers.a]\ncommand = "cat"\nexpected = 3e9', None, Audience.BACKGROUND, 10**6)
@example('[handlers.a]\ncommand = "cat"\nprice = 1e-300\ndaily_budget = 1e12', None, Audience.USER, 1)
def test_any_config_that_is_read_can_be_decided_by(
    outlook: Outlook, text: str, mode: Mode | None, audience: Audience, jobs: int
) -> None:
    """Whatever its numbers are, a submission gets a mode and a reason, or a sentence."""
    outlook.store.home.config_file.write_text(text)
    try:
        config = load_config(outlook.store.home, {})
    except ConfigError:
        return
    outlook.configure(config)
    for name in config.handlers:
        try:
            decision, _ = deciding(outlook, NOW)(Request(handler=name, audience=audience, mode=mode), jobs, 1e3)
        except HybridqError:
            continue
        assert decision.reason


CELLS = st.sampled_from(
    [
        *NUMBERS,
        "",
        "x",
        '"',
        "\0",
        "2026-01-05T00:00:00",
        "9999-12-31",
        "0001-01-01",
        "user",
        "1h",
        "06:00",
        "2.5e11",
        "1.7e14",
        "½",
        "9999-12-31T23:59:59-14:00",
    ]
)
HEADS = ["arrival,input_size,output_size,audience,deadline", "TIMESTAMP,ContextTokens,GeneratedTokens", "x,y"]
JSON = st.sampled_from([*NUMBERS, "NaN", "null", "true", '"x"', '"1"', "[]", "{}", '"\\ud800"', "[" * 3000, '"06:00"'])
ROWS = st.lists(st.lists(CELLS, max_size=6).map(",".join), max_size=3)
SIZES = st.dictionaries(st.sampled_from(["timestamp", "input_length", "output_length", "audience", "handler"]), JSON)


def objects(members: dict[str, str]) -> str:
    """A line of JSON, or of what looks like it."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


@BOUNDED
@given(st.tuples(st.sampled_from(HEADS), ROWS).map(lambda t: "\n".join((t[0], *t[1]))) | SIZES.map(objects) | st.text())
@example("arrival,input_size,output_size\n5")
@example("arrival,input_size,output_size\n" + "x" * 200_000)
@example("x" * 200_000)
@example(f'{{"timestamp": {LARGE}, "input_length": 1, "output_length": 1}}')
def test_any_trace_is_read_or_bad_data(tmp_path: Path, text: str) -> None:
    """Nothing else comes out."""
    (tmp_path / "trace").write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(BadData):
        assert read_trace(tmp_path / "trace", Suppose(deadlines=(60.0,))).arrivals


TIMES = st.lists(
    st.sampled_from(
        [
            "1",
            "h",
            "30s",
            "9" * 400,
            "1e5",
            ".",
            "-",
            "06:00",
            "25:00",
            "tomorrow ",
            "today ",
            "9999-12-31",
            "0001-01-01",
            "T06:00",
            "+23:59",
            "Z",
            "½",
            "\0",
        ]
    ),
    max_size=4,
)


@BOUNDED
@given(TIMES.map("".join) | st.text(max_size=20))
def test_any_time_is_an_instant_or_a_usage_error(text: str) -> None:
    """And one that can be told again."""
    for read in (
        parse_span,
        lambda text: parse_deadline(text, NOW),
        lambda text: parse_deadline(text, NOW, UTC),
        lambda text: parse_since(text, NOW, UTC),
    ):
        try:
            assert clock(read(text), NOW)
        except UsageError:
            continue


@pytest.mark.parametrize("at", [3e11, 1e18, 1e300])
def test_an_instant_beyond_any_calendar_can_be_told(at: float) -> None:
    """A forecast may lie there, by the numbers of a configuration."""
    assert clock(at, NOW) == eta(at, at, NOW) == "after the year 9999"


ASKED = st.sampled_from(
    [
        *NUMBERS,
        "null",
        '"x"',
        '"1h"',
        '"06:00"',
        '["PATH"]',
        '["\\u0000"]',
        '"\\ud800"',
        '"stream"',
        '"user"',
        '"9999-12-31"',
        '"\\u0000"',
        f'"{LARGE}"',
        "{}",
    ]
)
LINES = st.dictionaries(st.sampled_from(["input", *Options.__struct_fields__]), ASKED, max_size=5).map(objects)


@BOUNDED
@given(LINES | st.text(max_size=40))
def test_any_json_line_is_an_item_or_named_as_bad(outlook: Outlook, line: str) -> None:
    """And what it asks is a request that can be stored, or a usage error."""
    file = outlook.store.home.folder / "lines"
    file.write_bytes(line.encode("utf-8", "surrogatepass") + b"\n")
    for found in json_lines(str(file), encoder("worker"), command=False):
        if not isinstance(found, Item):
            assert found.reason
            continue
        for name, config in outlook.config.handlers.items():
            try:
                options = merged(found.options or Options(), Options())
                around = surroundings_of(config, options, {})
                asked = request(name, config, options, Found(Audience.USER, "test"), NOW, around, {})
            except HybridqError:
                continue
            assert msgspec.json.encode(asked)
