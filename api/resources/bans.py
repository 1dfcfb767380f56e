"""Who is banned from a group."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.chat import Chats
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.resources.conversation_views import ConversationPath, ParticipantPath, time_of
from api.resources.paging import Paging
from api.resources.users import avatar_url


class BanView(View, frozen=True):
    user_id: UUID
    username: str
    display_name: str
    avatar_url: str | None
    banned_at: datetime


class BansView(View, frozen=True):
    items: list[BanView]
    next_cursor: str | None


def resource(chats: Chats) -> Resource:
    async def bans(call: Call, path: ConversationPath, query: Paging) -> BansView:
        page = await chats.bans.page(path.id, call.principal.account, cursor=query.cursor, limit=query.limit)
        items = [
            BanView(
                user_id=face.id,
                username=face.username,
                display_name=face.display_name,
                avatar_url=avatar_url(face.id, face.avatar),
                banned_at=time_of(ban.banned_at),
            )
            for ban, face in page.items
        ]
        return BansView(items=items, next_cursor=page.next_cursor)

    async def ban(call: Call, path: ParticipantPath) -> None:
        await chats.bans.ban(path.id, call.principal.account, path.user_id)

    async def lift_ban(call: Call, path: ParticipantPath) -> None:
        await chats.bans.lift(path.id, call.principal.account, path.user_id)

    return Resource(
        "bans",
        "Who was put out of a group for good: they do not come in by themselves, by an invite, or brought by others.",
        [
            Endpoint(
                method="GET",
                path="/v1/conversations/{id}/bans",
                handler=bans,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Who is banned, the latest first; for owners and admins",
                errors={400: ("bad_cursor",), 403: ("not_permitted",), 422: ("direct_conversation",)},
            ),
            Endpoint(
                method="PUT",
                path="/v1/conversations/{id}/bans/{user_id}",
                handler=ban,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Ban somebody; whoever is there is put out, and the invites that they made are gone",
                status=204,
                errors={
                    403: ("not_permitted",),
                    422: ("direct_conversation", "not_with_oneself", "participant_unavailable", "too_many_bans"),
                },
            ),
            Endpoint(
                method="DELETE",
                path="/v1/conversations/{id}/bans/{user_id}",
                handler=lift_ban,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Lift a ban; they may come in again, and are not brought back by it",
                status=204,
                errors={403: ("not_permitted",), 422: ("direct_conversation",)},
            ),
        ],
    )
