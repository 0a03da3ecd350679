"""The page `settings`: every key of `config.toml` with its default, made from the typed values.

Rule: keys and defaults come from the code, so they cannot be wrong; only the sentences stand here, one a key.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from hybridq.config.llm import LlmOptions
from hybridq.config.read import WORKER_ONLY
from hybridq.config.values import HandlerConfig, HooksConfig, PolicyConfig, RunnerConfig, TariffConfig, Window
from hybridq.when import written

NEEDED = "needed"
_INTRODUCTION = """# Settings

Every key of `config.toml`. `hybridq config --path` prints where the file belongs. `hybridq config` shows each value and
the line that it comes from. Times are seconds, or text such as `"90s"`, `"15m"` and `"24h"`. Money is in any unit you
like; `currency` names it. You can also set `[policy]`, `[tariff]`, `[runner]` and `[hooks]` in the environment, such as
`HYBRIDQ_POLICY_HOLD=2h`.
"""
_WORKERS = (
    "Only for workers. A worker sees few environment variables: `PATH`, `HOME`, the language, and those named in \
`env`."
)
_MODELS = "Only for language models (`openai`, `anthropic`). Prices are money per million tokens. Without them, the \
built-in price list applies, which covers the makers' own servers. With a `base_url` and no prices, the cost is 0."
_RESOURCES = """## `[resources]`

What this machine has of whatever jobs must share, under names of your own. A job takes what it needs of these while it
runs, and waits until that is free: see `--needs` of `hybridq submit`, and `needs` below.

| key | meaning |
|---|---|
| `gpu = 2`, `gpu = ["0", "1"]` | a number, or the names of the units; a job has its own in `CUDA_VISIBLE_DEVICES` |
| `memory = "48GiB"` | a size: B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB |
| `licence = 3` | any other name: lower-case letters, digits and `_` |

