"""The README's settings are the program's: every key is there once, with the default that the code has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import FieldInfo, fields

from hybridq.config.llm import LlmOptions
from hybridq.config.read import WORKER_ONLY, load_config
from hybridq.config.values import HandlerConfig, PolicyConfig, RunnerConfig, TariffConfig, Window
from hybridq.home import Home
from hybridq.when import parse_span

README = (Path(__file__).parents[2] / "README.md").read_text()
SETTINGS = README.partition("\n## Settings\n")[2].partition("\n## ")[0]
Keys = dict[str, Any]


def keys(kind: type[msgspec.Struct], prefix: str = "") -> Keys:
    """Each key of a table with its default as JSON has it, or `needed`."""
    return {prefix + info.name: _plain(info) for info in fields(kind)}


def _plain(info: FieldInfo) -> Any:
    if info.required:
        return "needed"
    default = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
    return msgspec.json.decode(msgspec.json.encode(default))


def without(known: Keys, left_out: frozenset[str], *, kept: bool = False) -> Keys:
    """The keys that are not among these, or (`kept`) those that are."""
    return {name: value for name, value in known.items() if (name in left_out) is kept}


SECTIONS = [
    keys(PolicyConfig),
    {**keys(TariffConfig), **keys(Window, "window.")},
    keys(RunnerConfig),
    without(keys(HandlerConfig), WORKER_ONLY),
    without(keys(HandlerConfig), WORKER_ONLY, kept=True),
    keys(LlmOptions),
]


def tables() -> list[list[tuple[str, str]]]:
    """(key, default) of each row, a list for each table."""
    found = re.split(r"^\| key \|.*\n\|[-|]+\n", SETTINGS, flags=re.MULTILINE)[1:]
    return [re.findall(r"^\| `([\w.]+)` \| (`[^|]*`|needed) \| \S", table, re.MULTILINE) for table in found]


def value(written: str, default: Any) -> Any:
    """What a cell of the column `default` means; a duration is written as people do."""
    text = written.strip("`")
    if text in ("none", "needed"):
        return {"none": None, "needed": "needed"}[text]
    (found,) = tomllib.loads(f"x = {text}").values()
    return parse_span(found) if isinstance(default, float) and isinstance(found, str) else found


@pytest.mark.parametrize("number", range(len(SECTIONS)))
def test_every_setting_is_in_the_readme(number: int) -> None:
    """A table of the README has each key of its section, no other, and the default that is in force."""
    rows = tables()[number]
    assert sorted(name for name, _ in rows) == sorted(SECTIONS[number])
    for name, written in rows:
        assert value(written, SECTIONS[number][name]) == SECTIONS[number][name], name


def test_there_is_no_table_too_many() -> None:
    """Each table of the README's settings is compared with a section, and each of its rows was understood."""
    assert len(tables()) == len(SECTIONS)
    assert SETTINGS.count("\n| `") == sum(map(len, SECTIONS))


def test_a_models_other_defaults_are_named(tmp_path: Path) -> None:
    """Where a language model's default is another than a worker's, the README says which."""
    table = "[handlers.{0}]\nkind = '{0}'\nmodel = 'm'\n"
    (tmp_path / "config.toml").write_text(table.format("openai") + table.format("anthropic"))
    handlers = load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {}).handlers
    said = dict(re.findall(r"^\| `(\w+)` .*\(models: (.*)\) \|$", SETTINGS, re.MULTILINE))
    one, other = handlers["openai"], handlers["anthropic"]
    assert said == {
        "instances": f"{one.instances}",
        "retries": f"{one.retries}",
        "chunk": f"{one.chunk:,} or {other.chunk:,} a batch",
    }
