"""Pictures of groups."""

from __future__ import annotations

from aiohttp import web

from adapters.objects.store import ObjectStore
from api.chat import Chats
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.resources.conversation_views import ConversationPath, ConversationView, conversation_view
from api.resources.pictures import picture_answer, picture_in
from api.resources.profiles import VersionQuery


def resource(chats: Chats, store: ObjectStore) -> Resource:
    async def put_avatar(call: Call, path: ConversationPath) -> ConversationView:
        data = await picture_in(call.request)
        shown = await chats.pictures.put(path.id, call.principal.account, data, call.request.content_type)
        return conversation_view(shown)

    async def remove_avatar(call: Call, path: ConversationPath) -> None:
        await chats.pictures.remove(path.id, call.principal.account)

    async def avatar(call: Call, path: ConversationPath, query: VersionQuery) -> web.Response:
        key = await chats.pictures.key_of(path.id, call.principal.account)
        return await picture_answer(call.request, store.objects, key)

    return Resource(
        "conversation-avatars",
        "Pictures of groups.",
        [
            Endpoint(
                method="PUT",
                path="/v1/conversations/{id}/avatar",
                handler=put_avatar,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Show a picture: PNG, JPEG or WebP of at most 1 MiB as the body",
                errors={
                    400: ("malformed_body",),
                    403: ("not_permitted",),
                    408: ("body_timeout",),
                    413: ("avatar_too_large",),
                    415: ("unsupported_media_type",),
                    422: ("invalid_image", "direct_conversation"),
                },
                # It takes bytes, with a bound of its own.
                streaming=True,
            ),
            Endpoint(
                method="DELETE",
                path="/v1/conversations/{id}/avatar",
                handler=remove_avatar,
                access=Access.SIGNED_IN,
                limit="profile",
                summary="Show no picture; fine when there is none",
                status=204,
                errors={403: ("not_permitted",), 422: ("direct_conversation",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations/{id}/avatar",
                handler=avatar,
                access=Access.SIGNED_IN,
                limit="avatars",
                summary="A group's picture, for its members; of a public group for everybody",
                errors={404: ("not_found",)},
                content="image/*",
                also=(206, 304, 416),
            ),
        ],
    )
