"""How an answer ended: each server's finish reasons as one of ours.

Rule: an answer counts when it is whole, or when it was cut for want of room, which is told. What was refused,
withheld, broken off or holds no word is a failure with a plain reason; what came of it is kept all the same.
"""

from msgspec import Struct

from .errors import Said

CUT = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_length",
        "model_length",
        "token_limit",
        "model_context_window_exceeded",
        "incomplete",
        "pause_turn",
    }
)
REFUSED = frozenset({"refusal", "refused"})
WITHHELD = frozenset(
    {
        "content_filter",
        "content_filtered",
        "safety",
        "sensitive",
        "moderation",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "guardrail_intervened",
        "policy",
    }
)
BROKEN = frozenset(
    {
        "error",
        "errored",
        "failed",
        "network_error",
        "insufficient_system_resource",
        "abort",
        "aborted",
        "cancel",
        "cancelled",
        "canceled",
        "timeout",
        "interrupted",
        "overloaded",
        "unavailable",
        "internal_error",
        "server_error",
        "unknown_error",
    }
)

NO_ROOM = "the model used up max_tokens before its first word; raise max_tokens"
ONLY_REASONED = "the model only reasoned and gave no answer"
SILENT = "the provider's answer has no text"
LONGEST_REFUSAL = 500  # characters of it that a reason holds


class Ended(Struct, frozen=True, kw_only=True):
    """What is known at an answer's end: the server's `word` for it ("": none), whether there is text, or tools that
    are called instead; what the model says instead of an answer; whether it reasoned."""

    word: str = ""
    spoke: bool = False
    refusal: str = ""
    thought: bool = False

    def check(self) -> None:
        """Raise Said where this is no answer."""
        word = self.word.lower()
        if self.refusal or word in REFUSED:
            told = f": {self.refusal.strip()[:LONGEST_REFUSAL]}" if self.refusal.strip() else ""
            raise Said(f"the model refused{told}")
        if word in WITHHELD:
            what = "the rest of the answer" if self.spoke else "the answer"
            raise Said(f"the provider's filter withheld {what} ({self.word})")
        if word in BROKEN:
            raise Said(f"the provider cut the answer short ({self.word})", passing=True)
        if not self.spoke and word in CUT:
            raise Said(NO_ROOM)
        if not self.spoke:
            raise Said(ONLY_REASONED if self.thought else SILENT, passing=True)

    @property
    def cut(self) -> str:
        """The server's word for it where the answer was cut; else ""."""
        return self.word if self.word.lower() in CUT else ""
