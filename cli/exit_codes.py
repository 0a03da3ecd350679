"""The exit codes of every command, as sysexits.h names them."""

USAGE, BAD_DATA, NO_SUCH_JOB, ALREADY_RUNNING = 64, 65, 66, 69


INTERNAL, IO, TRY_AGAIN, NOT_ALLOWED, CONFIG, INTERRUPTED = 70, 74, 75, 77, 78, 130


CLOSED_PIPE = 141  # what a shell reports for a process that SIGPIPE ended
