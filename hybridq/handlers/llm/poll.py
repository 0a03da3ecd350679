"""Polling a provider's batch until it is over; troubles on the way are told and tried again.

Rule: what may have been made once is not made again, and no batch is given up because its provider cannot be asked.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any

from ...seam import reached
from .provider import Found, Look, Provider

SETTLE = 3.0  # of `poll`: how long a batch that was just made may be missing in the provider's list
LOOKS = 3  # times that a batch is looked for before it is believed not to be there
SLOWEST = 24.0  # of `poll`: the longest time between two looks


def heard(reference: dict[str, Any], trouble: str, finished: int | None = None) -> bool:
    """Note what a look has told: why the provider cannot be asked, or how far it is. Says whether that is news."""
    before = reference.get("silent"), reference.get("finished")
    if trouble:
        since = before[0]["since"] if before[0] else time.time()
        reference["silent"] = {"since": since, "why": trouble}
    else:
        reference.pop("silent", None)
    if finished is not None:
        if finished != reference.get("finished"):
            reference["seen"] = time.time()
        reference["finished"] = finished
    return before != (reference.get("silent"), reference.get("finished"))


class Looking:
    """One batch's."""

    def __init__(self, provider: Provider, poll: float, log: logging.Logger) -> None:
        """`poll`: seconds between the first looks."""
        self._provider, self._poll, self._log = provider, poll, log

    async def find(self, reference: dict[str, Any]) -> AsyncGenerator[Found, None]:
        """The batch of a reference that does not name it yet, at the end; made now where only that was missing. Before
        it, why the provider does not answer. Unsure at the end: it does not let us look, and what may have been made
        once is not made again."""
        key, file, looks, blind = reference["key"], reference.get("file"), 0, False
        while looks < LOOKS:
            try:
                found = await self._provider.find(key, reference["at"], reference["jobs"], file)
            except Exception as error:
                trouble = self._provider.trouble(error)
                self._log.warning("cannot look for batch %s: %s", key, trouble.reason)
                yield Found(trouble=trouble.reason)
                blind = trouble.unknown
                looks += blind
                await asyncio.sleep(self._poll)
                continue
            if found.batch is not None:
                self._log.info("found batch %s again: %s", key, found.batch)
                yield found
                return
            looks = 0 if found.unsure else looks + 1
            await asyncio.sleep(self._poll * SETTLE / LOOKS)
        if blind or file is None or reference.get("cancel"):
            yield Found(unsure=blind)
            return
        try:
            yield Found(await self._provider.create(key, file, None))
            return
        except Exception as error:
            trouble = self._provider.trouble(error)
            self._log.warning("batch %s: %s", key, trouble.reason)
        yield Found(trouble=trouble.reason if trouble.unsure else "")
        if trouble.unsure:
            await asyncio.sleep(self._poll)
            async for found in self.find(reference):
                yield found

    async def looks(self, reference: dict[str, Any]) -> AsyncGenerator[Look | None, None]:
        """Look at a batch ever more rarely until it is over; None at the end: the provider knows it no longer."""
        batch, pause, missing, ending = reference["batch"], self._poll, 0, bool(reference.get("cancel"))
        while True:
            if ending:
                ending = await self._ended(batch)
            try:
                look = await self._provider.look(batch)
            except Exception as error:
                trouble = self._provider.trouble(error)
                self._log.warning("batch %s: %s", batch, trouble.reason)
                yield Look(over=False, trouble=trouble.reason)
                missing += trouble.unknown
                if missing >= LOOKS:
                    yield None
                    return
            else:
                reached("polled")
                missing = 0
                yield look
                if look.over:
                    return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, SLOWEST * self._poll)

    async def _ended(self, batch: str) -> bool:
        """Ask for the end of a batch; says whether to ask again."""
        try:
            await self._provider.cancel(batch)
        except Exception as error:
            trouble = self._provider.trouble(error)
            self._log.warning("cannot cancel batch %s: %s", batch, trouble.reason)
            return trouble.passing
        return False
