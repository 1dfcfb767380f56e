"""``/v1/users``: oneself and other people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from chat.presence import Status
from identity.accounts import Account
from identity.befriending import Acquaintance
from identity.friends import Standing
from identity.names import MAX_USERNAME
from identity.visibility import MAX_STATUS_TEXT


class PersonView(View, frozen=True):
    """What others see of somebody; ``status`` is ``offline`` to those who may not see it."""

    id: UUID
    username: str
    display_name: str
    avatar_url: str | None
    status: Status
    status_text: str | None
    created_at: datetime


class AcquaintanceView(PersonView, frozen=True):
    """``since`` is when somebody asked, or became a friend."""

    friendship: Standing
    since: datetime | None


class OwnView(PersonView, frozen=True):
    email: str
    email_verified: bool
    two_factor_enabled: bool
    searchable: bool
    roles: list[str]


class ProfileChange(Wire, frozen=True):
    """Fields that are left out stay as they are."""

    username: Annotated[str, Meta(min_length=1, max_length=4 * MAX_USERNAME)] | None = None
    display_name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    searchable: bool | None = None
    status_text: Annotated[str, Meta(max_length=2 * MAX_STATUS_TEXT)] | None = None


class PersonPath(Wire, frozen=True):
    id: UUID


def own_view(account: Account, *, two_factor_enabled: bool, status: Status = Status.OFFLINE) -> OwnView:
    return OwnView(
        **person_fields(account, status),
        email=account.email,
        email_verified=account.email_verified_at is not None,
        two_factor_enabled=two_factor_enabled,
        searchable=account.searchable,
        roles=sorted(account.roles) or ["user"],
    )


async def own(people: People, account: Account) -> OwnView:
    """With what else one is told about oneself."""
    return own_view(
        account,
        status=(await people.presences.statuses([account.id]))[account.id],
        two_factor_enabled=await people.second_factor.required(account.id),
    )


async def acquaintance_views(people: People, seen: Sequence[Acquaintance]) -> list[AcquaintanceView]:
    statuses = await people.presences.statuses([one.account.id for one in seen if one.shows_status])
    return [
        AcquaintanceView(
            **person_fields(one.account, statuses.get(one.account.id)),
            friendship=one.standing,
            since=None if one.since is None else datetime.fromtimestamp(one.since, UTC),
        )
        for one in seen
    ]


async def acquaintance_view(people: People, seen: Acquaintance) -> AcquaintanceView:
    [view] = await acquaintance_views(people, [seen])
    return view


def person_fields(account: Account, status: Status | None) -> dict[str, Any]:
    """What every view of a person begins with; ``status`` is None for those who may not see it."""
    return {
        "id": account.id,
        "username": account.username,
        "display_name": account.display_name,
        "avatar_url": avatar_url(account.id, account.avatar),
        "status": status or Status.OFFLINE,
        "status_text": None if status is None else account.status_text,
        "created_at": datetime.fromtimestamp(account.created_at, UTC),
    }


def avatar_url(person: UUID, avatar: str | None) -> str | None:
    """On this server, and another one for each picture; who may see it is asked whenever it is fetched."""
    return None if avatar is None else f"/v1/users/{person}/avatar?v={avatar[-12:]}"


def resource(people: People) -> Resource:
    async def me(call: Call) -> OwnView:
        return await own(people, await people.accounts.get(call.principal.account))

    async def change_me(call: Call, body: ProfileChange) -> OwnView:
        changed = await people.accounts.change_profile(
            call.principal.account,
            username=body.username,
            display_name=body.display_name,
            searchable=body.searchable,
            status=body.status_text,
        )
        return await own(people, changed)

    async def person(call: Call, path: PersonPath) -> AcquaintanceView:
        return await acquaintance_view(
            people, await people.acquaintances.friends.look_at(call.principal.account, path.id)
        )

    return Resource(
        "users",
        "Oneself and other people.",
        [
            Endpoint(
                method="GET",
                path="/v1/users/me",
                handler=me,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Oneself",
            ),
            Endpoint(
                method="PATCH",
                path="/v1/users/me",
                handler=change_me,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Change one's profile",
                errors={
                    409: ("username_taken",),
                    422: ("invalid_username", "invalid_display_name", "invalid_status_text"),
                },
            ),
            Endpoint(
                method="GET",
                path="/v1/users/{id}",
                handler=person,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Somebody else, as far as they let others see",
                errors={404: ("not_found",)},
            ),
        ],
    )
