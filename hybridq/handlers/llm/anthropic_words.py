"""What servers that speak Anthropic's language say, read as plain data: events, whole messages, tokens.

Rule: as in `openai_words`: whatever is missing, null or of another kind counts as not there; nothing raises but Said.
"""

from typing import Any

import msgspec

from ...brain.llm_prices import Tokens
from .errors import Said, is_error, told_instead
from .finish_reasons import SILENT, Ended
from .openai_words import counted, decoded


class AnthropicAnswer:
    """One answer as its events come."""

    def __init__(self) -> None:
        self.ended = ""  # why it ended, as far as it is told; "" before
        self._usage: dict[str, Any] = {}
        self._spoke = self._thought = False
        self._refusal = ""
        self._tools: list[dict[str, str]] = []

    @property
    def tokens(self) -> Tokens | None:
        """What was used so far, where that is told."""
        return tokens(self._usage) if self._usage else None

    def take(self, event: Any) -> str:
        """The text in an event, or in a whole message. Raises Said for an error in its place, or nothing at all."""
        if not isinstance(event, dict):
            raise Said(SILENT, passing=True)
        if is_error(event):
            raise told_instead(event)
        message, delta = _dict(event.get("message")) or event, _dict(event.get("delta"))
        self._usage |= {name: count for name, count in _dict(message.get("usage")).items() if count}
        over = "end_turn" if event.get("type") == "message_stop" else ""
        self.ended = str(delta.get("stop_reason") or message.get("stop_reason") or self.ended or over)
        block = _dict(event.get("content_block"))
        self._aside(block, delta, message)
        if block.get("type") == "tool_use":
            self._tools.append({"name": str(block.get("name")), "input": ""})
        elif self._tools and isinstance(part := delta.get("partial_json"), str):
            self._tools[-1]["input"] += part
        text = _text(delta) or blocks(message.get("content"))
        self._spoke = self._spoke or bool(text.strip())
        return text

    def rest(self) -> str:
        """What is to be said at the end where no text came. Raises Said where this is no answer (see `Ended`)."""
        tools = [{"name": tool["name"], "input": decoded(tool["input"])} for tool in self._tools]
        self._end(bool(tools)).check()
        return _json(tools) if tools and not self._spoke else ""

    @property
    def cut(self) -> str:
        """The server's word for it where the answer was cut for want of room; else ""."""
        return self._end().cut

    def _end(self, tools: bool = False) -> Ended:
        word = "" if self.ended == "done" else self.ended
        return Ended(word=word, spoke=self._spoke or tools, refusal=self._refusal, thought=self._thought)

    def _aside(self, block: dict[str, Any], delta: dict[str, Any], message: dict[str, Any]) -> None:
        """Keep that it reasoned, and why it refused, where that is told."""
        content = message.get("content")
        told = [block, *(content if isinstance(content, list) else [])]
        self._thought = self._thought or any("thinking" in str(_dict(each).get("type")) for each in told)
        for details in (_dict(delta.get("stop_details")), _dict(message.get("stop_details"))):
            self._refusal = str(details.get("explanation") or self._refusal)


def blocks(content: Any) -> str:
    """The text of a message's blocks: what the model said, or else the tools that it calls, as JSON."""
    found = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    tools = [{"name": one.get("name"), "input": one.get("input")} for one in found if one.get("type") == "tool_use"]
    return "".join(_text(block) for block in found) or (_json(tools) if tools else "")


def tokens(usage: dict[str, Any]) -> Tokens:
    """What was used; numbers that cannot be count as none."""
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    new, cached, written, output = (counted(usage.get(name)) for name in names)
    return Tokens(input=new + cached + written, cached=cached, written=written, output=output)


def _text(block: dict[str, Any]) -> str:
    text = block.get("text") if block.get("type") in ("text", "text_delta") else ""
    return text if isinstance(text, str) else ""


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
