"""Views for whoever reads the file by other programs, as datasette and sqlite-utils do: jobs, groups and flushes.

Rule: they show what `status` and `show` do and nothing else: no variable, no caller, no standard input of a command.
Their columns are a promise, which `hybridq help sql` words: more may come, by a step of `migrations` that makes them
anew; none goes. They only read, so that no writer waits for them.
"""

from collections.abc import Iterator


def statements() -> Iterator[str]:
    """What makes the views as they are now, in the place of earlier ones."""
    for name, sql in (("v_job", _JOB), ("v_group", _GROUP), ("v_flush", _FLUSH)):
        yield f"DROP VIEW IF EXISTS {name}"
        yield f"CREATE VIEW {name} AS {sql}"


def _time(seconds: str) -> str:
    """Epoch seconds as ISO 8601 in UTC, which sorts as text and which both programs know for a date; infinity: NULL."""
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {seconds}, 'unixepoch')"


def _text(data: str) -> str:
    """JSON as one reads it: a text is itself, anything else stays JSON."""
    text = f"CAST({data} AS TEXT)"
    return (
        f"CASE WHEN json_valid({text}) AND json_type({text}) = 'text' THEN {_as_text(text, '$', text)} ELSE {text} END"
    )


def _as_text(json: str, path: str, otherwise: str) -> str:
    """The text at a path. A file's name that is no UTF-8 stays JSON: as text it would end whoever reads the view."""
    return f"CASE WHEN instr({json}, '\\ud') THEN {otherwise} ELSE json_extract({json}, '{path}') END"


def _input(data: str) -> str:
    """What a job was given, as `status.rows.subject` tells it: of a command its words or its line alone."""
    text = f"CAST({data} AS TEXT)"
    bare = f"json_remove({text}, '$.stdin', '$.stdin64')"
    return (
        f"CASE WHEN NOT json_valid({text}) THEN {text}"
        f" WHEN json_type({text}, '$.argv') = 'array' THEN json_extract({text}, '$.argv')"
        f" WHEN json_type({text}, '$.shell') = 'text' THEN {_as_text(text, '$.shell', bare)}"
        f" ELSE {_text(data)} END"
    )


_ENDED = "job.state IN ('done', 'failed', 'cancelled')"
_USAGE = "json_extract(CAST(result.usage AS TEXT), '$.{0}') AS {0}".format

_JOB = f"""SELECT
    job.id AS id,
    cohort.name AS group_name,
    (SELECT name FROM key WHERE key.job = job.id) AS key,
    cohort.handler AS handler,
    job.state AS state,
    cohort.mode AS mode,
    cohort.lane AS lane,
    cohort.audience AS audience,
    - cohort.rank AS priority,
    job.attempt AS attempt,
    {_input("job.input")} AS input,
    length(job.input) AS input_bytes,
    {_text("result.value")} AS output,
    result.out AS stdout_bytes,
    result.err AS stderr_bytes,
    result.dropped AS dropped_bytes,
    result.error AS error,
    result.exit_code AS exit_code,
    {_time("cohort.accepted")} AS submitted,
    {_time("CASE WHEN job.state <> 'queued' THEN job.started END")} AS started,
    {_time("result.first")} AS first_output,
    {_time(f"CASE WHEN {_ENDED} THEN job.finished END")} AS finished,
    {_time("CASE WHEN cohort.due < 9e999 THEN cohort.due END")} AS deadline,
    CASE WHEN job.state <> 'queued' THEN job.started - cohort.accepted END AS wait_seconds,
    CASE WHEN {_ENDED} THEN job.finished - job.started END AS run_seconds,
    CASE WHEN {_ENDED} THEN CASE cohort.jobs WHEN 1 THEN cohort.cost ELSE result.cost END END AS cost,
    CASE WHEN job.state = 'done' THEN result.streamed END AS streamed_cost,
    {_USAGE("input_tokens")},
    {_USAGE("cached_tokens")},
    {_USAGE("output_tokens")},
    {_USAGE("cut")},
    job.flush AS flush_id
FROM job CROSS JOIN cohort ON cohort.id = job.cohort LEFT JOIN result ON result.id = job.id
WHERE cohort.accepted IS NOT NULL"""

_OPEN = "queued + running > 0"

_GROUP = f"""SELECT
    name AS group_name,
    CASE WHEN running THEN 'running' WHEN queued THEN 'queued' WHEN failed THEN 'failed'
        WHEN done THEN 'done' ELSE 'cancelled' END AS state,
    first_id,
    last_id,
    queued + running + done + failed + cancelled AS jobs,
    queued,
    running,
    done,
    failed,
    cancelled,
    {_time("accepted")} AS submitted,
    {_time("started")} AS started,
    {_time(f"CASE WHEN NOT {_OPEN} THEN finished END")} AS finished,
    CASE WHEN NOT {_OPEN} THEN finished - accepted END AS total_seconds,
    cost,
    streamed AS streamed_cost
FROM groups"""

_FLUSH = f"""SELECT
    id,
    handler,
    rule,
    CASE WHEN json_valid(reason) THEN json_extract(reason, '$.kind') ELSE 'said' END AS reason_kind,
    factor AS price_factor,
    jobs,
    done,
    failed,
    {_time("started")} AS started,
    {_time("ended")} AS finished,
    ended - started AS run_seconds,
    startup AS startup_seconds,
    cost
FROM flush"""
