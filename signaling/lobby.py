"""From a room token to a participant: the room is looked up, the token judged, and the room of this node asked."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol
from uuid import UUID

from identity import roomtokens
from identity.roomtokens import RoomClaims, RoomTokens
from kernel.errors import SecureConnectError
from sfu.admission import Admission, Grants
from sfu.live import Rooms as LiveRooms
from sfu.member import Member
from sfu.notices import Encryption, Tell
from sfu.refusals import refused
from sfu.rooms import Room
from sfu.sources import Source
from signaling.faults import CannotStay
from signaling.messages import Announced

# Rooms that ended lately: somebody may have looked one up just before.
REMEMBERED: Final = 1_000


class KnownRooms(Protocol):
    """``sfu.rooms.Rooms``, as far as it is needed here."""

    async def find(self, room: UUID) -> Room | None: ...


class Lobby:
    def __init__(self, tokens: RoomTokens, known: KnownRooms, live: LiveRooms) -> None:
        self._tokens = tokens
        self._known = known
        self._live = live
        self._ended: OrderedDict[UUID, None] = OrderedDict()

    def read(self, token: str) -> RoomClaims:
        """Of whoever opens a socket. Raises Unauthenticated ``invalid_token``."""
        return self._tokens.read(token)

    async def admit(self, claims: RoomClaims, e2ee: Announced | None, tell: Tell) -> Member:
        """Raises CannotStay ``token_expired``, ``not_granted``, ``room_ended``, ``room_full``, ``node_overloaded``."""
        if not claims.grants.join:
            raise CannotStay("This token lets nobody join.", code="not_granted")
        room = await self._known.find(claims.room)
        try:
            self._tokens.require_current(claims)
            if room is None or room.id in self._ended:
                raise refused("room_ended", "There is no such room any more.")
            return self._live.join(room, admission(claims, e2ee), tell)
        except SecureConnectError as error:
            raise CannotStay.after(error) from error

    def end(self, room: UUID) -> None:
        """After it was removed from where rooms are kept."""
        self._ended[room] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._live.end(room)


def admission(claims: RoomClaims, e2ee: Announced | None) -> Admission:
    return Admission(
        identity=claims.sub,
        grants=granted(claims.grants),
        name=claims.name,
        metadata=claims.metadata,
        e2ee=None if e2ee is None else Encryption(e2ee.kid_prefix, e2ee.sender),
    )


def granted(grants: roomtokens.Grants) -> Grants:
    return Grants(
        publish=frozenset(Source(source.value) for source in grants.publish),
        subscribe=grants.subscribe,
        data=grants.data,
        moderate=grants.moderate,
        hidden=grants.hidden,
    )
