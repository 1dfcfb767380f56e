"""Telling people's devices what has happened. Nothing is kept: who was not listening reads it from the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from uuid import UUID

import msgspec

from kernel.bus import EventBus
from kernel.errors import SecureConnectError

# Published side by side; enough to hide a store's round trip, few enough to leave room for everybody else.
SIDE_BY_SIDE = 100

_log = logging.getLogger(__name__)


def channel_of(person: UUID) -> str:
    """The bus channel that all devices of somebody listen to."""
    return f"user:{person}"


class Announcer:
    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    async def to(self, people: Collection[UUID], kind: str, data: Mapping[str, object]) -> None:
        """One event ``{type, data}`` to each of ``people``. Call it after the unit of work has committed.

        What it tells of is durable already, so a bus that is down is logged and fails nobody."""
        await self._publish(people, kind, data, self._publish_or_log)

    async def surely(self, people: Collection[UUID], kind: str, data: Mapping[str, object]) -> None:
        """As ``to``, for a job that is done again when this fails. Raises what the bus does."""

        async def publish(person: UUID, _kind: str, payload: bytes) -> None:
            await self._bus.publish(channel_of(person), payload)

        await self._publish(people, kind, data, publish)

    @staticmethod
    async def _publish(
        people: Collection[UUID],
        kind: str,
        data: Mapping[str, object],
        publish: Callable[[UUID, str, bytes], Awaitable[None]],
    ) -> None:
        payload = msgspec.json.encode({"type": kind, "data": data})
        told = list(people)
        for start in range(0, len(told), SIDE_BY_SIDE):
            await asyncio.gather(*(publish(person, kind, payload) for person in told[start : start + SIDE_BY_SIDE]))

    async def _publish_or_log(self, person: UUID, kind: str, payload: bytes) -> None:
        try:
            await self._bus.publish(channel_of(person), payload)
        except SecureConnectError as error:
            _log.warning("an announcement of kind %s was not published: %s", kind, error.code)
