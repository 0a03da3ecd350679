"""What tokens cost: list prices with their date, and the money that a call's tokens make of them.

Rule: the configuration wins over the list; a model that neither knows has no price, and nothing is guessed.
Prices are money (US dollars in the list) for a million tokens.
"""

from msgspec import Struct

from .llm_config import LlmOptions

LIST_DATE = "2025-11"  # when the list was read; the configuration overrides it
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


class Prices(Struct, frozen=True):
    """Money for a million tokens."""

    input: float
    cached: float
    output: float

    def of(self, tokens: Tokens) -> float:
        """Money at list price."""
        plain = tokens.input - tokens.cached - tokens.written
        return PER * (
            self.input * (max(0, plain) + WRITTEN * tokens.written)
            + self.cached * tokens.cached
            + self.output * tokens.output
        )


LIST = {
    "claude-opus-4-5": Prices(5.0, 0.5, 25.0),
    "claude-opus-4-1": Prices(15.0, 1.5, 75.0),
    "claude-sonnet-4": Prices(3.0, 0.3, 15.0),
    "claude-haiku-4-5": Prices(1.0, 0.1, 5.0),
    "claude-3-5-haiku": Prices(0.8, 0.08, 4.0),
    "gpt-5-nano": Prices(0.05, 0.005, 0.4),
    "gpt-5-mini": Prices(0.25, 0.025, 2.0),
    "gpt-5": Prices(1.25, 0.125, 10.0),
    "gpt-4.1-nano": Prices(0.1, 0.025, 0.4),
    "gpt-4.1-mini": Prices(0.4, 0.1, 1.6),
    "gpt-4.1": Prices(2.0, 0.5, 8.0),
    "gpt-4o-mini": Prices(0.15, 0.075, 0.6),
    "gpt-4o": Prices(2.5, 1.25, 10.0),
}


def prices(options: LlmOptions) -> Prices | None:
    """What this model costs, or None where nobody says: as configured, else by the longest listed name that
    the model's begins with."""
    if options.price_input is not None and options.price_output is not None:
        cached = options.price_input if options.price_cached is None else options.price_cached
        return Prices(options.price_input, cached, options.price_output)
    names = [name for name in LIST if options.model == name or options.model.startswith(f"{name}-")]
    return LIST[max(names, key=len)] if names and not options.base_url else None


def expected(options: LlmOptions, size: float) -> float | None:
    """Money at list price of one call with `size` bytes of input, before any is known; None: no price."""
    found = prices(options)
    if found is None:
        return None
    text = size + len(options.system.encode()) + len(options.prompt.encode())
    output = min(options.max_tokens or EXPECTED_OUTPUT, EXPECTED_OUTPUT)
    return PER * (found.input * text / CHARACTERS + found.output * output)
