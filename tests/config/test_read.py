"""`config.toml`: what it may say, how each mistake is named, and where each value comes from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.config.origin import origins
from hybridq.config.read import SHELL, load_config
from hybridq.config.values import Config, HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.errors import ConfigError
from hybridq.home import Home
from hybridq.job import Mode

FULL = """\
[policy]
hold = "2h"          # as text
theta = 1            # as a number

[tariff]
zone = "Europe/Berlin"
factor = 1.5

[[tariff.window]]
start = "22:00"
end = "06:00:30"
factor = 0.4
days = ["mon", "fri"]

[[tariff.window]]
start = "12:00"
end = "13:00"
factor = 2
name = "lunch"

[runner]
batch_slots = 3

[handlers.digest]
command = "python3 'my worker.py' --fast"
instances = 2
timeout = "1m30s"
modes = ["batch"]
env = ["LANG"]

[handlers.near]
command = ["./bin/tool", "./data"]
cwd = "work"

[handlers.talk]
call = "talk:answer"
draft = "digest"
options = { voice = "low", depth = 3 }
"""


def home_with(folder: Path, text: str) -> Home:
    """A home whose config.toml says this."""
    (folder / "config.toml").write_text(text)
    return Home.find({"HYBRIDQ_HOME": str(folder)})


def test_no_file_means_defaults(tmp_path: Path) -> None:
    """Without a file all is as by default, and the shell handler is there."""
    config = load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {})
    assert config == Config(handlers={"shell": SHELL})
    assert SHELL.kind == "shell"
    assert SHELL.modes == (Mode.STREAM, Mode.BATCH)


def test_every_section_is_read(tmp_path: Path) -> None:
    """Each section becomes typed values, durations in seconds."""
    config = load_config(home_with(tmp_path, FULL), {})
    assert config.policy == PolicyConfig(hold=7200.0, theta=1.0)
    assert config.tariff == TariffConfig(
        zone="Europe/Berlin",
        factor=1.5,
        window=(
            Window(start="22:00", end="06:00:30", factor=0.4, days=("mon", "fri")),
            Window(start="12:00", end="13:00", factor=2.0, name="lunch"),
        ),
    )
    assert config.runner.batch_slots == 3
    assert list(config.handlers) == ["shell", "digest", "near", "talk"]
    assert config.handlers["digest"] == HandlerConfig(
        command=("python3", "my worker.py", "--fast"),
        instances=2,
        timeout=90.0,
        modes=(Mode.BATCH,),
        env=("LANG",),
        cwd=str(tmp_path),
    )
    assert config.handlers["talk"].options == {"voice": "low", "depth": 3}


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """A program with a slash and a `cwd` are found beside the file; a name in PATH and arguments stay."""
    near = load_config(home_with(tmp_path, FULL), {}).handlers["near"]
    assert near.command == (str(tmp_path / "bin/tool"), "./data")
    assert near.cwd == str(tmp_path / "work")


def test_shell_handler_can_be_tuned(tmp_path: Path) -> None:
    """`[handlers.shell]` changes the built-in handler, which stays a shell handler."""
    shell = load_config(home_with(tmp_path, "[handlers.shell]\nretries = 2"), {}).handlers["shell"]
    assert (shell.kind, shell.retries, shell.cwd) == ("shell", 2, "")


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("[policy", "config.toml", "not valid TOML"),
        ("[polcy]\nhold = 1", "polcy", "did you mean policy?"),
        ("[policy]\nholds = 1", ":2: policy.holds", "did you mean hold?"),
        ("[policy]\nhold = 'soon'", ":2: policy.hold", "write 30s, 2h"),
        ("[policy]\nhold = true", ":2: policy.hold", "expected a number, not true or false"),
        ("[policy]\nhold = -1", ":2: policy.hold", "at least 0, not -1"),
        ("[policy]\ntheta = inf", ":2: policy.theta", "at most 1e+12, not inf"),
        ("policy = 3", ":1: policy", "expected a table"),
        ("[runner]\nstream_slots = 'two'", ":2: runner.stream_slots", "expected a whole number, not text in quotes"),
        ("[runner]\nstream_slots = 1.5", ":2: runner.stream_slots", "expected a whole number, not a number"),
        ("[tariff]\nzone = 'Mars/Base'", ":2: tariff.zone", "no time zone named 'Mars/Base'"),
        ("[tariff]\nzone = '../../etc/passwd'", ":2: tariff.zone", "no time zone"),
        ("[tariff]\nwindow = 3", ":2: tariff.window", "expected tables, [[tariff.window]]"),
        ("[[tariff.window]]\nstart = '22:00'\nend = '06:00'", ":1: tariff.window[0]", "factor is missing"),
        ("[[tariff.window]]\nstart = '25:00'\nend = '06:00'\nfactor = 1", ":2: tariff.window[0].start", "22:00"),
        ("[[tariff.window]]\nstart = '1:00'\nend = '1:00'\nfactor = 1", ":2: tariff.window[0].start", "22:00"),
        ("[[tariff.window]]\nstart = '24:00'\nend = '01:00'\nfactor = 1", ":2: tariff.window[0].start", "22:00"),
        ("[tariff]\nfactor = -1", ":2: tariff.factor", "expected a number of at least 0"),
        ("[[tariff.window]]\nstart = '01:00'\nend = '01:00'\nfactor = 1", ":1: tariff.window[0]", "same time"),
        ("[[tariff.window]]\nstart='01:00'\nend='02:00'\nfactor=1\ndays=['Monday']", ".days", "mon, tue, wed"),
        ("[handlers]\ndigest = 3", ":2: handlers.digest", "expected a table, [handlers.digest]"),
        ("[handlers.'a b']\ncommand = 'x'", ":1: handlers.a b", "letters, digits"),
        ("[handlers.x]\ncommand = 'x'\ninstnces = 1", ":3: handlers.x.instnces", "did you mean instances?"),
        ("[handlers.x]\ncommand = 'x'\ninstances = 0", ":3: handlers.x.instances", "at least 1, not 0"),
        ("[handlers.x]\ncommand = 'x'\ntimeout = '5 parsecs'", ":3: handlers.x.timeout", "not a duration"),
        ("[handlers.x]\ncommand = 'x'\nmodes = ['stram']", ":3: handlers.x.modes", "stream, batch, adaptive"),
        ("[handlers.x]\ncommand = 'x'\nmodes = []", ":3: handlers.x.modes", "at least one of"),
        ("[handlers.x]\ncommand = 'x'\nprotocol = 'xml'", ":3: handlers.x.protocol", "jsonl, lines"),
        ('[handlers.x]\ncommand = "it\'s"', ":2: handlers.x.command", "no closing quotation"),
        ("[handlers.x]\ncommand = [1]", ":2: handlers.x.command", "expected text in quotes"),
        ("[handlers.x]\ninstances = 1", ":1: handlers.x", "command or call is missing"),
        ("[handlers.x]\ncommand = 'x'\ncall = 'a:b'", ":1: handlers.x", "both command and call"),
        ("[handlers.x]\ncall = 'nothing'", ":2: handlers.x.call", "module:function"),
        ("[handlers.x]\ncommand = 'x'\nenv = ['KEY=secret']", ":3: handlers.x.env", "names of variables"),
        ("[handlers.x]\ncommand = 'x'\ndraft = 'shel'", ":3: handlers.x.draft", "did you mean shell?"),
        ("[handlers.x]\ncommand = 'x'\ndraft = 'x'", ":3: handlers.x.draft", "another handler"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, place: str, expected: str) -> None:
    """Each mistake names the file, the line where that is certain, the key and what was expected."""
    with pytest.raises(ConfigError) as refused:
        load_config(home_with(tmp_path, text), {})
    sentence = str(refused.value)
    assert sentence.startswith(str(tmp_path / "config.toml"))
    assert place in sentence
    assert expected in sentence


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A file that is not UTF-8, and a folder in its place, are refused by name."""
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path)})
    home.config_file.write_bytes(b"[policy]\nname = '\xff'")
    with pytest.raises(ConfigError, match=r"config.toml is not UTF-8"):
        load_config(home, {})
    home.config_file.unlink()
    home.config_file.mkdir()
    with pytest.raises(ConfigError, match=r"config.toml is a folder"):
        load_config(home, {})


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    """Each scalar of policy, tariff and runner has a variable that counts more than the file."""
    environ = {
        "HYBRIDQ_POLICY_HOLD": "3h",
        "HYBRIDQ_RUNNER_BATCH_SLOTS": "5",
        "HYBRIDQ_TARIFF_ZONE": "Asia/Tokyo",
        "HYBRIDQ_HOME": "x",
    }
    config = load_config(home_with(tmp_path, FULL), environ)
    assert (config.policy.hold, config.policy.theta) == (10800.0, 1.0)
    assert config.runner.batch_slots == 5
    assert (config.tariff.zone, len(config.tariff.window)) == ("Asia/Tokyo", 2)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HYBRIDQ_POLICY_HOLD", "soon", "write 30s, 2h"),
        ("HYBRIDQ_POLICY_HOLDS", "1", "did you mean hold?"),
        ("HYBRIDQ_RUNNER_STREAM_SLOTS", "-1", "at least 0"),
        ("HYBRIDQ_TARIFF_ZONE", "Mars", "no time zone"),
        ("HYBRIDQ_TARIFF_WINDOW", "[]", "has no window"),
    ],
)
def test_bad_variable_is_named(tmp_path: Path, variable: str, value: str, expected: str) -> None:
    """A mistake in the environment names the variable and what was expected."""
    with pytest.raises(ConfigError) as refused:
        load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {variable: value})
    assert str(refused.value).startswith(variable)
    assert expected in str(refused.value)


