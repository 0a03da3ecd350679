"""What `[handlers.NAME]` may say for a language model, as typed values.

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

FIELDS = ("input", "file")  # what a prompt template may name
_FIELD = re.compile(r"\{(\w*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_ENDPOINT = re.compile(  # what is asked below an address, which people paste with it
    r"/(chat/completions|(?<=/v1/)(?:completions|messages(?:/batches)?|responses|embeddings|batches|files|models))/*$",
    re.IGNORECASE,
)
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


def key_variable(config: HandlerConfig) -> str:
    """The variable that holds a handler's key; "": it needs none."""
    return (config.traits.llm and options(config).api_key_env) or config.traits.key


def missing_key(config: HandlerConfig, environ: Mapping[str, str]) -> str:
    """The variable that should hold a handler's key and is not set; "": nothing is missing."""
    variable = key_variable(config)
    if not variable or environ.get(variable, "").strip():
        return ""
    if config.traits.llm and not (chosen := options(config)).api_key_env and loopback(chosen.base_url):
        return ""
    return variable


def mistake(found: LlmOptions) -> tuple[str, str] | None:
    """(key, what is wrong) of what the types do not say, or None."""
    if not found.model.strip():
        return "model", "expected a model's name"
    if found.api_key_env and not _VARIABLE.fullmatch(found.api_key_env):
        return "api_key_env", "expected the name of a variable, not the key itself"
    if problem := _address(found.base_url):
        return "base_url", problem
    if odd := [name for name in _FIELD.findall(found.prompt) if name not in FIELDS]:
        return "prompt", f"expected {{input}} or {{file}}, not {{{odd[0]}}}"
    if not _FIELD.search(found.prompt):
        return "prompt", "expected {input} or {file} somewhere in it"
    if taken := sorted(_OURS & found.extra_body.keys()):
        return "extra_body", f"hybridq sets {taken[0]} itself"
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
    """What is wrong with an address, or ""; nothing of it is repeated, for a key may stand in it."""
    if not base_url:
        return ""
    expected = "expected an address such as https://host/v1"
    if not base_url.isascii() or not base_url.isprintable() or set(base_url) & set(' \\"<>^`{|}'):
        return f"{expected}, without blanks or other invalid characters"
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        return f"{expected}; a port is a number from 1 to 65535"
    if parts.username is not None or parts.password is not None:
        return "expected no name and password in it: set the key with api_key_env"
    if parts.scheme not in ("http", "https"):
        return (
            expected if "://" in base_url else f"{expected}: it must begin with https://, or http:// for this machine"
        )
    if not _is_host(parts.hostname or ""):
        return expected
    if port == 0 or parts.netloc.endswith(":"):
        return f"{expected}; a port is a number from 1 to 65535"
    if "?" in base_url or "#" in base_url:
        return f"{expected}, without ? and #: hybridq appends paths to it"
    if found := _ENDPOINT.search(parts.path):
        return f"expected the address without {found[1]}, such as https://host/v1"
    if parts.scheme == "http" and not loopback(base_url):
        return "expected https: otherwise the key travels unencrypted"
    return ""


def _is_host(name: str) -> bool:
    """Whether this is an IP address, or a name by the rules of names (RFC 1123; an underscore is seen in the wild)."""
    try:
        ip_address(name)
    except ValueError:
        labels = name.removesuffix(".").split(".")
        return len(name) < 254 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    return True
