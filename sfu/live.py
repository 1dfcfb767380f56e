"""The rooms that live on this node: found or opened when somebody joins, closed some time after the last one left."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from sfu.admission import Admission
from sfu.member import Member
from sfu.notices import Ending, Tell
from sfu.rooms import Room


class AuditTrail(Protocol):
    """What must be on record. Returns at once and raises nothing."""

    def gate_muted(self, room: UUID, identity: str, track: str | None, reason: str) -> None:
        """Somebody sent what was not encrypted into a Secure room, three times; ``track`` is None for messages."""
        ...


class Rooms(Protocol):
    """``LiveRooms`` as whoever holds sockets needs it; all of it on the event loop."""

    def join(self, room: Room, admission: Admission, tell: Tell) -> Member:
        """Nothing is told before it returns. Refused: ``room_full``, ``node_overloaded``, ``room_ended`` (the server is
        stopping). Who has the same identity and is there is replaced."""
        ...

    def end(self, room: UUID, reason: Ending = Ending.ROOM_ENDED) -> None:
        """Everybody is told ``Ended``. Nothing happens where nobody is."""
        ...
