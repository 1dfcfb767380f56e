"""Saying that one is there, and asking who is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from chat.presence import LEASE_SECONDS, Presence, Status
from kernel.errors import Forbidden

MOST_ASKED: Final = 100
_ID: Final = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class Saying(Wire, frozen=True):
    """What this device says, and goes on saying by repeating it."""

    state: Status


class SaidView(View, frozen=True):
    """``status`` is what all of one's devices say together, ``state`` what this one does; seconds until it lapses."""

    status: Status
    state: Status
    expires_in: int


class PresenceQuery(Wire, frozen=True):
    """``user_ids`` are up to 100 ids with commas between them."""

    user_ids: Annotated[str, Meta(pattern=f"^{_ID}(?:,{_ID}){{0,{MOST_ASKED - 1}}}$")]


class PresenceView(View, frozen=True):
    """``last_seen`` is null while somebody is there, and to those who may not see it."""

    user_id: UUID
    status: Status
    last_seen: datetime | None


class PresencesView(View, frozen=True):
    items: list[PresenceView]


def resource(people: People) -> Resource:
    async def say(call: Call, body: Saying) -> SaidView:
        principal = call.principal
        if principal.session is None:
            raise Forbidden("A device that is there has a session, and this caller has none.", code="session_required")
        status = await people.presences.say(principal.account, principal.session, body.state)
        lasts = 0 if body.state is Status.OFFLINE else int(LEASE_SECONDS)
        return SaidView(status=status, state=body.state, expires_in=lasts)

    async def ask(call: Call, query: PresenceQuery) -> PresencesView:
        # A pattern lets one line break stand behind what it describes.
        asked = list(dict.fromkeys(UUID(word) for word in query.user_ids.strip().split(",")))
        found = await people.presences.of(call.principal.account, asked)
        return PresencesView(items=[_view(one) for one in found])

    return Resource(
        "presence",
        "Who is there. A device says so for five minutes at a time.",
        [
            Endpoint(
                method="POST",
                path="/v1/presence",
                handler=say,
                access=Access.SIGNED_IN,
                limit="presence",
                summary="Say that this device is there, or that it goes; friends who may see it hear of a change",
                errors={403: ("session_required",), 503: ("overloaded",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/presence",
                handler=ask,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Who of some people is there, or was last seen when, as far as they let one see",
            ),
        ],
    )


def _view(presence: Presence) -> PresenceView:
    seen = presence.last_seen
    return PresenceView(
        user_id=presence.person,
        status=presence.status,
        last_seen=None if seen is None else datetime.fromtimestamp(seen, UTC),
    )
