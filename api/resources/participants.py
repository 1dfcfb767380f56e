"""Who is in a conversation: coming, going, roles, and join links."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, field

from api.chat import Chats
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.resources.conversation_views import (
    ConversationPath,
    ConversationView,
    ParticipantPath,
    ParticipantsView,
    ParticipantView,
    conversation_view,
    participant_view,
    time_of,
)
from api.resources.paging import Paging
from chat.conversations import MOST_MEMBERS
from chat.invites import LONGEST_LIFETIME, MOST_USES, USUAL_LIFETIME
from chat.membership import Role
from chat.mode import Mode
from chat.records import Invite
from kernel.errors import FieldError, Unprocessable

Token = Annotated[str, Meta(min_length=1, max_length=200)]


class GivenRole(Enum):
    """Ownership is handed over, not given beside one's own: ``POST .../owner``."""

    ADMIN = "admin"
    MEMBER = "member"


class NewParticipants(Wire, frozen=True):
    """One person, or several."""

    user_id: UUID | None = None
    participant_ids: Annotated[list[UUID], Meta(max_length=MOST_MEMBERS)] = field(default_factory=list)


class RoleChange(Wire, frozen=True):
    role: GivenRole


class NewOwner(Wire, frozen=True):
    user_id: UUID


class Removal(Wire, frozen=True):
    """``ban``: and for good."""

    ban: bool = False


class Joining(Wire, frozen=True):
    """A public group needs no token. ``mode`` is the mode that one has seen; to come into an Intelligent conversation
    is to say so."""

    token: Token | None = None
    mode: Mode | None = None


class JoiningByToken(Wire, frozen=True):
    """``mode`` as in the request to join a conversation that one names."""

    token: Token
    mode: Mode | None = None


class InviteToken(Wire, frozen=True):
    token: Token


class NewInvite(Wire, frozen=True):
    """Seconds until it expires, and how often it is good; left out: as often as there is place."""

    expires_in: Annotated[int, Meta(ge=60, le=LONGEST_LIFETIME)] = USUAL_LIFETIME
    max_uses: Annotated[int, Meta(ge=1, le=MOST_USES)] | None = None


class InviteView(View, frozen=True):
    id: UUID
    created_by: UUID
    created_at: datetime
    expires_at: datetime
    max_uses: int | None
    uses: int


class NewInviteView(InviteView, frozen=True):
    """``token`` is shown this once."""

    token: str


class InvitesView(View, frozen=True):
    items: list[InviteView]
    next_cursor: str | None


class InvitePath(Wire, frozen=True):
    id: UUID
    invite_id: UUID


class ParticipantsResource:
    def __init__(self, chats: Chats) -> None:
        self._members, self._bans = chats.members, chats.bans

    async def participants(self, call: Call, path: ConversationPath, query: Paging) -> ParticipantsView:
        page = await self._members.page(path.id, call.principal.account, cursor=query.cursor, limit=query.limit)
        return ParticipantsView(items=[participant_view(*item) for item in page.items], next_cursor=page.next_cursor)

    async def add(self, call: Call, path: ConversationPath, body: NewParticipants) -> ParticipantsView:
        wanted = frozenset([*body.participant_ids, *([] if body.user_id is None else [body.user_id])])
        if not wanted:
            missing = FieldError("participant_ids", "names nobody")
            raise Unprocessable("Nobody is named.", code="validation_failed", fields=[missing])
        added = await self._members.add(path.id, call.principal.account, wanted)
        return ParticipantsView(items=[participant_view(*item) for item in added], next_cursor=None)

    async def remove(self, call: Call, path: ParticipantPath, query: Removal) -> None:
        put_out = self._bans.ban if query.ban else self._members.remove
        await put_out(path.id, call.principal.account, path.user_id)

    async def set_role(self, call: Call, path: ParticipantPath, body: RoleChange) -> ParticipantView:
        role = Role(body.role.value)
        return participant_view(*await self._members.set_role(path.id, call.principal.account, path.user_id, role))

    async def leave(self, call: Call, path: ConversationPath) -> None:
        await self._members.leave(path.id, call.principal.account)

    async def hand_over(self, call: Call, path: ConversationPath, body: NewOwner) -> ConversationView:
        return conversation_view(await self._members.hand_over(path.id, call.principal.account, body.user_id))