def test_every_value_says_where_it_comes_from(tmp_path: Path) -> None:
    """Each value in force is listed once, with its default, line or variable."""
    home, environ = home_with(tmp_path, FULL), {"HYBRIDQ_POLICY_THETA": "0.5"}
    found = {setting.key: setting for setting in origins(load_config(home, environ), home, environ)}
    file = tmp_path / "config.toml"
    lines = FULL.splitlines()
    timeout = lines.index('timeout = "1m30s"') + 1
    assert (found["policy.hold"].value, found["policy.hold"].source) == (7200.0, f"{file}:2")
    assert (found["policy.theta"].value, found["policy.theta"].source) == (0.5, "HYBRIDQ_POLICY_THETA")
    assert found["policy.machine_cost"].source == "default"
    assert found["tariff.window"].source == f"{file}:9"
    assert found["handlers.digest.timeout"].source == f"{file}:{timeout}"
    assert found["handlers.digest.cwd"].source == "default"
    assert found["handlers.talk.options"].source == f"{file}:{len(lines)}"


def test_a_line_that_is_not_certain_is_not_named(tmp_path: Path) -> None:
    """A value inside an inline table is said to come from the file, without a line."""
    home = home_with(tmp_path, "policy = { hold = 60 }")
    found = {setting.key: setting.source for setting in origins(load_config(home, {}), home, {})}
    assert found["policy.hold"] == str(home.config_file)


