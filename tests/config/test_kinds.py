"""Traits: what hybridq knows of a kind of handler before it makes one, its own and those of plug-ins."""

import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.brain.remote import Remote
from hybridq.config import kinds
from hybridq.config.kinds import BUILT_IN, Traits
from hybridq.config.read import load_config
from hybridq.config.values import Config, HandlerConfig
from hybridq.errors import ConfigError
from hybridq.handlers import FACTORIES, make_handler
from hybridq.home import Home
from hybridq.job import Lane, Mode
from hybridq.outlook import Outlook
from hybridq.queue.store import Store

KINDS = ("far", "near", "odd", "bad", "wild", "broken", "none")
PLUGIN = """
from hybridq.config.kinds import Traits

def far(name, config, *, runner): ...
far.traits = Traits(remote=True, starts="never", key="FAR_KEY", defaults={"instances": 7, "modes": ["batch"]})

def near(name, config, *, runner): ...
near.traits = Traits(commands=True, slots="runner")

def odd(name, config, *, runner): ...
odd.traits = {"remote": True}

def bad(name, config, *, runner): ...
bad.traits = Traits(defaults="nonsense", key=7)

def wild(name, config, *, runner): ...
wild.traits = Traits(remote=True, defaults={"instances": "many"})

print("noise")
"""


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A handler of each kind of a plug-in that is installed, of one that cannot be imported, and of one of ours."""
    info = tmp_path / "plug-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1\n")
    points = "".join(f"{kind} = plug_ins:{kind}\n" for kind in ("far", "near", "odd", "bad", "wild"))
    points += "broken = plug_broken:make\n"
    (info / "entry_points.txt").write_text(f"[hybridq.handlers]\n{points}")
    (tmp_path / "plug_ins.py").write_text(PLUGIN)
    (tmp_path / "plug_broken.py").write_text("raise SystemExit(3)")
    (tmp_path / "config.toml").write_text(
        "[runner]\nbatch_slots = 3\n[handlers.ours]\ncommand = 'cat'\n"
        + "".join(
            f"[handlers.{kind}]\nkind = '{kind}'\n" for kind in ("far", "near", "odd", "bad", "wild", "broken", "none")
        )
        + "[handlers.other]\nkind = 'far'\ninstances = 2\nmodes = ['stream']\nprice = 0.5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(kinds, "_wrong", {})
    monkeypatch.setattr(kinds, "_known", dict(BUILT_IN))
    return load_config(Home.find({"HYBRIDQ_HOME": str(tmp_path)}), {})


@pytest.fixture
def outlook(configured: Config, tmp_path: Path) -> Outlook:
    """The world with these handlers."""
    return Outlook(Store.open(Home.find({"HYBRIDQ_HOME": str(tmp_path)})), configured)


def test_each_kind_has_traits_beside_its_factory() -> None:
    """There is no kind of ours that is known in one place alone."""
    assert BUILT_IN.keys() == FACTORIES.keys()


def test_a_plug_in_says_what_it_is_like(configured: Config) -> None:
    """Its traits are those of its handlers, its defaults hold where the table says nothing."""
    far, other = configured.handlers["far"], configured.handlers["other"]
    assert (far.traits.remote, far.traits.key, configured.handlers["near"].traits.commands) == (True, "FAR_KEY", True)
    assert (far.instances, far.modes, other.instances, other.modes) == (7, (Mode.BATCH,), 2, (Mode.STREAM,))
    assert configured.handlers["near"].cwd == ""  # commands run where they were submitted


@pytest.mark.parametrize("kind", ["odd", "wild", "broken", "none"])
def test_a_plug_in_without_traits_keeps_nobody_from_reading(configured: Config, kind: str) -> None:
    """Traits that are none, an import that fails, no plug-in at all: the others are configured all the same."""
    assert configured.handlers[kind].traits == Traits()
    assert configured.handlers["ours"].traits.program


def test_what_a_plug_in_is_like_is_what_the_plan_is_made_with(outlook: Outlook) -> None:
    """A remote one is planned as a provider's: at once, nothing started, no load; slots are whose say they are."""
    world, estimate = outlook.conditions("far", 0.0), outlook.estimate("far")
    assert isinstance(estimate, Remote)
    assert estimate.at_once
    assert (world.warm, world.load, world.batch_slots, outlook.slots("far", Lane.STREAM)) == (True, 0.0, 1, 7)
    assert outlook.slots("near", Lane.BATCH) == 3
    assert (estimate.cost(Lane.BATCH, 9), outlook.estimate("other").cost(Lane.BATCH, 9)) == (None, 0.5)
    assert {"far"} == outlook.unpriced()


def test_a_filter_of_lines_is_started_for_each_chunk() -> None:
    """It is a worker otherwise."""
    assert HandlerConfig(protocol="lines").traits == Traits(program=True, starts="each")


def test_a_kind_of_ours_is_known_without_a_look_at_what_is_installed(tmp_path: Path) -> None:
    """To look costs some 10 ms, which each submission would wait for."""
    (tmp_path / "config.toml").write_text(
        "[handlers.ours]\ncommand = 'cat'\n[handlers.gpt]\nkind='openai'\nmodel='m'\n"
    )
    program = (
        "import sys; from hybridq.config.read import load_config; from hybridq.home import Home\n"
        f"load_config(Home.find({{'HYBRIDQ_HOME': {str(tmp_path)!r}}}), {{}})\n"
        "assert 'importlib.metadata' not in sys.modules and 'hybridq.handlers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-I", "-c", program], check=True)


@pytest.mark.parametrize("kind", ["odd", "bad", "wild"])
def test_traits_that_are_none_are_told_to_whoever_makes_the_handler(configured: Config, kind: str) -> None:
    """They keep nobody from reading the configuration, and the handler of that kind alone cannot be made."""
    with pytest.raises(ConfigError, match="its traits cannot be used"):
        make_handler(kind, configured.handlers[kind], runner=configured.runner)


def test_what_a_plug_in_prints_is_no_output_of_a_command(
    configured: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Importing it prints to standard error alone, so that `--json` stays JSON."""
    sys.modules.pop("plug_ins", None)
    kinds.plugin("far")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "noise\n")
