"""The pages of `hybridq help`: each is there, those made from the code are as the code makes them, examples work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.config.values import Config
from hybridq.home import Home
from hybridq_cli.commands import COMMANDS
from hybridq_cli.help import settings
from hybridq_cli.help.topics import FOLDER, TOPICS, made, text
from tests.support.building import command
from tests.support.served import Queue


def blocks(kind: str, *topics: str) -> list[str]:
    """The fenced examples of one kind on these pages."""
    fenced = re.compile(rf"^```{kind}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [found for topic in topics for found in fenced.findall(text(topic))]


def test_each_topic_has_a_page_and_no_other_is_there() -> None:
    """The list of topics and the folder of pages name the same."""
    assert sorted(TOPICS) == sorted(path.stem for path in FOLDER.iterdir())


@pytest.mark.parametrize("topic", ["settings", "commands", "json"])
def test_what_is_made_from_the_code_is_what_is_kept(topic: str) -> None:
    """The kept page is the one that the code makes: python -m hybridq_cli.help.topics writes it."""
    assert text(topic) == made()[topic]


def test_each_setting_has_its_sentence() -> None:
    """Every key that `config.toml` may have is explained, and nothing else."""
    assert set(settings.SENTENCES) == settings.keys()


def test_each_default_is_the_one_in_force(tmp_path: Path) -> None:
    """A file that spells out the defaults of the page gives the configuration that no file gives."""
    spelled = ""
    for section in ("policy", "runner"):
        part = text("settings").partition(f"## `[{section}]`")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", part, re.MULTILINE)
        spelled += f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in rows)
    (tmp_path / "config.toml").write_text(spelled)
    assert spelled.count("=") == 13
    found, default = load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {}), Config()
    assert (found.policy, found.runner) == (default.policy, default.runner)


def test_a_models_other_defaults_are_named(tmp_path: Path) -> None:
    """Where a language model's default is another than a worker's, the page says which."""
    table = "[handlers.{0}]\nkind = '{0}'\nmodel = 'm'\n"
    (tmp_path / "config.toml").write_text(table.format("openai") + table.format("anthropic"))
    handlers = load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {}).handlers
    said = dict(re.findall(r"^\| `(\w+)` .*\(models: (.*)\) \|$", text("settings"), re.MULTILINE))
    one, other = handlers["openai"], handlers["anthropic"]
    assert said == {
        "instances": f"{one.instances}",
        "retries": f"{one.retries}",
        "chunk": f"{one.chunk:,} or {other.chunk:,} a batch",
    }


def test_the_examples_of_configuration_load(tmp_path: Path) -> None:
    """What the pages show of `config.toml` is understood; a plug-in's kind is read as it stands."""
    examples = [block for block in blocks("toml", "handlers", "models", "plugins") if "entry-points" not in block]
    (tmp_path / "config.toml").write_text("\n".join(examples))
    handlers = load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {}).handlers
    assert {"words", "embed", "upper", "gpt", "scans"} <= set(handlers)
    assert handlers["gpt"].daily_budget == 5.0


def test_the_python_example_runs(tmp_path: Path) -> None:
    """The library example submits a job."""
    queue = Queue(tmp_path, '[handlers.upper]\ncommand = "tr a-z A-Z"\nprotocol = "lines"\n')
    (code,) = blocks("python", "python")
    done = subprocess.run([sys.executable, "-c", code], env=queue.environment, capture_output=True, text=True)
    assert done.stdout.startswith("1 "), done.stderr


def test_help_prints_a_topic_a_command_or_the_list(tmp_path: Path) -> None:
    """A topic's page as it is; a command's own help; without one, every topic."""
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path)})
    assert command(home, "help", "exit-codes").stdout == text("exit-codes")
    assert command(home, "help", "wait").stdout == command(home, "wait", "--help").stdout
    listed = command(home, "help").stdout
    assert all(topic in listed for topic in TOPICS)


def test_a_topic_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    """A mistyped topic ends with 64 and names the one that was meant."""
    said = command(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), "help", "setings")
    assert said.returncode == 64
    assert "did you mean settings" in said.stderr


def test_every_command_is_a_section_of_the_reference() -> None:
    """The page of commands has each command of the table, and no other."""
    assert re.findall(r"^## hybridq ([\w-]+)$", text("commands"), re.MULTILINE) == list(COMMANDS)


def test_the_help_of_submit_lists_each_way_on_a_line_of_its_own(tmp_path: Path) -> None:
    """What click is told by a backspace reaches it: no line of the list runs into the next."""
    said = command(tmp_path, "submit", "--help").stdout
    assert "\\b" not in said
    assert re.search(r"^ *hybridq submit -- CMD ARG\.\.\. +a command$", said, re.MULTILINE)