TOML_VALUES = st.sampled_from(
    ["1", "-1", "1.5", "nan", "true", "'x'", "'20s'", "[]", "['x']", "[1]", "{}", "{x = 1}", "1979-05-27", "07:32:00"]
)
KEYS = st.sampled_from(
    ["policy.hold", "policy", "tariff.zone", "tariff.factor", "tariff.window", "runner.output_limit", "handlers"]
    + [f"handlers.x.{key}" for key in HandlerConfig.__struct_fields__]
)


@given(st.dictionaries(KEYS, TOML_VALUES, max_size=6))
def test_any_values_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    """No combination of keys and values ends in anything but a Config or a ConfigError."""
    home = home_with(tmp_path_factory.getbasetemp(), "\n".join(f"{key} = {value}" for key, value in values.items()))
    try:
        assert "shell" in load_config(home, {}).handlers
    except ConfigError:
        return


def test_resources_have_their_lines(tmp_path: Path) -> None:
    """What there is of each, as it is written, and where."""
    home = home_with(tmp_path, '[resources]\ngpu = 2\nmemory = "48GiB"\nlicence = 3\n')
    found = [each for each in origins(load_config(home, {}), home, {}) if each.key.startswith("resources")]
    assert [each.value for each in found] == [("0", "1"), "48GiB", 3]
    assert [each.source.rpartition(":")[2] for each in found] == ["2", "3", "4"]
