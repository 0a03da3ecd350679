"""The options that say how a job is to run: the same wherever one is handed in.

Rule: an option is declared once, with its help; what it means is `options` to say.
"""

from typing import Annotated

import typer

from hybridq.job import Audience, Mode

ModeOf = Annotated[Mode | None, typer.Option(help="Run in this mode; do not let hybridq decide.")]
AudienceOf = Annotated[
    Audience | None, typer.Option(help="Who waits for it: user or background [env var: HYBRIDQ_AUDIENCE].")
]
Priority = Annotated[int | None, typer.Option(help="Higher runs first.")]
InGroup = Annotated[str | None, typer.Option(metavar="GROUP", help="Add the jobs to this group.")]
Retries = Annotated[int | None, typer.Option(help="How often to retry a failed job.")]
Backoff = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Wait this long before the first retry, then twice as long each time, up to 1h (default: 1s, up to 5m).",
    ),
]
RetryOn = Annotated[
    str | None, typer.Option(metavar="CODES", help="Retry a command only after these exit codes: 75,101.")
]
Timeout = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Longest run time of one try: 90s, or 3x: 3 times the usual (median) of its kind, no limit until known.",
    ),
]
Cwd = Annotated[str | None, typer.Option(metavar="FOLDER", help="Run the command in this folder.")]
Env = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Keep this variable, or set NAME=VALUE.")]
EnvFile = Annotated[str | None, typer.Option(metavar="FILE", help="Read variables, one NAME=VALUE per line.")]
CleanEnv = Annotated[bool, typer.Option("--clean-env", help="Keep only a few common variables.")]
Stdin = Annotated[
    bool | None, typer.Option("--stdin/--no-stdin", help="Pass standard input to the command, or not. Default: detect.")
]
MaxCost = Annotated[float | None, typer.Option(help="Avoid modes forecast to cost more; warn if all do.")]
Needs = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=AMOUNT", help="What each job takes while it runs: gpu=1, memory=8GiB."),
]
Shell = Annotated[str | None, typer.Option(metavar="STRING", help="Run this line with /bin/sh.")]
