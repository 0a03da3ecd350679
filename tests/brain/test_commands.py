"""What a command takes is told by its own runs and those of commands like it, or nobody knows."""

import json
import math

from hybridq.brain.commands import MOST, PROGRAMS, kind_of, shared
from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.forecast import held_etas
from hybridq.brain.policy import classify
from hybridq.config.kinds import traits_of
from hybridq.config.values import HandlerConfig
from hybridq.job import Audience, Held, Lane, Mode, Request
from tests.support.deciding import conditions

S = Lane.STREAM
SHELL = HandlerConfig(kind="shell")


def command(*words: str, cwd: str = "/") -> str:
    return kind_of(json.dumps({"argv": words}).encode(), cwd)


def ran(*runs: tuple[str, float]) -> Model:
    """A model after these commands, typed as one line, and the seconds of each."""
    seen = [Observation(size=9, busy=seconds, kind=command(*line.split())) for line, seconds in runs]
    model = Model()
    for each in seen:
        model = learn_many(model, [each])
    return model


def takes(model: Model, line: str, q: float = 0.5) -> float | None:
    return Estimate(model, None, SHELL).of(command(*line.split())).run_time(S, 9, q)


def test_four_short_sleeps_say_nothing_of_a_long_one() -> None:
    """After four runs of `sleep 1` its next is known, and that of `sleep 60` is not."""
    model = ran(*[("sleep 1", 1.0)] * 4)
    assert math.isclose(takes(model, "sleep 1") or 0, 1.0, rel_tol=0.01)
    assert takes(model, "sleep 60") is None


def test_each_of_many_commands_keeps_its_own_time() -> None:
    """Of one program with many arguments each is foreseen by itself, narrowly."""
    model = ran(*[(f"sleep {n}", float(n)) for _ in range(4) for n in (1, 5, 20, 60)])
    for n in (1, 5, 20, 60):
        assert math.isclose(takes(model, f"sleep {n}") or 0, n, rel_tol=0.01)
        assert (takes(model, f"sleep {n}", 0.9) or 0) < 1.5 * n
    assert takes(model, "sleep 30") is None


def test_a_program_that_takes_alike_tells_of_its_next_argument() -> None:
    """Three files that took alike tell of a fourth; another program is not told of."""
    model = ran(*[(f"convert {name}.png", 4.0) for name in "abc"])
    assert math.isclose(takes(model, "convert d.png") or 0, 4.0, rel_tol=0.01)
    assert takes(model, "render d.png") is None


def test_the_handler_tells_only_where_many_programs_took_alike() -> None:
    """Of a program that never ran many others tell, if all of them took alike."""
    programs = [(f"tool{n} x", 2.0) for n in range(PROGRAMS)]
    assert takes(ran(*programs[1:]), "other x") is None
    assert takes(ran(*programs), "other x") is not None
    assert takes(ran(*programs, ("slow x", 60.0)), "other x") is None


def test_folders_are_told_apart() -> None:
    """`make` takes what it took in this folder, not in another."""
    assert command("make", cwd="/a") != command("make", cwd="/b")
    assert shared(command("make", cwd="/a"), command("make", cwd="/b")).count(".") == 1
    assert shared(command("make"), command("ls")) == ""


def test_no_word_of_a_command_is_kept() -> None:
    """What is learned of a command holds none of its words."""
    assert "secret" not in command("curl", "-H", "secret") + kind_of(b'{"shell":"secret"}')


def test_what_is_no_command_has_no_kind() -> None:
    """Text, half a command and an empty one are of no kind; a long standard input does not matter."""
    assert [kind_of(each) for each in (b"text", b'{"argv":["a"', b'{"argv":[]}', b'{"shell":" "}')] == [""] * 4
    assert kind_of(b'{"argv":["a"],"stdin":"' + b"x" * 9999) == kind_of(b'{"argv":["a"]}')


def test_memory_is_bounded_and_keeps_the_nightly_one() -> None:
    """A thousand different downloads push out each other, and not the command of another program."""
    model = ran(*[("backup all", 60.0)] * 3, *[(f"curl page{n}", 1.0) for n in range(1000)])
    assert len(model.commands) == MOST
    assert math.isclose(takes(model, "backup all") or 0, 60.0, rel_tol=0.01)


def test_an_unknown_command_is_decided_by_who_waits() -> None:
    """A new command behaves as if nothing were known: a person is answered, the rest is gathered."""
    assert traits_of("shell").commands
    world = conditions(estimate=Estimate(ran(*[("sleep 1", 1.0)] * 9), None, SHELL))
    for audience, mode in ((Audience.USER, Mode.STREAM), (Audience.BACKGROUND, Mode.BATCH)):
        asked = Request(handler="shell", audience=audience, kind=command("sleep", "60"))
        decision = classify(asked, 1, 9, world)
        assert (decision.mode, decision.forecast.finish) == (mode, None)
        assert (decision.reason.kind, decision.reason.text, decision.reason.jobs) == ("untimed", "this command", 0)


def test_held_commands_are_foreseen_each_by_itself() -> None:
    """In one flush a known command has an end, and an unknown one none."""
    model = ran(*[("sleep 20", 20.0)] * 4)
    world = conditions(estimate=Estimate(model, model, SHELL), batch_slots=2)
    classes = [
        Held(key=1, jobs=1, size=9, deadline=world.now + 30, since=world.now, delay_cost=1.0, kind=command("new")),
        Held(key=2, jobs=1, size=9, deadline=math.inf, since=0.0, delay_cost=1.0, kind=command("sleep", "20")),
    ]
    etas = held_etas(classes, world)
    assert etas[1].finish is None
    assert math.isclose((etas[2].finish or 0) - (etas[2].start or 0), 20.0, rel_tol=0.01)


def test_a_word_that_begins_with_stdin_is_a_word() -> None:
    """A command is known whatever its arguments are called."""
    assert kind_of(b'{"argv":["cat","stdin.txt"]}').count(".") == 2
    assert kind_of(b'{"argv":["cat","x"],"stdin":"y"}') == kind_of(b'{"argv":["cat","x"]}')
