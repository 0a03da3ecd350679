"""Did you mean: a mistyped command line, corrected as a whole, to be copied.

Rule: a hint keeps every argument of the line that it corrects, quoted as a shell needs it.
"""

import shlex
import shutil
from collections.abc import Sequence
from difflib import get_close_matches

from hybridq.errors import UsageError
from hybridq.visible import visible_line

LINE = 400  # cells of a line that is said again


class Misread(UsageError):
    """The words of a `submit` that are no handler and its input: they may have been meant as a command."""


def typed(words: Sequence[str]) -> str:
    """A line as it would be typed, harmless for a terminal."""
    return visible_line(shlex.join(words), LINE)


def meant(args: Sequence[str], commands: Sequence[str]) -> str:
    """The sentence about a first word that is no command."""
    name = visible_line(args[0], 40)
    if near := get_close_matches(args[0], commands, n=1):
        return f"no command named '{name}'. Did you mean: {typed(['hybridq', near[0], *args[1:]])}"
    if shutil.which(args[0]):
        return f"no command named '{name}'. To run a program: {typed(['hybridq', 'submit', '--', *args])}"
    return f"no command named '{name}'. List them: hybridq --help"


def as_command(words: Sequence[str], options: Sequence[str] = (), before: Sequence[str] = ("hybridq", "submit")) -> str:
    """A hint for somebody who left out the `--` before a command, or the `--shell` before a line, or nothing.

    `words` is what may be the command, `options` what was asked beside it of the line
    that is `before` it.
    """
    options = [each for each in options if each != "--each"]  # a command has no files of its own
    if shutil.which(words[0]):
        return f". To run a command, put -- before it: {typed([*before, *options, '--', *words])}"
    program, *rest = words[0].split() or [""]
    if rest and shutil.which(program):
        line = " ".join([words[0], *map(shlex.quote, words[1:])])
        return f". To run a shell line: {typed([*before, *options, '--shell', line])}"
    return ""


def without(args: Sequence[str], words: Sequence[str]) -> list[str]:
    """The options among these arguments, with their values: what is left without the words."""
    left = [arg for arg in args if arg != "--"]
    for word in words:
        if word in left:
            left.remove(word)
    return left
