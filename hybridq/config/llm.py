"""What `[handlers.NAME]` may say for the kinds `openai` and `anthropic`, as typed values.

Rule: a key of a provider is never here, only the name of the variable that holds it; and it is sent over TLS
or to this very machine, nowhere else. Imports no SDK.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from .values import HandlerConfig

STREAMS = 32  # stream jobs at once, where `instances` does not say
RETRIES = 3  # tries after a broken connection or a provider's own error, where `retries` does not say
BATCH_LINES = {"openai": 50_000, "anthropic": 100_000}  # requests that a provider takes in one batch
KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
FIELDS = ("input", "file")  # what a prompt template may name
_FIELD = re.compile(r"\{(\w*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OURS = frozenset({"stream", "stream_options", "messages", "model", "service_tier"})


class LlmOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model at one provider. Prices are money for a million tokens; None: the built-in list's."""

    model: str
    base_url: str = ""  # "": the provider's own
    api_key_env: str = ""  # the variable that holds the key; "": the provider's usual one
    system: str = ""
    prompt: str = "{input}"  # `{input}` is the job's input, `{file}` what is in the file that it names
    max_tokens: int | None = None
    temperature: float | None = None
    extra_body: dict[str, Any] = {}  # further fields of each request, as they are
    requests_per_minute: float = 0.0  # 0: no limit
    tokens_per_minute: float = 0.0
    price_input: float | None = None
    price_cached: float | None = None
    price_output: float | None = None
    batch_factor: float = 0.5  # what a batch costs of the list price
    flex_factor: float = 0.5  # what the flexible tier costs of it
    batch_by: Literal["batch", "flex", "calls"] = "batch"  # how a batch is run; calls: as plain requests
    flex_up_to: int = 0  # batches of at most so many jobs go to the flexible tier instead
    poll: float = 5.0  # seconds until the first look at a provider's batch; later ones are rarer


def options(config: HandlerConfig) -> LlmOptions:
    """The options of a handler that was read before. Raises msgspec.ValidationError for what no file could say."""
    return msgspec.convert(config.options, LlmOptions)


def key_variable(kind: str, chosen: LlmOptions) -> str:
    """The variable that holds a handler's key."""
    return chosen.api_key_env or KEY_VARIABLES[kind]


def missing_key(kind: str, chosen: LlmOptions, environ: Mapping[str, str]) -> str:
    """The variable that should hold a handler's key and is not set; "": nothing is missing."""
    variable = key_variable(kind, chosen)
    wanted = bool(chosen.api_key_env) or not loopback(chosen.base_url)
    return variable if wanted and not environ.get(variable, "").strip() else ""


def mistake(found: LlmOptions) -> tuple[str, str] | None:
    """(key, what is wrong) of what the types do not say, or None."""
    if not found.model.strip():
        return "model", "expected a model's name"
    if found.api_key_env and not _VARIABLE.fullmatch(found.api_key_env):
        return "api_key_env", "expected the name of a variable, not a key"
    if problem := _address(found.base_url):
        return "base_url", problem
    if odd := [name for name in _FIELD.findall(found.prompt) if name not in FIELDS]:
        return "prompt", f"expected {{input}} or {{file}}, not {{{odd[0]}}}"
    if not _FIELD.search(found.prompt):
        return "prompt", "expected {input} or {file} somewhere in it"
    if taken := sorted(_OURS & found.extra_body.keys()):
        return "extra_body", f"{taken[0]} is hybridq's to say"
    if found.max_tokens == 0:
        return "max_tokens", "expected a number of at least 1, not 0"
    return None


def loopback(base_url: str) -> bool:
    """Whether this address is on this very machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(base_url: str) -> str:
    """What is wrong with an address, or ""."""
    if not base_url:
        return ""
    try:
        parts = urlsplit(base_url)
    except ValueError as problem:
        return f"expected an address such as https://host/v1: {problem}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "expected an address such as https://host/v1"
    if parts.username or parts.password:
        return "expected no name and password in it: keys come from api_key_env"
    if parts.scheme == "http" and not loopback(base_url):
        return "expected https: a key would travel unencrypted"
    return ""
