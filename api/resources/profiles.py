"""How people show themselves: avatars, and what they let whom see."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from adapters.objects.store import ObjectStore
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from api.resources.pictures import picture_answer, picture_in
from api.resources.users import OwnView, PersonPath, own
from identity.visibility import Askers, Audience, Visibility


class VisibilityView(View, frozen=True):
    """``status`` is presence and status text; ``friend_requests`` who may ask."""

    status: Audience
    last_seen: Audience
    friend_requests: Askers


class VisibilityChange(Wire, frozen=True):
    """Fields that are left out stay as they are."""

    status: Audience | None = None
    last_seen: Audience | None = None
    friend_requests: Askers | None = None


class VersionQuery(Wire, frozen=True):
    """``v`` only makes the addresses of two versions differ."""

    v: Annotated[str, Meta(max_length=32)] | None = None


class Profiles:
    def __init__(self, people: People, store: ObjectStore) -> None:
        self._people = people
        self._friends, self._avatars = people.acquaintances.friends, people.acquaintances.avatars
        self._objects = store.objects

    async def put_avatar(self, call: Call) -> OwnView:
        data = await picture_in(call.request)
        account = await self._avatars.put(call.principal.account, data, call.request.content_type)
        return await own(self._people, account)

    async def remove_avatar(self, call: Call) -> None:
        await self._avatars.remove(call.principal.account)

    async def avatar(self, call: Call, path: PersonPath, query: VersionQuery) -> web.Response:
        seen = await self._friends.look_at(call.principal.account, path.id)
        return await picture_answer(call.request, self._objects, seen.account.avatar)

    async def visibility(self, call: Call) -> VisibilityView:
        return _visibility((await self._people.accounts.get(call.principal.account)).visibility)

    async def change_visibility(self, call: Call, body: VisibilityChange) -> VisibilityView:
        account = await self._people.accounts.change_visibility(
            call.principal.account,
            status=body.status,
            last_seen=body.last_seen,
            friend_requests=body.friend_requests,
        )
        if body.status is not None:
            await self._people.presences.shown_anew(account)
        return _visibility(account.visibility)


def resource(people: People, store: ObjectStore) -> Resource:
    of = Profiles(people, store)
    return Resource(
        "profiles",
        "How people show themselves.",
        [
            Endpoint(
                method="PUT",
                path="/v1/users/me/avatar",
                handler=of.put_avatar,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Show a picture: PNG, JPEG or WebP of at most 1 MiB as the body",
                errors={
                    400: ("malformed_body",),
                    408: ("body_timeout",),
                    413: ("avatar_too_large",),
                    415: ("unsupported_media_type",),
                    422: ("invalid_image",),
                },
                # It takes bytes, with a bound of its own.
                streaming=True,
            ),
            Endpoint(
                method="DELETE",
                path="/v1/users/me/avatar",
                handler=of.remove_avatar,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Show no picture; fine when there is none",
                status=204,
            ),
            Endpoint(
                method="GET",
                path="/v1/users/{id}/avatar",
                handler=of.avatar,
                access=Access.SIGNED_IN,
                limit="avatars",
                summary="Somebody's picture, for those whom they have not blocked",
                errors={404: ("not_found",)},
                content="image/*",
                also=(206, 304, 416),
            ),
            Endpoint(
                method="GET",
                path="/v1/users/me/visibility",
                handler=of.visibility,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Who sees what of oneself, and who may ask for friendship",
            ),
            Endpoint(
                method="PATCH",
                path="/v1/users/me/visibility",
                handler=of.change_visibility,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Change it",
            ),
        ],
    )


def _visibility(visibility: Visibility) -> VisibilityView:
    return VisibilityView(
        status=visibility.status, last_seen=visibility.last_seen, friend_requests=visibility.friend_requests
    )
