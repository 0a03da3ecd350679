"""What the words of `submit` mean: which handler, and where its inputs come from.

Rule: one reading for every line that can be typed; what can be read in two ways is refused with the
two ways spelled out. Reads nothing yet.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hybridq.asking.options import command_input, with_stdin, words
from hybridq.errors import UsageError
from hybridq.visible import visible_line

from ..suggestions import Misread
from . import inputs
from .inputs import Bad, Item

_HOW = "hybridq submit -- CMD ARG, or hybridq submit HANDLER INPUT"


class Source(Struct, frozen=True, kw_only=True):
    """A handler and one way to its inputs: exactly one of the others is given."""

    handler: str
    argv: Sequence[str] | None = None
    shell: str | None = None
    text: str | None = None  # INPUT, @FILE or -
    each: Sequence[str] | None = None
    lines: str | None = None
    jsonl: str | None = None

    @property
    def many(self) -> bool:
        """Whether it may hold more than one job."""
        return self.argv is None and self.shell is None and self.text is None

    def meant(self, commands: bool) -> "Source":
        """What stands after `--` is a command for a handler of commands, for others their one input. Raises Misread."""
        if commands or self.argv is None:
            return self
        if len(self.argv) != 1:
            raise Misread(_words(self.handler, self.argv))
        return replace(self, argv=None, text=self.argv[0])

    def one(self, commands: bool, stdin: bytes = b"") -> bytes:
        """The single input; `stdin` is a command's own. Raises BadData."""
        if self.argv is not None:
            return inputs.as_json(command_input(list(self.argv), stdin))
        if self.shell is not None:
            return inputs.as_json({"shell": self.shell, **with_stdin(stdin)})
        if commands:
            return inputs.as_json(command_input(words(inputs.whole(self.text or "")), stdin))
        return inputs.as_json(inputs.whole(self.text or ""))

    def stream(self, commands: bool) -> Iterator[Item | Bad]:
        """All inputs, one after another."""
        encode = inputs.encoder(commands)
        if self.lines is not None:
            return inputs.lines(self.lines, encode)
        if self.jsonl is not None:
            return inputs.json_lines(self.jsonl, encode, command=commands)
        return inputs.each(self.each or (), encode)


def understood(
    words: Sequence[str],
    after: Sequence[str] | None,
    *,
    shell: str | None,
    each: bool,
    lines: str | None,
    jsonl: str | None,
) -> Source:
    """The source that is meant; `after` is what stood after `--`, if it did. Raises UsageError."""
    asked = [
        name
        for name, given in (
            ("--shell", shell is not None),
            ("--each", each),
            ("--lines", lines is not None),
            ("--jsonl", jsonl is not None),
        )
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} cannot be used together")
    if shell is not None:
        if words or after:
            raise UsageError("--shell takes the whole command as one argument: put it in quotes")
        if not shell.strip():
            raise UsageError("--shell needs a command: hybridq submit --shell 'CMD | CMD'")
        return Source(handler="shell", shell=shell)
    if not words:
        if asked or not after:
            raise UsageError(f"{'name the handler first' if asked else 'nothing to submit'}: {_HOW}")
        return Source(handler="shell", argv=after)
    handler, rest = words[0], [*words[1:], *(after or ())]
    if not handler:
        raise UsageError(f"the handler name is empty: {_HOW}")
    if each:
        if not rest:
            raise UsageError("--each needs files: hybridq submit HANDLER --each FILE...")
        return Source(handler=handler, each=rest)
    if asked:
        if rest:
            raise UsageError(f"{asked[0]} reads the inputs: remove '{visible_line(rest[0], 40)}'")
        return Source(handler=handler, lines=lines, jsonl=jsonl)
    if after and len(words) == 1:
        return Source(handler=handler, argv=after)
    if len(rest) != 1:
        raise Misread(_words(handler, rest))
    return Source(handler=handler, text=rest[0])


def _words(handler: str, rest: Sequence[str]) -> str:
    name = visible_line(handler, 40)
    if not rest:
        return f"no input for {name}: give text, @FILE, - or --lines FILE"
    return f"{name} takes one input, not {len(rest)}: put it in quotes, or use --each for files"
