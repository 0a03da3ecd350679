"""Runs a user's function as a worker: `PYTHON callee.py [--session] [--check] MODULE:FUNCTION`.

Started by path in the interpreter that the configuration names, which may be an older one (3.9) without hybridq:
so it uses the standard library alone. The function gets a list of inputs and returns, or yields, one output each,
in order. With `--session` it gets an iterator of pieces, yields partial outputs (text), and returns the output. What
it prints goes to the log: the protocol has pipes of its own.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

Calls = list[Any]  # dicts with `id`, `attempt` and `input`
Function = Callable[[list[Any]], Iterable[Any]]


class WrongResult(Exception):
    """The function gave something from which nobody can tell which output belongs to which input."""


def main() -> None:
    """Serve chunks until the input ends. With `--check` only import the function."""
    calls, answers = own_pipes()
    use_working_directory()
    function = load(sys.argv[-1])
    if "--check" in sys.argv[1:-1]:
        return
    for line in calls:
        message = json.loads(line)
        todo = message if isinstance(message, list) else [message]
        if "--session" not in sys.argv[1:-1]:
            run(function, todo, answers)
        elif "input" in todo[0]:  # else it belongs to a session that the function has left before its end
            for call in todo:
                run_session(function, call, calls, answers)
        answers.flush()


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the protocol's pipes away from the function: its input is empty, its output is the log."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return calls, answers


def use_working_directory() -> None:
    """Import from the working directory, not from the folder of this file."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = ["", *(place for place in sys.path if os.path.abspath(place) != own)]


def load(name: str) -> Function:
    """The function that `MODULE:FUNCTION` names. Ends the process with a sentence when there is none."""
    module, _, attributes = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except Exception as error:
        traceback.print_exc()
        places = f"looked in {os.getcwd()} and where {sys.executable} finds modules"
        sys.exit(f"{name} cannot be imported: {describe(error)} ({places})")
    if not callable(found):
        sys.exit(f"{name} is not a function")
    function: Function = found
    return function


def run(function: Function, calls: Calls, answers: BinaryIO) -> None:
    """Answer all calls, each exactly once."""
    todo = [calls]
    while todo:
        todo = attempt(function, todo[0], answers) + todo[1:]


def attempt(function: Function, calls: Calls, answers: BinaryIO) -> list[Calls]:
    """Call the function once; returns what is to be tried again.

    A function that raises fails the call whose output was due, and goes on behind it. If that was the first of
    several it may have looked at all of them: then each half is tried by itself, until the bad one is alone.
    """
    results: Iterator[Any] = iter(())
    for place, call in enumerate(calls):
        try:
            if place == 0:
                results = outputs(function, calls)
            output = next(results)
        except (StopIteration, WrongResult) as error:
            reason = str(error) or f"the function returned {place} outputs for {len(calls)} inputs"
            for left in calls[place:]:
                write_answer(answers, left, "error", reason)
            return []
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            if place == 0 and len(calls) > 1:
                middle = len(calls) // 2
                return [calls[:middle], calls[middle:]]
            write_answer(answers, call, "error", describe(error))
            return [calls[place + 1 :]]
        write_answer(answers, call, "output", output)
        if not isinstance(results, Ready):
            answers.flush()
    return []


class Ready:
    """Iterates over outputs that are all there."""

    def __init__(self, results: Any) -> None:
        self._results = iter(results)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._results)


def outputs(function: Function, calls: Calls) -> Iterator[Any]:
    """What the function makes of the inputs. Raises WrongResult, and whatever the function raises."""
    results: Any = function([call["input"] for call in calls])
    if isinstance(results, (str, bytes, dict)) or not hasattr(results, "__iter__"):
        raise WrongResult(f"the function must return or yield outputs, not {type(results).__name__}")
    if not hasattr(results, "__len__"):
        return iter(results)
    if len(results) != len(calls):
        raise WrongResult(f"the function returned {len(results)} outputs for {len(calls)} inputs")
    return Ready(results)


def run_session(function: Function, call: Any, lines: BinaryIO, answers: BinaryIO) -> None:
    """Give the function the pieces of one session, or an ordinary input as the only one; answer once."""
    try:
        output = tell_partials(function(pieces(call, lines)), call, answers)  # type: ignore[arg-type]
    except (Exception, SystemExit) as error:
        if not isinstance(error, WrongResult):
            traceback.print_exc()
        write_answer(answers, call, "error", str(error) if isinstance(error, WrongResult) else describe(error))
    else:
        write_answer(answers, call, "output", output)


def pieces(call: Any, lines: BinaryIO) -> Iterator[Any]:
    """What arrives for this call: a text, or bytes; waits for the next one."""
    if not call.get("more"):
        yield call["input"]
        return
    for line in lines:
        message = json.loads(line)
        if message.get("id") != call["id"]:
            continue
        if message.get("end"):
            return
        yield base64.b64decode(message["base64"]) if "base64" in message else message["piece"]


def tell_partials(results: Any, call: Any, answers: BinaryIO) -> Any:
    """Write what a generator yields as partial output, at once; its output is what it returns, else all of that."""
    if not hasattr(results, "__next__"):
        return results
    said: list[str] = []
    while True:
        try:
            partial = next(results)
        except StopIteration as over:
            return "".join(said) if over.value is None else over.value
        if not isinstance(partial, str):
            raise WrongResult(f"a session's function must yield text, not {type(partial).__name__}")
        write_answer(answers, call, "partial", partial)
        answers.flush()
        said.append(partial)


def write_answer(answers: BinaryIO, call: Any, key: str, value: Any) -> None:
    """Write one answer; an output that is not JSON makes it an error."""
    reply = {"id": call["id"], "attempt": call["attempt"], key: value}
    try:
        text = json.dumps(reply, allow_nan=False, default=without_arrays)
    except (TypeError, ValueError, RecursionError) as error:
        text = json.dumps({**reply, "output": None, "error": f"the output is not JSON: {describe(error)}"})
    answers.write(text.encode() + b"\n")


def without_arrays(value: Any) -> Any:
    """Arrays and scalars of numerical libraries as lists and numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
