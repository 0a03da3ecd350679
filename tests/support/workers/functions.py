"""Functions that a configuration may name: good ones, and all that may go wrong with one."""

import os
import signal
import sys
import time

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


def heard(pieces):
    """Tells each piece of a session at once, and at the end how many there were."""
    count = 0
    for piece in pieces:
        count += 1
        yield f"{piece!r} "
    return count


def collected(pieces):
    """What came, as one text."""
    return "".join(pieces)


def told(pieces):
    """Yields, and returns nothing."""
    yield from pieces


def hasty(pieces):
    """Answers at the first piece."""
    return next(pieces)


def cross(pieces):
    """Cannot hear `bad`."""
    for piece in pieces:
        if piece == "bad":
            raise ValueError("I heard something bad")
        yield piece


def untold(pieces):
    """Yields what is no text."""
    for piece in pieces:
        yield [piece]


def mortal(pieces):
    """Dies at the piece `die`, once: the file that it names is there then."""
    for piece in pieces:
        yield piece
        if piece.startswith("die ") and not os.path.exists(piece[4:]):
            open(piece[4:], "w").close()
            os.kill(os.getpid(), signal.SIGKILL)


def stuck(pieces):
    """Takes one piece and sleeps."""
    next(pieces)
    time.sleep(600)


def marathon(pieces):
    """Counts the bytes of what comes, slowly at first."""
    time.sleep(0.5)
    return sum(map(len, pieces))
