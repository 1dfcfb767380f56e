"""What becomes of rooms when whoever made them is erased: they end, for all who are in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from kernel.datarights import NamedObject
from kernel.errors import NotFound
from sfu.rooms import Rooms

AT_A_TIME: Final = 100


class EndingRooms:
    """kernel.datarights.PersonalThings. ``ended`` is told of each, as when its owner ends it."""

    name = "live_rooms"

    def __init__(self, rooms: Rooms, ended: Callable[[UUID], None]) -> None:
        self._rooms = rooms
        self._ended = ended

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        count = 0
        while found := (await self._rooms.page(person, cursor=None, limit=AT_A_TIME)).items:
            for room in found:
                with suppress(NotFound):  # ended by its owner, a moment before
                    await self._rooms.end(person, room.id)
                self._ended(room.id)
            count += len(found)
        return count
