"""Blocking people."""

from __future__ import annotations

from datetime import UTC, datetime

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.people import People
from api.resources.paging import Paging
from api.resources.users import PersonPath, PersonView, person_fields


class BlockedView(PersonView, frozen=True):
    blocked_at: datetime


class BlockedListView(View, frozen=True):
    items: list[BlockedView]
    next_cursor: str | None


def resource(people: People) -> Resource:
    blocks = people.acquaintances.blocks

    async def block(call: Call, path: PersonPath) -> None:
        await blocks.block(call.principal.account, path.id)

    async def unblock(call: Call, path: PersonPath) -> None:
        await blocks.unblock(call.principal.account, path.id)

    async def blocked(call: Call, query: Paging) -> BlockedListView:
        page = await blocks.page(call.principal.account, cursor=query.cursor, limit=query.limit)
        items = [
            BlockedView(**person_fields(account, None), blocked_at=datetime.fromtimestamp(made.created_at, UTC))
            for made, account in page.items
        ]
        return BlockedListView(items=items, next_cursor=page.next_cursor)

    return Resource(
        "blocks",
        "Whom one has blocked. They do not see or find one, and nobody tells them.",
        [
            Endpoint(
                method="POST",
                path="/v1/users/{id}/block",
                handler=block,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Block somebody; friendship and requests end",
                status=204,
                errors={404: ("not_found",), 422: ("not_with_oneself", "too_many_blocked")},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/users/{id}/block",
                handler=unblock,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Lift a block; fine when there is none",
                status=204,
            ),
            Endpoint(
                method="GET",
                path="/v1/users/me/blocked",
                handler=blocked,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Whom one has blocked, the latest first",
                errors={400: ("bad_cursor",)},
            ),
        ],
    )
