"""The completion scripts of every shell, by the shell's name: printed, or written into a folder."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .bash_zsh import bash, zsh
from .completion import Command, commands
from .fish import fish


def write(folder: Path) -> list[Path]:
    """Write the scripts of all shells into a folder, under the names that the shells look for."""
    known = commands()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for filename, render in SCRIPTS.values():
        paths.append(folder / filename)
        paths[-1].write_text(render(known), encoding="utf-8")
    return paths


def script(shell: str) -> str:
    """The completion script for `bash`, `zsh` or `fish`."""
    return SCRIPTS[shell][1](commands())


SCRIPTS: dict[str, tuple[str, Callable[[Sequence[Command]], str]]] = {
    "bash": ("hybridq", bash),
    "zsh": ("_hybridq", zsh),
    "fish": ("hybridq.fish", fish),
}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
