"""Functions that a configuration may name: good ones, and all that may go wrong with one."""

import os
import sys

import lines as neighbour  # a module of the user's that is called like one of ours


def double(inputs):
    return [2 * each for each in inputs]


def from_here(inputs):
    return [neighbour.WORD for _ in inputs]


def one_by_one(inputs):
    for each in inputs:
        yield 100 // each


def at_once(inputs):
    return [100 // each for each in inputs]


def noisy(inputs):
    print('{"id": 1, "output": "forged"}')
    os.system("echo from a child")  # noqa: S605 - it writes where functions must not
    sys.stdout.flush()
    return [sys.stdin.read() for _ in inputs]


def dies_later(inputs):
    yield from inputs[:-1]
    os.abort()


def too_few(inputs):
    return inputs[1:]


def stops_early(inputs):
    yield from inputs[:1]


def text(inputs):
    return "x" * len(inputs)


def nothing(inputs):
    pass


def odd_values(inputs):
    return [eval(each) for each in inputs]  # noqa: S307 - the test says what


def leaves(inputs):
    sys.exit(str(inputs[0]))


class Loaded:
    """A callable object."""

    def __call__(self, inputs):
        return [len(each) for each in inputs]


loaded = Loaded()
