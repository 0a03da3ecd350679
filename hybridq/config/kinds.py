"""What hybridq must know of a kind of handler before it makes one: its traits, as plain data by the kind's name.

Rule: nobody asks for a kind by its name, but for what it is like; so a plug-in's kind can do whatever one of ours can.
What makes one of ours is in `handlers.FACTORIES`. A plug-in is looked up and imported only where the configuration
names its kind.
"""

import sys
from contextlib import redirect_stdout
from typing import Any, Literal

import msgspec
from msgspec import Struct

GROUP = "hybridq.handlers"  # of entry points: each is a callable like `make_handler` itself, named after its kind


class Traits(Struct, frozen=True, kw_only=True):
    """What a kind is like. A plug-in says so in `traits`, an attribute of the object that its entry point names."""

    # Its inputs are command lines. Each runs by itself, in the folder and with the variables of whoever submitted it,
    # its exit code is the job's, and no two need take alike.
    commands: bool = False
    # A provider runs it: it takes nothing of this machine and has prices of its own at all hours; a batch is handed
    # over whole and takes as long as it takes.
    remote: bool = False
    llm: bool = False  # a language model, whose table has the keys of one (see `llm`)
    program: bool = False  # it runs a program of the user's: `command` or `call`, in the folder of config.toml
    starts: Literal["never", "kept", "each"] = "kept"  # is something: never, once and then kept warm, for each chunk
    slots: Literal["instances", "runner"] = "instances"  # what says how many run at once: its `instances`, or [runner]
    key: str = ""  # the variable without which it cannot run
    defaults: dict[str, Any] = {}  # what its table says where the user's does not


BUILT_IN = {
    "shell": Traits(commands=True, starts="never", slots="runner"),
    "worker": Traits(program=True),
    # As many requests as a provider takes in one batch; tries after a broken connection or a provider's own error.
    "openai": Traits(
        remote=True,
        llm=True,
        starts="never",
        key="OPENAI_API_KEY",
        defaults={"instances": 32, "retries": 3, "chunk": 50_000},
    ),
    "anthropic": Traits(
        remote=True,
        llm=True,
        starts="never",
        key="ANTHROPIC_API_KEY",
        defaults={"instances": 32, "retries": 3, "chunk": 100_000},
    ),
}
OTHER = Traits()  # of a plug-in that says nothing, or is not there
_known = dict(BUILT_IN)
_wrong: dict[str, str] = {}


def traits_of(kind: str) -> Traits:
    """What a kind is like, as far as it was met."""
    return _known.get(kind, OTHER)


def meet(kind: str) -> Traits:
    """What a kind is like; of one that was never met its plug-in is asked.

    Where there is none, or what it says are no traits, it is as one that says nothing: `wrong` tells why.
    """
    if kind not in _known:
        try:
            said = getattr(plugin(kind), "traits", OTHER)
        except KeyboardInterrupt:
            raise
        except BaseException:  # an import may raise anything; other handlers go on without it
            return OTHER
        _known[kind] = said
        if why := _unfit(said):
            disown(kind, why)
    return _known[kind]


def wrong(kind: str) -> str:
    """What is wrong with the traits that the plug-in of a kind says; "" where nothing is."""
    return _wrong.get(kind, "")


def disown(kind: str, why: str) -> Traits:
    """What a kind's plug-in says cannot be used, which only shows later: from now on it is as one that says nothing."""
    _known[kind] = OTHER
    _wrong[kind] = f"its traits cannot be used: {why}"
    return OTHER


def _unfit(said: object) -> str:
    """Why these are no traits; "" where they are: a Struct does not check what it is made of."""
    if not isinstance(said, Traits):
        return f"expected Traits, got {type(said).__name__}"
    try:
        msgspec.convert(msgspec.structs.asdict(said), Traits)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def plugins() -> dict[str, Any]:
    """The entry points of all that is installed, by kind."""
    from importlib.metadata import entry_points  # some 10 ms

    return {point.name: point for point in entry_points(group=GROUP)}


def plugin(kind: str) -> Any:
    """What makes a handler of a plug-in's kind. Raises KeyError where there is none, and whatever its import does."""
    with redirect_stdout(sys.stderr):  # whatever it prints is no part of what a command prints
        return plugins()[kind].load()
