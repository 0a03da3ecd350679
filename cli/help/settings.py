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
from hybridq.config.values import HandlerConfig, PolicyConfig, RunnerConfig, TariffConfig, Window

NEEDED = "needed"
_INTRODUCTION = """# Settings

All of `config.toml`. `hybridq config` shows the values in force and the line each comes from; `hybridq config --path`
says where the file is to be. Times are seconds, or text such as `"90s"`, `"15m"` and `"24h"`. Money is whatever you
count in. What stands in `[policy]`, `[tariff]` and `[runner]` can be set in the environment too:
`HYBRIDQ_POLICY_HOLD=2h`.
"""
_WORKERS = "Workers alone have these. They see few variables of the environment: `PATH`, `HOME`, the language, and \
what `env` names."
_MODELS = "Language models alone (`openai`, `anthropic`) have these. Prices are money for a million tokens; none: the \
built-in list's, which is for the makers' own servers. With a `base_url` and no prices the cost counts as 0."
SPANS = frozenset({"policy.hold", "runner.stop_grace", "runner.stream_target", "handlers.idle", "models.poll"})
SENTENCES = {
    "policy.user_delay_cost": "what an hour of a waiting person costs, in money",
    "policy.background_delay_cost": "what an hour costs that a submission waits while nobody does, in money",
    "policy.machine_cost": "what an hour of a busy slot costs at factor 1, in money",
    "policy.hold": "how long a background job without a deadline is held at most",
    "policy.theta": "a batch may wait for company until that has cost this share of another start, or call",
    "policy.load_free": "load per core that costs nothing",
    "policy.load_weight": "how much dearer each unit of load above it makes running; 0: load counts for nothing",
    "tariff.zone": "the time zone of the windows, such as `Europe/Berlin`",
    "tariff.factor": "the price outside every window: costs are multiplied by it",
    "tariff.window": "the windows; the first that holds counts",
    "tariff.window.start": "time of day, `22:00` or `22:00:30`",
    "tariff.window.end": "time of day; before `start`, the window goes over midnight",
    "tariff.window.factor": "the price in this window",
    "tariff.window.days": "the days on which it starts",
    "tariff.window.name": "what it is called in views",
    "runner.stream_slots": "commands that stream at once; 0: twice the cores",
    "runner.batch_slots": "commands of batches at once; 0: the cores",
    "runner.stop_grace": "what running jobs get when a daemon or drain is told to stop",
    "runner.output_limit": "bytes kept of each of a job's outputs",
    "runner.stream_target": "how long a person's job may wait for the chunk of a batch before it: chunks are made to "
    "fit; where a start, or a call however few jobs it has, takes longer, the jobs may take as long again",
    "handlers.kind": "`worker`, `shell`, `openai`, `anthropic`, or a kind that a plug-in brings",
    "handlers.modes": "the modes it offers",
    "handlers.draft": "the handler that makes the drafts of adaptive jobs; naming one offers that mode",
    "handlers.instances": "workers, or streams of a model, at once (models: 32)",
    "handlers.chunk": "most jobs handed over in one call; 0: found out (models: 50,000 or 100,000 a batch)",
    "handlers.max_flush": "most jobs of one flush; 0: no limit",
    "handlers.retries": "tries after the first one failed (models: 3)",
    "handlers.timeout": "the longest that one try may run",
    "handlers.expected": "what one job takes, until three are known",
    "handlers.fixed": "what one start takes, until one is known",
    "handlers.price": "what one job costs at factor 1, in money; none: its busy time at `machine_cost`",
    "handlers.daily_budget": "what its jobs may cost on one day of the tariff's zone; the rest is held",
    "handlers.command": "the program and its arguments, a list or one text; never given to a shell",
    "handlers.call": "instead of a command, `module:function`",
    "handlers.python": 'the interpreter that runs `call`, 3.9 or newer; `""`: hybridq\'s own',
    "handlers.protocol": "`jsonl`, or `lines`: one line in, one line out",
    "handlers.cwd": 'where it runs; `""`: the folder of `config.toml`',
    "handlers.env": "names of further variables that it may see",
    "handlers.idle": "how long a warm worker is kept without work",
    "handlers.options": "for a plug-in's kind: whatever it needs",
    "models.model": "the model's name",
    "models.base_url": 'the server; `""`: the provider\'s own',
    "models.api_key_env": 'the variable that holds the key; `""`: the provider\'s usual one',
    "models.system": "the system prompt",
    "models.prompt": "the prompt; `{input}` is the job's input, `{file}` what is in the file that it names",
    "models.max_tokens": "most tokens of an answer",
    "models.temperature": "as the provider understands it",
    "models.extra_body": "further fields of each request, as they are",
    "models.requests_per_minute": "the provider's limit; 0: none",
    "models.tokens_per_minute": "the provider's limit; 0: none",
    "models.price_input": "the price of input",
    "models.price_cached": "the price of input that the provider has cached",
    "models.price_output": "the price of output",
    "models.batch_factor": "what a batch costs of the list price",
    "models.flex_factor": "what the flexible tier costs of it",
    "models.batch_by": "how a batch is run: `batch`, `flex` (the flexible tier), or `calls` (plain requests)",
    "models.flex_up_to": "batches of at most so many jobs go to the flexible tier instead",
    "models.poll": "when the provider is first asked about a batch; later, less often",
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
    ("handlers", HandlerConfig),
    ("models", LlmOptions),
)


def _sections() -> Iterator[str]:
    handlers, models = fields(HandlerConfig), fields(LlmOptions)
    yield _table("`[policy]`", "", _rows("policy", fields(PolicyConfig)))
    windows = _rows("tariff.window", fields(Window))
    yield _table("`[tariff]` and `[[tariff.window]]`", "", [*_rows("tariff", fields(TariffConfig)), *windows])
    yield _table("`[runner]`", "", _rows("runner", fields(RunnerConfig)))
    yield _table("`[handlers.NAME]`", "", _rows("handlers", [one for one in handlers if one.name not in WORKER_ONLY]))
    workers = _rows("handlers", [one for one in handlers if one.name in WORKER_ONLY])
    yield _table("`[handlers.NAME]` of workers", _WORKERS, workers)
    yield _table("`[handlers.NAME]` of language models", _MODELS, _rows("models", models))


def _table(title: str, said: str, rows: list[str]) -> str:
    head = [f"## {title}", "", *([said, ""] if said else []), "| key | default | what it says |", "|---|---|---|"]
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
        return f'`"{_span(value)}"`'
    return f"`{msgspec.json.encode(value).decode()}`".replace(",", ", ").replace(", ]", "]")


def _span(seconds: float) -> str:
    """A duration as one writes it in the file: `24h`, `10m`, `10s`, `500ms`."""
    for unit, length in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds * 1000:g}ms"
