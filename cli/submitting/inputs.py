"""Where the inputs of a submission come from: words, a file, many files, lines, JSON lines.

Rule: read as a stream, one at a time, so that a million lines need no more memory than one; whatever
is wrong with one of them is a BadData that says which. An input is stored as JSON: what a worker sees.
"""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO

import msgspec
from msgspec import Raw, Struct

from hybridq.asking.options import Options, check, command_input, words
from hybridq.errors import BadData, UsageError
from hybridq.files import BOM, UTF_16, Takes, as_text, open_file
from hybridq.queue.intake import LARGEST_INPUT
from hybridq.visible import visible_line

Encode = Callable[[str], bytes]
_HALF = rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F]..)"
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "float | str": "a text or a number",
    "array": "a list",
    "object": "an object",
    "bool": "true or false",
    "null": "null",
}


class JobLine(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of `--jsonl`: its input and any option by its name."""

    input: Raw


class Item(Struct, frozen=True, gc=False):
    """One job to be: its input, and the options that it alone has."""

    data: bytes
    options: Options | None
    place: int | str  # the line's number, or the file's name


class Bad(Struct, frozen=True):
    """What could not be one, and why."""

    place: int | str
    reason: str

    def __str__(self) -> str:
        return f"{f'line {self.place}' if isinstance(self.place, int) else self.place}: {self.reason}"


def encoder(commands: bool) -> Encode:
    """How a text becomes an input: a JSON string, or the words of a command."""
    return _command if commands else as_json


def whole(argument: str) -> str:
    """The text that INPUT, @FILE or - stands for. Raises BadData."""
    if argument == "-":
        return _decoded(_limited(sys.stdin.buffer, "standard input"), "standard input")
    if argument.startswith("@"):
        path = argument[1:]
        with _opened(path, Takes.OPENED) as file:
            return _decoded(_limited(file, path), path)
    return argument


def each(paths: Iterable[str], encode: Encode) -> Iterator[Item | Bad]:
    """One job a file: its absolute path is the input, because a worker has a folder of its own."""
    for path in paths:
        place = f"'{visible_line(path, 100)}'"
        if os.access(path, os.R_OK) and os.path.isfile(path):
            yield Item(encode(os.path.abspath(path)), None, place)
        else:
            yield Bad(place, "no such file" if not os.path.exists(path) else "not a readable file")


def lines(path: str, encode: Encode) -> Iterator[Item | Bad]:
    """One job a line, without its line end."""
    for number, line in _numbered(path):
        if isinstance(line, Bad):
            yield line
            continue
        try:
            yield Item(encode(line.decode()), None, number)
        except UnicodeDecodeError as problem:
            yield Bad(number, _not_text(problem))
        except BadData as problem:
            yield Bad(number, str(problem))


def json_lines(path: str, encode: Encode, *, command: bool) -> Iterator[Item | Bad]:
    """One job a JSON object."""
    decoder = msgspec.json.Decoder(JobLine)
    for number, line in _numbered(path):
        if isinstance(line, Bad):
            yield line
            continue
        if not line.strip():
            continue  # as JSON Lines readers do
        try:
            line.decode()  # of the input, which is kept as it stands, the decoder would not say so
            found = decoder.decode(line)
            check(found)
            data = _command_json(bytes(found.input), encode) if command else bytes(found.input)
        except UnicodeDecodeError as problem:
            yield Bad(number, _not_text(problem))
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            yield Bad(number, _json_problem(problem, line))
        except (BadData, UsageError) as problem:
            yield Bad(number, str(problem))
        else:
            yield Item(data, found, number)


def as_json(value: object) -> bytes:
    """The value as JSON; of a file's name that is no UTF-8 the bytes are kept, as lone surrogates."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        import json

        return json.dumps(value).encode()


def _command(text: str) -> bytes:
    return as_json(command_input(words(text)))


def _command_json(data: bytes, encode: Encode) -> bytes:
    """A command given as JSON: text, a list of words, or the very input of a shell job."""
    found = msgspec.json.decode(data)
    more = {"stdin": found.pop("stdin")} if isinstance(found, dict) and isinstance(found.get("stdin"), str) else {}
    match found:
        case str(text):
            return encode(text)
        case {} if len(found) != 1:
            pass
        case [*argv] | {"argv": [*argv]} if all(isinstance(word, str) for word in argv):
            return as_json(command_input(argv) | more)
        case {"shell": str()}:
            return data
    raise BadData('a command is text, a list of words, {"argv": ["CMD", "ARG"]} or {"shell": "CMD"}')


def _numbered(path: str) -> Iterator[tuple[int, bytes | Bad]]:
    """Each line of a file or of standard input, with its number; one that is too long is bad, and passed over.

    A mark of the encoding before the first is none of its text.
    """
    with _opened(path, Takes.PIPES) as file:
        number, inside = 0, False
        for line in iter(partial(_line, file, path), b""):
            ended = line.endswith(b"\n")
            if inside:
                inside = not ended
                continue
            number += 1
            if number == 1 and line.startswith(UTF_16):
                _decoded(line, "standard input" if path == "-" else path)
            if not ended and len(line) == LARGEST_INPUT:
                inside = True
                yield number, Bad(number, f"longer than {LARGEST_INPUT:,} bytes")
            else:
                yield number, (line.removeprefix(BOM) if number == 1 else line).rstrip(b"\r\n")


def _opened(path: str, takes: Takes) -> IO[bytes]:
    if path == "-":
        return sys.stdin.buffer
    try:
        return open_file(path, takes)
    except OSError as problem:
        raise BadData(f"cannot read '{visible_line(path, 100)}': {problem.strerror}{_instead(problem)}") from None
    except ValueError:
        raise BadData(f"'{visible_line(path, 100)}' is not a file name") from None


def _instead(problem: OSError) -> str:
    """What to type for what is no file and can be read by those who know that it ends."""
    return ". If it ends, read it as standard input: - < NAME" if problem.errno == errno.EINVAL else ""


def _line(file: IO[bytes], path: str) -> bytes:
    try:
        return file.readline(LARGEST_INPUT)
    except OSError as problem:
        raise BadData(f"cannot read '{visible_line(path, 100)}': {problem.strerror}") from None


def _limited(file: IO[bytes], name: str) -> bytes:
    try:
        data = file.read(LARGEST_INPUT + 1)
    except OSError as problem:
        raise BadData(f"cannot read '{visible_line(name, 100)}': {problem.strerror}") from None
    if len(data) > LARGEST_INPUT:
        raise BadData(f"'{visible_line(name, 100)}' is larger than {LARGEST_INPUT:,} bytes: use --each or --lines")
    return data


def _decoded(data: bytes, name: str) -> str:
    try:
        return as_text(data)
    except ValueError as problem:
        raise BadData(f"'{visible_line(name, 100)}' {problem}: submit its path with --each") from None


def _not_text(problem: UnicodeDecodeError) -> str:
    return f"not UTF-8 text (byte {problem.start + 1})"


def _json_problem(problem: Exception, line: bytes) -> str:
    """Msgspec's sentence, for somebody who wrote the line."""
    if isinstance(problem, RecursionError):
        return "nested too deeply"
    text = str(problem)
    if "truncated" in text or "surrogate" in text:
        # msgspec calls half of a pair at the end of a text truncated, too.
        half = re.search(_HALF, line)
        if half is None:
            return "incomplete JSON: it ends in the middle"
        return f"byte {half.start() + 1} is {half[0].decode()}, half of a character: write both halves"
    text = text.replace(" - at `$.", " for `").replace("`", "'")
    for word, said in _WORDS.items():
        text = text.replace(f"'{word}'", said).replace(f"'{word} | null'", said)
    if "unknown field" in text:
        return f"{text}; known fields: input, {', '.join(Options.__struct_fields__)}"
    return text if text.startswith("JSON") else text[0].lower() + text[1:]
