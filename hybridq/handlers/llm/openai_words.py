"""What servers that speak OpenAI's language say, read as plain data: pieces, whole answers, tokens.

Rule: whatever is missing, null or of another kind counts as not there; nothing that a server sends raises
anything here but Said. What the model said is its text, or else the tools that it calls, as JSON.
"""

from typing import Any

import msgspec

from ...brain.llm_prices import Tokens
from .errors import Said, is_error, told_instead
from .finish_reasons import SILENT, Ended

MOST = 1e9  # tokens of one call
REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")


class OpenAIAnswer:
    """One answer as its pieces come."""

    def __init__(self) -> None:
        self.ended = ""  # why it ended, as far as it is told; "" before
        self.tokens: Tokens | None = None
        self._spoke = self._thought = False
        self._refusal: list[str] = []
        self._tools: dict[int, dict[str, str]] = {}

    def take(self, chunk: Any) -> str:
        """The text in a chunk, or in a whole answer. Raises Said for an error in its place, or nothing at all."""
        if not isinstance(chunk, dict):
            raise Said(SILENT, passing=True)
        if is_error(chunk):
            raise told_instead(chunk)
        if isinstance(usage := chunk.get("usage"), dict):
            self.tokens = tokens(usage)
        text = ""
        for choice in dicts(chunk.get("choices"))[:1]:
            said = choice.get("delta") or choice.get("message")
            said = said if isinstance(said, dict) else {"content": choice.get("text")}
            text += _text(said.get("content"))
            self._aside(said)
            self.ended = str(choice.get("finish_reason") or self.ended)
        self._spoke = self._spoke or bool(text.strip())
        return text

    def rest(self) -> str:
        """What is to be said at the end where no text came. Raises Said where this is no answer (see `Ended`)."""
        tools = _json(list(self._tools.values())) if self._tools and not self._spoke else ""
        self._end(bool(tools)).check()
        return tools

    @property
    def cut(self) -> str:
        """The server's word for it where the answer was cut for want of room; else ""."""
        return self._end().cut

    def _end(self, tools: bool = False) -> Ended:
        word = "" if self.ended == "done" else self.ended
        refusal = "".join(self._refusal)
        return Ended(word=word, spoke=self._spoke or tools, refusal=refusal, thought=self._thought)

    def _aside(self, said: dict[str, Any]) -> None:
        """Keep a refusal, and the tools that are called, whose arguments come in pieces; and that it reasoned."""
        self._thought = self._thought or any(said.get(name) for name in REASONING)
        self._refusal.append(_text(said.get("refusal")))
        for place, call in enumerate(dicts(said.get("tool_calls"))):
            index = call.get("index")
            tool = self._tools.setdefault(index if isinstance(index, int) else place, {"name": "", "arguments": ""})
            if isinstance(function := call.get("function"), dict):
                tool["name"] += _text(function.get("name"))
                tool["arguments"] += _text(function.get("arguments"))


def tokens(usage: dict[str, Any]) -> Tokens:
    """What was used; numbers that cannot be count as none."""
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = (usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))
    whole, cached, output = map(counted, counts)
    return Tokens(input=whole, cached=min(cached, whole), output=output)


def counted(number: Any) -> int:
    """A number of tokens, also of servers that count in floats; what cannot be one is none."""
    return int(number) if isinstance(number, int | float) and 0 < number < MOST else 0


def decoded(body: Any) -> Any:
    """A body; some servers send it as JSON inside a string."""
    if not isinstance(body, str):
        return body
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return body


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none, where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(content: Any) -> str:
    """Text as it is, or as the parts that it comes in."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) if isinstance(part, dict) else _text(part) for part in content)
    return content if isinstance(content, str) else ""


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
