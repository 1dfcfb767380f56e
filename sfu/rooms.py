"""Rooms as they are made and found again, whether or not anybody is in them. They outlast the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import FieldError, NotFound, Unprocessable
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork

LISTING: Final = "rooms"

MAX_NAME: Final = 100
MAX_METADATA_BYTES: Final = 4096
MOST_PARTICIPANTS: Final = 1000
LONGEST_EMPTY_SECONDS: Final = 86_400
USUAL_EMPTY_SECONDS: Final = 300

# Of one account, and of all API keys together: a program that forgets to end its rooms is told so.
MOST_OF_AN_ACCOUNT: Final = 100
MOST_OF_THE_INSTALLATION: Final = 10_000


class Mode(Enum):
    SECURE = "secure"
    INTELLIGENT = "intelligent"


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody asks for. ``empty_timeout`` is how many seconds a room waits for somebody to come back."""

    name: str
    mode: Mode = Mode.SECURE
    max_participants: int = MOST_PARTICIPANTS
    empty_timeout: int = USUAL_EMPTY_SECONDS
    waiting_room: bool = False
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """``owner`` is an account; the installation's rooms, which API keys make, have none."""

    id: UUID
    owner: UUID | None
    plan: Plan
    created_at: float


class RoomStore(Protocol):
    async def add(self, unit: Transaction, room: Room) -> None: ...

    async def count(self, unit: Transaction, owner: UUID | None) -> int: ...

    async def get(self, unit: Transaction, room: UUID) -> Room | None: ...

    async def page(self, unit: Transaction, owner: UUID | None, *, before: UUID | None, most: int) -> Sequence[Room]:
        """Newest first."""
        ...

    async def remove(self, unit: Transaction, room: UUID) -> None: ...


class Rooms:
    """Whoever asks is an account, or None for the installation: a room of another one is not there for them."""

    def __init__(self, *, units: UnitsOfWork, store: RoomStore, ids: IdGenerator, clock: Clock) -> None:
        self._units = units
        self._store = store
        self._ids = ids
        self._clock = clock

    async def make(self, owner: UUID | None, plan: Plan) -> Room:
        """Raises Unprocessable ``invalid_name``, ``invalid_metadata`` or ``too_many_rooms``."""
        _check(plan)
        room = Room(self._ids.next(), owner, plan, self._clock.now())
        most = MOST_OF_THE_INSTALLATION if owner is None else MOST_OF_AN_ACCOUNT

        async def work(unit: Transaction) -> None:
            if await self._store.count(unit, owner) >= most:
                raise Unprocessable(f"There are {most} rooms already; end some.", code="too_many_rooms")
            await self._store.add(unit, room)

        await self._units.write(work)
        return room

    async def get(self, owner: UUID | None, room: UUID) -> Room:
        """Raises NotFound."""
        return await self._units.read(lambda unit: self._own(unit, owner, room))

    async def find(self, room: UUID) -> Room | None:
        """Whoever's it is: for those who bring a token for it."""
        return await self._units.read(lambda unit: self._store.get(unit, room))

    async def page(self, owner: UUID | None, *, cursor: str | None, limit: int) -> Page[Room]:
        """Newest first. Raises Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(LISTING, cursor, UUID)
        found = await self._units.read(lambda unit: self._store.page(unit, owner, before=before, most=limit + 1))
        items = list(found[:limit])
        return Page(items, encode_cursor(LISTING, items[-1].id) if len(found) > limit else None)

    async def end(self, owner: UUID | None, room: UUID) -> None:
        """Raises NotFound."""

        async def work(unit: Transaction) -> None:
            found = await self._own(unit, owner, room)
            await self._store.remove(unit, found.id)

        await self._units.write(work)

    async def _own(self, unit: Transaction, owner: UUID | None, room: UUID) -> Room:
        found = await self._store.get(unit, room)
        if found is None or found.owner != owner:
            raise NotFound("There is no such room.")
        return found


def _check(plan: Plan) -> None:
    if not 1 <= len(plan.name.strip()) <= MAX_NAME or not plan.name.isprintable():
        raise _refused("name", f"needs 1 to {MAX_NAME} characters that can be seen", "invalid_name")
    if plan.metadata is not None and len(plan.metadata.encode("utf-8", "surrogatepass")) > MAX_METADATA_BYTES:
        raise _refused("metadata", f"has {MAX_METADATA_BYTES} bytes at most", "invalid_metadata")


def _refused(field: str, message: str, code: str) -> Unprocessable:
    return Unprocessable(f"The {field} of a room {message}.", code=code, fields=[FieldError(field, message)])
