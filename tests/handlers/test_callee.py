"""The script that runs a user's function, as the handler runs it: by path, in an interpreter of its own."""

import json
import subprocess
import sys

import pytest

from hybridq.handlers.worker.worker import CALLEE
from hybridq.job import Failure

from ..support.handling import WORKERS, calls, ends, run, values, worker


def function(name, **settings):
    """A handler that calls a function of `workers/functions.py`."""
    return worker(call=f"functions:{name}", cwd=str(WORKERS), **settings)


def outcome(name, *inputs):
    """The value or the reason of each call, by id."""
    found = ends(run(function(name), calls(*inputs)))
    return {n: end.reason if isinstance(end, Failure) else json.loads(end.value) for n, end in sorted(found.items())}


def ask(name, *inputs, answers):
    """What the bare script writes for one chunk, and what is on its standard error."""
    chunk = json.dumps([{"id": n, "attempt": 1, "input": each} for n, each in enumerate(inputs, 1)]) + "\n"
    done = subprocess.run(
        [sys.executable, CALLEE, f"functions:{name}"],
        input=chunk,
        cwd=WORKERS,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == answers
    return done.stderr


def test_function_answers_a_chunk():
    """A list of inputs gives a list of outputs, each with its id and attempt."""
    ask("double", 1, "a", answers=[{"id": 1, "attempt": 1, "output": 2}, {"id": 2, "attempt": 1, "output": "aa"}])


def test_callable_object_is_a_function():
    """Whatever can be called will do."""
    assert outcome("loaded", "abc", []) == {1: 3, 2: 0}


def test_what_a_function_prints_is_log():
    """Printing, also by a child process, and reading standard input do not touch the protocol."""
    said = ask("noisy", 0, answers=[{"id": 1, "attempt": 1, "output": ""}])
    assert "forged" in said
    assert "from a child" in said


def test_modules_come_from_the_working_directory():
    """A user's module that is called like one of ours is the user's."""
    assert outcome("from_here", 1) == {1: "the user's own"}


@pytest.mark.parametrize("name", ["one_by_one", "at_once"])
def test_input_that_raises_fails_alone(name):
    """One bad input in a hundred fails with its exception; the others are done, whatever the function's shape."""
    found = outcome(name, *([5] * 60), 0, *([5] * 39))
    assert found.pop(61).startswith("ZeroDivisionError: ")
    assert set(found.values()) == {20}
    assert len(found) == 99


def test_thousands_of_bad_inputs_fail_one_by_one():
    """A generator that raises for each of 3,000 inputs exhausts no stack."""
    found = outcome("one_by_one", *([0] * 3000))
    assert len(found) == 3000
    assert all(reason.startswith("ZeroDivisionError") for reason in found.values())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("too_few", ["the function returned 2 outputs for 3 inputs"] * 3),
        ("stops_early", [1, *["the function returned 1 outputs for 3 inputs"] * 2]),
        ("text", ["the function must return or yield outputs, not str"] * 3),
        ("nothing", ["the function must return or yield outputs, not NoneType"] * 3),
    ],
)
def test_wrong_number_of_outputs_is_told(name, found):
    """Outputs that nobody can match with their inputs fail them with the numbers."""
    assert list(outcome(name, 1, 2, 3).values()) == found


def test_output_that_is_no_json_fails_alone():
    """NaN, a set, or a loop fails its own call; arrays of numerical libraries are lists."""
    array = "type('Array', (), {'tolist': lambda self: [1, 2]})()"
    found = outcome("odd_values", "float('nan')", "{1}", array, "'\\ud800'", "(lambda a: a.append(a) or a)([])", "5")
    assert found[1].startswith("the output is not JSON: ValueError")
    assert found[2] == "the output is not JSON: TypeError: a set cannot be written as JSON"
    assert found[5].startswith("the output is not JSON: ValueError")
    assert (found[3], found[4], found[6]) == ([1, 2], "\ufffd", 5)


def test_function_that_exits_fails_its_input():
    """`sys.exit` in a function is its error, and the worker lives."""
    assert outcome("leaves", 1, 2) == {1: "SystemExit: 1", 2: "SystemExit: 2"}


def test_outputs_that_are_yielded_come_one_by_one():
    """A generator's outputs are answered as they are made: a crash later loses none of them."""
    handler = function("dies_later")
    found = ends(run(handler, calls(1, 2, 3)))
    assert found.pop(3).reason.startswith("the worker died while it ran this job: killed by SIGABRT")
    assert {number: json.loads(end.value) for number, end in found.items()} == {1: 1, 2: 2}


def test_traceback_is_log():
    """What a function raises is told in one line; where it was raised is in the log."""
    assert "ZeroDivisionError" in ask(
        "one_by_one",
        50,
        0,
        25,
        answers=[
            {"id": 1, "attempt": 1, "output": 2},
            {"id": 2, "attempt": 1, "error": "ZeroDivisionError: integer division or modulo by zero"},
            {"id": 3, "attempt": 1, "output": 4},
        ],
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:f", "nowhere:f cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("functions:nope", "functions:nope cannot be imported: AttributeError"),
        ("functions:WORKERS.x", "cannot be imported: AttributeError"),
        ("functions:neighbour", "functions:neighbour is not a function"),
    ],
)
def test_function_that_is_not_there_is_told(name, message):
    """A function that cannot be imported fails the call with the reason, as `check` would."""
    events = run(worker(call=name, cwd=str(WORKERS)), calls(1))
    assert message in ends(events)[1].reason


def test_other_interpreter_needs_nothing_of_ours(tmp_path):
    """The script runs in an interpreter that has neither hybridq nor msgspec."""
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    assert values(run(worker(call="functions:double", cwd=str(WORKERS), python=str(bare)), calls(4))) == {1: 8}
