"""How the ports speak to Redis: a guarded command or script on the least busy lane."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from redis.exceptions import NoScriptError, OutOfMemoryError

from adapters.guard import Guard
from adapters.redis.lane import Lane
from adapters.redis.link import Reply
from adapters.redis.scripts import Script
from kernel.errors import Overloaded

Word = bytes | str | float


class Commands:
    """Lanes are dialled when first needed, so a quiet node holds one connection and a busy one all it may.

    Nothing is retried here but a script the server did not know, which it has not run.
    """

    def __init__(self, lanes: Sequence[Lane], publisher: Lane, guard: Guard) -> None:
        self._lanes = lanes
        self._publisher = publisher
        self._guard = guard

    async def run(self, *command: Word) -> Reply:
        return await self._run(self._quietest(), command)

    async def script(self, script: Script, keys: Sequence[str], *arguments: Word) -> Reply:
        lane = self._quietest()
        tail = (len(keys), *keys, *arguments)
        try:
            return await self._run(lane, ("EVALSHA", script.digest, *tail))
        except NoScriptError:
            return await self._run(lane, ("EVAL", script.text, *tail))

    async def publish(self, channel: str, payload: bytes) -> None:
        # Always the same lane: order holds per channel, and big values elsewhere delay no event.
        await self._run(self._publisher, ("PUBLISH", channel, payload))

    async def ping(self) -> None:
        await asyncio.gather(*(lane.execute("PING") for lane in self._probed()))

    def _probed(self) -> Iterable[Lane]:
        return {self._quietest(), self._publisher}

    def _quietest(self) -> Lane:
        return min(self._lanes, key=lambda lane: lane.load)

    async def _run(self, lane: Lane, command: Sequence[Word]) -> Reply:
        lane.require_room()
        try:
            return await self._guard.call(partial(lane.execute, *command))
        except OutOfMemoryError as error:
            raise Overloaded("Redis has reached its memory limit; try again later") from error
