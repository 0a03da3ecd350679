"""What tokens cost: list prices, and the money that a call's tokens make of them.

Rule: the configuration wins over the list; a model that neither knows has no price, and nothing is guessed.
Prices are money (US dollars in the list) for a million tokens.
"""

import math
import re

from msgspec import Struct

from ..config.llm import LlmOptions

PER = 1e-6
CHARACTERS = 4.0  # bytes of text that make a token, roughly
EXPECTED_OUTPUT = 400  # tokens of an answer, until answers are known
WRITTEN = 1.25  # what a token written to the prompt cache costs of an input token, where that is charged


class Tokens(Struct, frozen=True, kw_only=True):
    """What a call used. `input` counts all input; `cached` and `written` say which of it came from and went
    to the prompt cache."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0


class TokenPrices(Struct, frozen=True):
    """Money for a million tokens. A call with more than `usual` tokens of input costs `dearer` times as much, all
    of it."""

    input: float
    cached: float
    output: float
    usual: float = math.inf
    dearer: float = 1.0

    def of(self, tokens: Tokens) -> float:
        """Money at list price."""
        plain = tokens.input - tokens.cached - tokens.written
        return self.per(tokens.input) * (
            self.input * (max(0, plain) + WRITTEN * tokens.written)
            + self.cached * tokens.cached
            + self.output * tokens.output
        )

    def per(self, tokens: float) -> float:
        """What the prices of a call with so much input are multiplied by for each token."""
        return PER * (self.dearer if tokens > self.usual else 1.0)


LIST = {  # as read in November 2026
    "claude-fable-5-1": TokenPrices(10.0, 0.25, 50.0),
    "claude-fable-5": TokenPrices(10.0, 1.0, 50.0),
    "claude-opus-5-5": TokenPrices(4.0, 0.2, 20.0),
    "claude-opus-5": TokenPrices(5.0, 0.5, 25.0),
    "claude-opus-4-8": TokenPrices(5.0, 0.5, 25.0),
    "claude-opus-4-7": TokenPrices(5.0, 0.5, 25.0),
    "claude-opus-4-6": TokenPrices(5.0, 0.5, 25.0),
    "claude-opus-4-5": TokenPrices(5.0, 0.5, 25.0),
    "claude-sonnet-5-5": TokenPrices(2.0, 0.1, 10.0),
    "claude-sonnet-5": TokenPrices(2.0, 0.2, 10.0),
    "claude-sonnet-4-6": TokenPrices(3.0, 0.3, 15.0),
    "claude-sonnet-4-5": TokenPrices(3.0, 0.3, 15.0),
    "claude-haiku-5-5": TokenPrices(0.1, 0.01, 0.5, usual=100_000, dearer=5.0),
    "claude-haiku-4-5": TokenPrices(1.0, 0.1, 5.0),
    "gpt-6.1-sol": TokenPrices(2.0, 0.1, 10.0),
    "gpt-6.1-terra": TokenPrices(1.0, 0.05, 5.0),
    "gpt-6-astra": TokenPrices(10.0, 1.0, 50.0),
    "gpt-6-sol": TokenPrices(2.0, 0.2, 10.0),
    "gpt-6-luna": TokenPrices(0.1, 0.01, 0.5),
    "gpt-5.6-sol": TokenPrices(4.0, 0.4, 20.0),
    "gpt-5.6-terra": TokenPrices(2.0, 0.2, 12.0),
    "gpt-5.6-luna": TokenPrices(0.2, 0.02, 1.2),
    "gpt-5.5": TokenPrices(5.0, 0.5, 30.0),
    "gpt-5.4": TokenPrices(2.5, 0.25, 15.0),
    "gpt-5.4-mini": TokenPrices(0.75, 0.075, 4.5),
    "gpt-5.2": TokenPrices(1.75, 0.175, 14.0),
    "gpt-5": TokenPrices(1.25, 0.125, 10.0),
    "gpt-5-mini": TokenPrices(0.25, 0.025, 2.0),
    "gpt-5-nano": TokenPrices(0.05, 0.005, 0.4),
    "gpt-4.1": TokenPrices(2.0, 0.5, 8.0),
    "gpt-4.1-mini": TokenPrices(0.4, 0.1, 1.6),
    "gpt-4.1-nano": TokenPrices(0.1, 0.025, 0.4),
    "gpt-4o": TokenPrices(2.5, 1.25, 10.0),
    "gpt-4o-mini": TokenPrices(0.15, 0.075, 0.6),
}
_VERSION = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


def prices(options: LlmOptions) -> TokenPrices | None:
    """What this model costs, or None where nobody says: as configured, else as listed, whatever its date.

    The list is for the providers themselves; with a `base_url` of another server only the configuration counts.
    """
    if options.price_input is not None and options.price_output is not None:
        cached = options.price_input if options.price_cached is None else options.price_cached
        return TokenPrices(options.price_input, cached, options.price_output)
    return None if options.base_url else LIST.get(_VERSION.sub("", options.model))


def call_cost(options: LlmOptions, size: float) -> float | None:
    """Money at list price of one call with `size` bytes of input, before any is known; None: no price."""
    return _listed(options, size / CHARACTERS, _answer(options))


def reckoned(options: LlmOptions, size: float, answer: float) -> float | None:
    """Money at list price of one call with so many bytes of input and of answer, where nobody counted its tokens."""
    return _listed(options, size / CHARACTERS, math.ceil(answer / CHARACTERS))


def dearest(options: LlmOptions, size: float) -> float | None:
    """Money at list price that no call with `size` bytes of input exceeds: a token a byte, and the longest answer.

    None: no price, no `max_tokens` that bounds it, or an input that only names the file with the text.
    """
    if options.max_tokens is None or "{file}" in options.prompt:
        return None
    return _listed(options, size, options.max_tokens)


def _listed(options: LlmOptions, given: float, answered: int) -> float | None:
    """Money at list price of a call with so many tokens of its own input, and of its answer."""
    found = prices(options)
    if found is None:
        return None
    text = given + (len(options.system.encode()) + len(options.prompt.encode())) / CHARACTERS
    return found.per(text) * (found.input * text + found.output * answered)


def guessed(options: LlmOptions) -> tuple[str, ...]:
    """What `call_cost` takes for granted, in words."""
    if prices(options) is None:
        return ()
    listed = () if options.price_input is not None and options.price_output is not None else ("list prices",)
    return (*listed, f"{_answer(options)}-token answers")


def _answer(options: LlmOptions) -> int:
    """Tokens of an answer, before any is known."""
    return min(options.max_tokens or EXPECTED_OUTPUT, EXPECTED_OUTPUT)