class InvitesResource:
    def __init__(self, chats: Chats) -> None:
        self._members, self._invites = chats.members, chats.invites

    async def join(self, call: Call, path: ConversationPath, body: Joining | None) -> ConversationView:
        person, wanted = call.principal.account, body or Joining()
        if wanted.token is None:
            return conversation_view(await self._members.join(path.id, person, seen=wanted.mode))
        joined = await self._invites.join(person, wanted.token, seen=wanted.mode, conversation=path.id)
        return conversation_view(joined)

    async def join_by_token(self, call: Call, body: JoiningByToken) -> ConversationView:
        return conversation_view(await self._invites.join(call.principal.account, body.token, seen=body.mode))

    async def preview(self, call: Call, body: InviteToken) -> ConversationView:
        return conversation_view(await self._invites.preview(call.principal.account, body.token))

    async def invite(self, call: Call, path: ConversationPath, body: NewInvite | None) -> NewInviteView:
        wanted = body or NewInvite()
        made, token = await self._invites.make(
            path.id, call.principal.account, lifetime=wanted.expires_in, max_uses=wanted.max_uses
        )
        view = _invite(made)
        return NewInviteView(
            id=view.id,
            created_by=view.created_by,
            created_at=view.created_at,
            expires_at=view.expires_at,
            max_uses=view.max_uses,
            uses=view.uses,
            token=token,
        )

    async def invites(self, call: Call, path: ConversationPath, query: Paging) -> InvitesView:
        page = await self._invites.page(path.id, call.principal.account, cursor=query.cursor, limit=query.limit)
        return InvitesView(items=[_invite(item) for item in page.items], next_cursor=page.next_cursor)

    async def revoke_invite(self, call: Call, path: InvitePath) -> None:
        await self._invites.revoke(path.id, call.principal.account, path.invite_id)


def _invite(invite: Invite) -> InviteView:
    return InviteView(
        id=invite.id,
        created_by=invite.created_by,
        created_at=time_of(invite.created_at),
        expires_at=time_of(invite.expires_at),
        max_uses=invite.max_uses,
        uses=invite.uses,
    )


def resource(chats: Chats) -> Resource:
    of, doors = ParticipantsResource(chats), InvitesResource(chats)
    return Resource(
        "participants",
        "Who is in a conversation. A group has one owner, admins and members.",
        [*_participants(of), *_doors(doors)],
    )


def _participants(of: ParticipantsResource) -> list[Endpoint]:
    return [
        Endpoint(
            method="GET",
            path="/v1/conversations/{id}/participants",
            handler=of.participants,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Who is there, the longest-standing first",
            errors={400: ("bad_cursor",)},
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/{id}/participants",
            handler=of.add,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Bring people into a group; whoever is there already stays as they were",
            status=201,
            errors={
                403: ("not_permitted",),
                409: ("conversation_full", "participant_banned"),
                422: ("participant_unavailable", "direct_conversation"),
            },
        ),
        Endpoint(
            method="DELETE",
            path="/v1/conversations/{id}/participants/{user_id}",
            handler=of.remove,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Put somebody out of a group, with ?ban=true for good; oneself: leave",
            status=204,
            errors={
                403: ("not_permitted",),
                422: ("direct_conversation", "not_with_oneself", "participant_unavailable", "too_many_bans"),
            },
        ),
        Endpoint(
            method="PATCH",
            path="/v1/conversations/{id}/participants/{user_id}",
            handler=of.set_role,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Make somebody an admin, or a member again",
            errors={403: ("not_permitted",), 422: ("direct_conversation",)},
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/{id}/leave",
            handler=of.leave,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Leave a group; an owner's place goes to the longest-standing admin, or else member",
            status=204,
            errors={422: ("direct_conversation",)},
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/{id}/owner",
            handler=of.hand_over,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Hand a group over; one stays as an admin",
            errors={403: ("not_permitted",), 422: ("owner_already", "direct_conversation")},
        ),
    ]


_COMING_IN: Final = {
    403: ("banned",),
    404: ("not_found",),
    409: ("conversation_full", "mode_not_accepted"),
    422: ("invalid_invite",),
}


def _doors(of: InvitesResource) -> list[Endpoint]:
    return [
        Endpoint(
            method="POST",
            path="/v1/conversations/{id}/join",
            handler=of.join,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Come into a public group, or into any with an invite",
            errors=_COMING_IN,
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/join",
            handler=of.join_by_token,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Come in with an invite alone",
            errors=_COMING_IN,
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/join/preview",
            handler=of.preview,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Where an invite leads, and in which mode, before one goes in",
            errors={403: ("banned",), 404: ("not_found",), 422: ("invalid_invite",)},
        ),
        Endpoint(
            method="POST",
            path="/v1/conversations/{id}/invites",
            handler=of.invite,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Make a join link's token; it is shown this once",
            status=201,
            errors={403: ("not_permitted", "invites_off"), 422: ("direct_conversation", "too_many_invites")},
        ),
        Endpoint(
            method="GET",
            path="/v1/conversations/{id}/invites",
            handler=of.invites,
            access=Access.SIGNED_IN,
            limit="default",
            summary="The invites there are, the latest first",
            errors={400: ("bad_cursor",), 403: ("not_permitted",), 422: ("direct_conversation",)},
        ),
        Endpoint(
            method="DELETE",
            path="/v1/conversations/{id}/invites/{invite_id}",
            handler=of.revoke_invite,
            access=Access.SIGNED_IN,
            limit="default",
            summary="Take an invite back",
            status=204,
            errors={403: ("not_permitted",), 422: ("direct_conversation",)},
        ),
    ]