Each job finds what it was given in `HYBRIDQ_<NAME>`: the names of its units, or the amount (bytes of a size). A worker
holds what it needs as long as it is warm, and ends early if another handler needs it while it is idle.
"""
_HOOKS = "Who is told of what happened: shell command lines and URLs. See `hybridq help hooks`."
SPANS = frozenset(
    {"policy.hold", "runner.stop_grace", "hooks.timeout", "runner.stream_target", "handlers.idle", "models.poll"}
)
SENTENCES = {
    "policy.user_delay_cost": "what an hour of a person's waiting costs, in money",
    "policy.background_delay_cost": "what an hour of delay costs per submission when nobody waits, in money",
    "policy.machine_cost": "what an hour of one busy slot costs at factor 1, in money",
    "policy.hold": "the longest time to hold a background job without a deadline",
    "policy.theta": "how much one more start (or call) counts: a batch waits for more jobs while that saves more than "
    "waiting costs. `2` counts a start twice, and waits longer; `0` never waits for others",
    "policy.load_free": "the load per core that raises no cost",
    "policy.load_weight": "how much each unit of load above `load_free` raises the cost of running; 0: ignore load",
    "policy.currency": 'the unit of money, shown with each amount: `"EUR"`, `"$"`; `""`: none',
    "tariff.zone": "the time zone of the windows, such as `Europe/Berlin`",
    "tariff.factor": "the price outside every window; costs are multiplied by it",
    "tariff.window": "the windows; the first one that matches counts",
    "tariff.window.start": "time of day, `22:00` or `22:00:30`",
    "tariff.window.end": "time of day; if earlier than `start`, the window crosses midnight",
    "tariff.window.factor": "the price in this window",
    "tariff.window.days": "the days when it starts",
    "tariff.window.name": "its name in the output",
    "runner.stream_slots": "how many streaming commands may run at the same time; 0: two per core",
    "runner.batch_slots": "how many batch commands may run at the same time; 0: one per core",
    "runner.stop_grace": "how long running jobs may take to finish when a daemon or drain stops",
    "runner.output_limit": "bytes to keep of each output of a job",
    "runner.stream_target": "how long a person's job may wait behind a chunk of a batch; chunks are sized to fit: with "
    'jobs of 10 ms, `"0.5s"` makes chunks of about 50. Set more for fewer calls, less for quicker answers. If a start, '
    "or a call with a single job, takes longer than this, the jobs of the chunk may take as long again",
    "hooks.done": "the command for each job that is done",
    "hooks.failed": "the command for each job that fails",
    "hooks.group_done": "the command for each group that has ended",
    "hooks.late": "the command for each job or group that has not ended by its deadline",
    "hooks.daily_report": "the command for the daily report",
    "hooks.notify": "a URL for messages, or several, such as `ntfy://TOPIC`; `${NAME}` in it is a variable. Needs "
    "`hybrid-queue[notify]`",
    "hooks.notify_on": "the events that messages are sent for",
    "hooks.daily_at": "time of day of the daily report, in the tariff's zone",
    "hooks.timeout": "the longest that a hook may take; then it is ended, and tried again",
    "hooks.env": "names of more variables that commands see",
    "handlers.kind": "`worker`, `shell`, `openai`, `anthropic`, or a kind from a plug-in",
    "handlers.modes": "the modes it offers",
    "handlers.draft": "the handler that makes drafts; setting it turns on adaptive mode",
    "handlers.instances": "how many workers, or requests to a model, run at the same time (models: 32)",
    "handlers.chunk": "most jobs in one call; 0: automatic (models: 50,000 or 100,000 a batch)",
    "handlers.max_flush": "most jobs in one flush; 0: no limit",
    "handlers.retries": "how often to retry a failed job (models: 3)",
    "handlers.backoff": "how long to wait before the first retry, then twice as long each time, up to `1h`; none: "
    "1s, up to `5m`",
    "handlers.retry_on": "the exit codes after which a command is retried; empty: any",
    "handlers.timeout": 'the longest run time of one try: `90`, `"15m"`, or `"3x"` the usual (median) of its kind, no '
    "limit until that is known",
    "handlers.expected": "run time of one job, used until three have run",
    "handlers.fixed": "time of one start, used until one is measured",
    "handlers.price": "cost of one job at factor 1, in money; none: its busy time at `machine_cost`",
    "handlers.daily_budget": "the most its jobs may cost per day, in the tariff's time zone; the rest is held",
    "handlers.limit": "how many of its jobs may run at once, over both lanes and all runners; 0: no limit. "
    "`hybridq limit` sets another one at once",
    "handlers.rate": 'how many of its jobs may start in a second, minute or hour: `"30/m"`; `""`: any number',
    "handlers.needs": "what each job takes of `[resources]`, such as `{ gpu = 1 }`; of a worker, each warm instance. "
    "`submit --needs` says otherwise for commands",
    "handlers.command": "the program and its arguments, as a list or one text; runs without a shell",
    "handlers.call": "a Python function instead of a command: `module:function`",
    "handlers.python": 'the interpreter that runs `call`, 3.9 or newer; `""`: hybridq\'s own',
    "handlers.protocol": "`jsonl`, or `lines` (one line in, one line out)",
    "handlers.session": "whether the worker takes sessions: input in pieces, as it arrives",
    "handlers.cwd": 'the folder to run in; `""`: the folder of `config.toml`',
    "handlers.env": "names of more variables that it may see",
    "handlers.idle": "how long to keep an idle worker running",
    "handlers.options": "options for a plug-in's kind",
    "models.model": "the model's name",
    "models.base_url": 'the server; `""`: the provider\'s own',
    "models.api_key_env": 'the variable that holds the key; `""`: the provider\'s usual one',
    "models.system": "the system prompt",
    "models.prompt": "the prompt; `{input}` is the job's input, `{file}` the contents of the file it names",
    "models.max_tokens": "most tokens in an answer",
    "models.temperature": "passed to the provider as it is",
    "models.extra_body": "more fields for each request, passed on unchanged",
    "models.requests_per_minute": "the provider's limit; 0: no limit",
    "models.tokens_per_minute": "the provider's limit; 0: no limit",
    "models.price_input": "the price of input",
    "models.price_cached": "the price of cached input",
    "models.price_output": "the price of output",
    "models.batch_factor": "a batch's price, as a share of the list price",
    "models.flex_factor": "the flexible tier's price, as a share of the list price",
    "models.batch_by": "how to run a batch: `batch`, `flex` (the flexible tier), or `calls` (plain requests)",
    "models.flex_up_to": "send batches of at most this many jobs to the flexible tier instead",
    "models.poll": "when to first ask the provider about a batch; later, it asks less often",
}


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_INTRODUCTION, *_sections()])


def keys() -> set[str]:
    """Every key that a file may have, as `SENTENCES` names it."""
    return {f"{prefix}.{info.name}" for prefix, kind in _TABLES for info in fields(kind)}


_TABLES: tuple[tuple[str, type[Struct]], ...] = (
    ("policy", PolicyConfig),
    ("tariff", TariffConfig),
    ("tariff.window", Window),
    ("runner", RunnerConfig),
    ("hooks", HooksConfig),
    ("handlers", HandlerConfig),
    ("models", LlmOptions),
)


def _sections() -> Iterator[str]:
    handlers, models = fields(HandlerConfig), fields(LlmOptions)
    yield _table("`[policy]`", "", _rows("policy", fields(PolicyConfig)))
    windows = _rows("tariff.window", fields(Window))
    yield _table("`[tariff]` and `[[tariff.window]]`", "", [*_rows("tariff", fields(TariffConfig)), *windows])
    yield _table("`[runner]`", "", _rows("runner", fields(RunnerConfig)))
    yield _RESOURCES
    yield _table("`[hooks]`", _HOOKS, _rows("hooks", fields(HooksConfig)))
    yield _table("`[handlers.NAME]`", "", _rows("handlers", [one for one in handlers if one.name not in WORKER_ONLY]))
    workers = _rows("handlers", [one for one in handlers if one.name in WORKER_ONLY])
    yield _table("`[handlers.NAME]` of workers", _WORKERS, workers)
    yield _table("`[handlers.NAME]` of language models", _MODELS, _rows("models", models))


def _table(title: str, said: str, rows: list[str]) -> str:
    head = [f"## {title}", "", *([said, ""] if said else []), "| key | default | meaning |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _rows(prefix: str, infos: "tuple[FieldInfo, ...] | list[FieldInfo]") -> list[str]:
    inner = "window." if prefix == "tariff.window" else ""
    return [f"| `{inner}{one.name}` | {_default(prefix, one)} | {SENTENCES[f'{prefix}.{one.name}']} |" for one in infos]


def _default(prefix: str, info: FieldInfo) -> str:
    """`"24h"`, `0.25`, `none`, as one would write it in the file; `needed` where there is none."""
    if info.required:
        return NEEDED
    value: Any = info.default if info.default_factory is NODEFAULT else info.default_factory()
    if value is None:
        return "`none`"
    if f"{prefix}.{info.name}" in SPANS:
        return f'`"{written(value)}"`'
    return f"`{msgspec.json.encode(value).decode()}`".replace(",", ", ").replace(", ]", "]")
