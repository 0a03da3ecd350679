"""What a mistake in `config.toml` is called: in the words of somebody who writes such a file.

Rule: pure text about text; whether something is a mistake is decided by whoever reads the file.
"""

import re
from typing import Any, Literal, get_args, get_origin

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def nearest(name: str, known: list[str]) -> str:
    """The known name that was probably meant, or all of them."""
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]}?" if near else f"; there is {', '.join(known)}"


def expected(problem: str, kind: Any) -> str:
    """msgspec's sentence in the words of a configuration file; `kind` is the type that was wanted."""
    if "enum value" in problem:
        choices = get_args(kind) if get_origin(kind) is Literal else list(get_args(kind)[0])
        return f"expected {', '.join(choices)}: i" + problem.partition(" - at")[0][1:]
    text = re.sub(r"`(\w+)( \| null)?`", lambda found: _WORDS.get(found[1], found[1]), problem)
    text = re.sub(r" - at `\$(.*?)`$", "", text).replace(", got ", ", not ")
    return text[0].lower() + text[1:]
