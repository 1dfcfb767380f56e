"""What becomes of conversations when somebody is erased: they leave as anybody leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

from chat.conversations import Conversations
from chat.members import Members
from chat.overdue import END_ROUNDS_JOB
from chat.pictures import DROP_PICTURE_JOB
from chat.records import Kind
from kernel.datarights import NamedObject
from kernel.errors import NotFound
from kernel.units import Transaction, UnitsOfWork

AT_A_TIME = 100

OBJECTS: Final[Mapping[str, str]] = {
    "conversations/": "Pictures of groups, by group: they outlast whoever chose them, and go with the group.",
}
SHORT_LIVED: Final[Mapping[str, str]] = {
    "presence:": "By a hash of the person, what their devices say; each ends with its session, or after five minutes.",
}
JOBS: Final[Mapping[str, str]] = {
    DROP_PICTURE_JOB: "Names a conversation.",
    END_ROUNDS_JOB: "Has no payload.",
}


class Places(Protocol):
    async def of(self, unit: Transaction, person: UUID, *, most: int) -> Sequence[tuple[UUID, Kind]]:
        """Conversations that somebody is in."""
        ...


class Leaving:
    """kernel.datarights.PersonalThings. A group of theirs goes to its next owner, or with its last member; a direct
    conversation ends for both."""

    name = "conversations"

    def __init__(self, *, units: UnitsOfWork, places: Places, conversations: Conversations, members: Members) -> None:
        self._units = units
        self._places = places
        self._conversations = conversations
        self._members = members

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        left = 0
        while found := await self._units.read(lambda unit: self._places.of(unit, person, most=AT_A_TIME)):
            for conversation, kind in found:
                # Deleted, or they were put out, a moment before.
                with suppress(NotFound):
                    await self._leave(conversation, kind, person)
            left += len(found)
        return left

    async def _leave(self, conversation: UUID, kind: Kind, person: UUID) -> None:
        if kind is Kind.DIRECT:
            await self._conversations.delete(conversation, person)
        else:
            await self._members.leave(conversation, person)
