"""Rooms, and the tokens that let somebody into one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, field

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.wire import View, Wire
from api.resources.paging import Paging
from identity import roomtokens
from identity.roomtokens import Admission, Grants, RoomTokens, Source
from sfu.rooms import LONGEST_EMPTY_SECONDS, MOST_PARTICIPANTS, USUAL_EMPTY_SECONDS, Mode, Plan, Room, Rooms

# Of a name or of metadata, in characters; how many bytes that may be is looked at where they are understood.
LONGEST_TEXT: Final = 4096
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
LongText = Annotated[str, Meta(max_length=LONGEST_TEXT)]


class NewRoom(Wire, frozen=True):
    """``empty_timeout`` is in seconds. A Secure room takes nothing that is not encrypted end to end; an Intelligent one
    only allows clear media."""

    name: ShortText
    max_participants: Annotated[int, Meta(ge=1, le=MOST_PARTICIPANTS)] = MOST_PARTICIPANTS
    mode: Mode = Mode.SECURE
    empty_timeout: Annotated[int, Meta(ge=0, le=LONGEST_EMPTY_SECONDS)] = USUAL_EMPTY_SECONDS
    waiting_room: bool = False
    metadata: LongText | None = None


class RoomView(View, frozen=True):
    id: UUID
    name: str
    mode: Mode
    max_participants: int
    empty_timeout: int
    waiting_room: bool
    metadata: str | None
    created_at: datetime


class RoomsView(View, frozen=True):
    items: list[RoomView]
    next_cursor: str | None


class RoomPath(Wire, frozen=True):
    id: UUID


class WantedGrants(Wire, frozen=True):
    """What is left out is not granted."""

    join: bool = False
    publish: Annotated[list[Source], Meta(max_length=len(Source))] = field(default_factory=list)
    subscribe: bool = False
    data: bool = False
    moderate: bool = False
    hidden: bool = False


class NewToken(Wire, frozen=True):
    """``identity`` is whoever it is to those who ask; ``ttl`` is in seconds."""

    identity: Annotated[str, Meta(min_length=1, max_length=roomtokens.MAX_IDENTITY)]
    grants: WantedGrants
    name: ShortText | None = None
    metadata: LongText | None = None
    ttl: Annotated[int, Meta(ge=roomtokens.MIN_SECONDS, le=roomtokens.MAX_SECONDS)] = roomtokens.USUAL_SECONDS


class TokenView(View, frozen=True):
    token: str
    url: str
    expires_at: datetime


class RoomCalls:
    def __init__(self, rooms: Rooms, tokens: RoomTokens, ended: Callable[[UUID], None]) -> None:
        self._rooms = rooms
        self._tokens = tokens
        self._ended = ended

    async def make(self, call: Call, body: NewRoom) -> RoomView:
        plan = Plan(
            name=body.name,
            mode=body.mode,
            max_participants=body.max_participants,
            empty_timeout=body.empty_timeout,
            waiting_room=body.waiting_room,
            metadata=body.metadata,
        )
        return _view(await self._rooms.make(_owner(call), plan))

    async def list_rooms(self, call: Call, query: Paging) -> RoomsView:
        page = await self._rooms.page(_owner(call), cursor=query.cursor, limit=query.limit)
        return RoomsView(items=[_view(room) for room in page.items], next_cursor=page.next_cursor)

    async def look(self, call: Call, path: RoomPath) -> RoomView:
        return _view(await self._rooms.get(_owner(call), path.id))

    async def end(self, call: Call, path: RoomPath) -> None:
        await self._rooms.end(_owner(call), path.id)
        self._ended(path.id)

    async def mint(self, call: Call, path: RoomPath, body: NewToken) -> TokenView:
        room = await self._rooms.get(_owner(call), path.id)
        wanted = body.grants
        grants = Grants(
            join=wanted.join,
            publish=frozenset(wanted.publish),
            subscribe=wanted.subscribe,
            data=wanted.data,
            moderate=wanted.moderate,
            hidden=wanted.hidden,
        )
        admission = Admission(room.id, body.identity, grants, body.name, body.metadata)
        made = self._tokens.mint(admission, by=call.principal.id, ttl=body.ttl)
        return TokenView(token=made.token, url=made.url, expires_at=datetime.fromtimestamp(made.expires_at, UTC))


def resource(rooms: Rooms, tokens: RoomTokens, ended: Callable[[UUID], None]) -> Resource:
    """``ended`` is told of a room that is no more: whoever is in it has to leave."""
    calls = RoomCalls(rooms, tokens, ended)

    def endpoint(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Any) -> Endpoint:
        return Endpoint(
            method=method,
            path=path,
            handler=handler,
            access=Access.SIGNED_IN,
            scope=scope,
            limit="default",
            summary=summary,
            **more,
        )

    return Resource(
        "rooms",
        "Rooms that somebody made, or the installation's: those that API keys make. Nobody sees the others'.",
        [
            endpoint(
                "POST",
                "/v1/rooms",
                calls.make,
                "rooms:write",
                "Make a room",
                status=201,
                errors={422: ("invalid_name", "invalid_metadata", "too_many_rooms")},
            ),
            endpoint(
                "GET",
                "/v1/rooms",
                calls.list_rooms,
                "rooms:read",
                "Rooms, newest first",
                errors={400: ("bad_cursor",)},
            ),
            endpoint("GET", "/v1/rooms/{id}", calls.look, "rooms:read", "One room"),
            endpoint("DELETE", "/v1/rooms/{id}", calls.end, "rooms:write", "End a room, for all who are in it"),
            endpoint(
                "POST",
                "/v1/rooms/{id}/tokens",
                calls.mint,
                "tokens:mint",
                "A token that lets somebody into a room, with what they may do there; it cannot be taken back",
                status=201,
                errors={
                    422: ("contradictory_grants", "invalid_identity", "invalid_display_name", "invalid_metadata"),
                },
            ),
        ],
    )


def _owner(call: Call) -> UUID | None:
    return None if call.principal.kind == "service" else call.principal.account


def _view(room: Room) -> RoomView:
    plan = room.plan
    return RoomView(
        id=room.id,
        name=plan.name,
        mode=plan.mode,
        max_participants=plan.max_participants,
        empty_timeout=plan.empty_timeout,
        waiting_room=plan.waiting_room,
        metadata=plan.metadata,
        created_at=datetime.fromtimestamp(room.created_at, UTC),
    )
