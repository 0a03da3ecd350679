"""`backup` and `restore`: the whole queue in one file, and back.

Rule: a backup disturbs nobody, and with `--quiet` it is silent as long as nothing is missing. A restore takes the place
of a queue only where nobody uses it and nothing is lost that was not asked for.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from hybridq.errors import BadData
from hybridq.home import Home
from hybridq.when import clock, count, file_size, how_many

from .documents import BackupFile
from .reach import look
from .tell import print_document, say

app = typer.Typer()

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup, such as queue.tar.")]


@app.command()
def backup(
    file: File,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what is missing, and errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: file, jobs, outputs, missing, bytes.")] = False,
) -> None:
    """Copy the whole queue into one file, while it works.

    The file is a tar that only you can read: all jobs that were accepted when it began, the outputs of those that had
    ended, and config.toml. It is compressed if its name ends with .gz or .tgz. An earlier backup of that name is
    replaced once the new one is complete.

    \b
    30 6 * * *  hybridq backup --quiet ~/backups/queue.tar.gz
    """
    from hybridq.queue.backup import back_up

    with look().store as store:
        made = back_up(store, file, time.time())
    if json:
        found = {field: getattr(made, field) for field in made.__struct_fields__}
        print_document(BackupFile(file=str(file), **found), one_line=True)
    elif not quiet:
        what = f"{how_many(made.jobs)} and {how_many(made.outputs, 'file')} of output"
        print(f"backed up {what} to {file} ({file_size(made.bytes)})")
    if made.missing:
        are = "file of output is" if made.missing == 1 else "files of output are"
        say(f"{count(made.missing)} {are} not in it: deleted before the backup, or while it was made")


@app.command()
def restore(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Move the jobs that are in the queue aside.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: jobs, outputs, made, again, aside, config.")
    ] = False,
) -> None:
    """Put a queue back from a backup.

    Nothing may use the queue meanwhile. If it holds jobs, --force moves them aside, into a folder that is a
    HYBRIDQ_HOME of its own. Jobs that ran when the backup was made are queued again. config.toml is put back only if
    you have none.
    """
    from hybridq.queue.restore import restore as put_back

    now = time.time()
    try:
        done = put_back(Home.find(os.environ), file, now, force=force)
    except BadData as problem:
        raise BadData(f"{file}: {problem}") from None
    if json:
        print_document(done, one_line=True)
        return
    what = f"{how_many(done.jobs)} and {how_many(done.outputs, 'file')} of output"
    print(f"restored {what}, as they were at {clock(done.made, now)}")
    if done.again:
        print(f"{how_many(done.again)} that ran then {'is' if done.again == 1 else 'are'} queued again")
    if done.config:
        print("config.toml was restored, too")
    if done.aside:
        print(f"the queue before is in {done.aside}: HYBRIDQ_HOME={done.aside} hybridq")
