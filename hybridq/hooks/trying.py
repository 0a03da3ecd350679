"""A try of the hooks of one event, with what they would be told."""

import time

from msgspec import Struct

from ..job import HookEvent, Way
from ..outlook import Outlook
from .command import tell_by_url, tell_command
from .event import Event, sample
from .message import message, severity


class TriedHook(Struct, frozen=True):
    """One way by which it was told, and why that failed; "": it did not."""

    way: Way
    error: str
    told: Event


async def tried(outlook: Outlook, event: HookEvent) -> list[TriedHook]:
    """Tell all that hear of this event."""
    hooks, now, told = outlook.config.hooks, time.time(), sample(outlook, event)
    found = []
    if hooks.command(event):
        why = await tell_command(hooks, told, outlook.store.home.config_file.parent)
        found.append(TriedHook(Way.COMMAND, why, told))
    if (event, Way.NOTIFY) in hooks.heard:
        title, text = message([told], {event: 1}, now, outlook.config.policy.currency)
        why = await tell_by_url(hooks, f"test: {title}", text, severity([event]))
        found.append(TriedHook(Way.NOTIFY, why, told))
    return found
