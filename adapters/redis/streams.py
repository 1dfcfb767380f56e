"""Durable streams in Redis: an entry ``position-0`` per record, so that positions are gapless and atomic.

As durable as Redis is: with ``appendonly yes`` and ``appendfsync always`` what was acknowledged survives a crash,
with ``everysec`` up to a second of it does not. If Redis loses its data, positions start over; a reader notices
when it asks behind the end, and gets a Conflict with the code ``stream_reset``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.redis import scripts
from adapters.redis.bus import RedisBus
from adapters.redis.commands import Commands
from adapters.redis.keys import Keys
from kernel.bus import BusEvent
from kernel.ephemeral import require_key
from kernel.errors import Conflict
from kernel.streams import StreamRecord

# Wake-ups travel over the bus connection; no channel of a room begins like this.
WAKE = "\x00stream:"
WAKE_QUEUE = 16


class RedisStreams:
    def __init__(self, commands: Commands, bus: RedisBus, keys: Keys, *, channel_prefix: str) -> None:
        self._commands = commands
        self._bus = bus
        self._keys = keys
        self._channel_prefix = channel_prefix

    async def append(self, stream: str, payload: bytes, *, key: str | None = None) -> int:
        require_key(stream)
        if key is not None:
            require_key(key)
        return int(
            await self._commands.script(
                scripts.STREAM_APPEND,
                [self._log(stream), self._last(stream), self._idempotency(stream)],
                payload,
                "" if key is None else f"k{key}",
                self._channel_prefix + WAKE + stream,
            )
        )

    async def read(self, stream: str, *, after: int = 0, limit: int = 100) -> Sequence[StreamRecord]:
        require_key(stream)
        entries = await self._commands.run("XRANGE", self._log(stream), f"{after + 1}-0", "+", "COUNT", limit)
        if not entries and after:
            last = await self.last(stream)
            if last < after:
                raise Conflict(
                    f"the stream ends at {last}, before {after}: its store lost data; read it from the start",
                    code="stream_reset",
                )
        return [_record(stream, entry_id, fields) for entry_id, fields in entries]

    async def wait(self, stream: str, *, after: int, timeout: float) -> bool:
        if await self.last(stream) > after:
            return True
        try:
            async with asyncio.timeout(timeout):
                return await self._woken(stream, after)
        except TimeoutError:
            return False

    async def _woken(self, stream: str, after: int) -> bool:
        async with self._bus.listen([WAKE + stream], WAKE_QUEUE) as wakes:
            if await self.last(stream) > after:
                return True
            async for wake in wakes:
                newest = int(wake.payload) if isinstance(wake, BusEvent) else await self.last(stream)
                if newest > after:
                    return True
        return False

    async def last(self, stream: str) -> int:
        require_key(stream)
        return int(await self._commands.run("GET", self._last(stream)) or 0)

    async def trim(self, stream: str, *, through: int) -> int:
        require_key(stream)
        keys = [self._log(stream), self._idempotency(stream)]
        return int(await self._commands.script(scripts.STREAM_TRIM, keys, through, through + 1))

    def _log(self, stream: str) -> str:
        return self._keys.tagged("x", stream)

    def _last(self, stream: str) -> str:
        return self._keys.tagged("xn", stream)

    def _idempotency(self, stream: str) -> str:
        return self._keys.tagged("xk", stream)


def _record(stream: str, entry_id: bytes, fields: Sequence[bytes]) -> StreamRecord:
    position, _, _ = entry_id.partition(b"-")
    _, payload, _, appended_at = fields
    return StreamRecord(stream, int(position), payload, float(appended_at))
