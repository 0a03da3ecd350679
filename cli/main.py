"""The entry point of `hybridq`: parses one command line, runs it, and turns every error into a sentence and a code.

Completion asks through `hybridq __complete`, which answers before anything of the command line is imported.
Importing takes a tenth of a second, in which Control-C is as quiet as later; so next to nothing is imported above.
"""

import gc
import os
import sys

from .exit_codes import INTERRUPTED

TYPE_CHECKING = False  # that of `typing` would have to be imported
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> "NoReturn":
    """Run the process's own command line, then exit."""
    try:
        _run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _run() -> "NoReturn":
    _complete_streams()
    if sys.argv[1:2] == ["__complete"]:
        from .shells.complete import complete

        complete(sys.argv[2:])
    gc.disable()  # what is imported stays, so there is nothing to collect; `load_command` ends it
    from io import TextIOWrapper

    from .commands import call
    from .errors import run_guarded

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may have another encoding than our text
    run_guarded(lambda: call(sys.argv[1:]))


def _complete_streams() -> None:
    """Give a process that was started without a standard stream an empty one: no file of ours gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
