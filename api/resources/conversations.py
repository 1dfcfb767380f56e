"""``/v1/conversations``: conversations themselves and their settings. Members, invites and the rounds of consent have
modules of their own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from api.chat import Chats
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import Wire
from api.resources.conversation_views import (
    ConversationPath,
    ConversationsView,
    ConversationView,
    Retention,
    WantedSettings,
    conversation_view,
    wish_of,
)
from api.resources.paging import Paging
from chat.conversations import MOST_MEMBERS, USUAL_MEMBERS, Change, GroupPlan
from chat.mode import Mode, Policy
from chat.modes import SettingsChange
from chat.records import DIRECT_MEMBERS, Kind, Listed
from chat.texts import MAX_DESCRIPTION, MAX_TITLE
from kernel.cursors import Page
from kernel.errors import FieldError, Unprocessable

Title = Annotated[str, Meta(max_length=MAX_TITLE)]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION)]
MaxMembers = Annotated[int, Meta(ge=2, le=MOST_MEMBERS)]
# What a direct conversation has no use for, and what these are when nobody says anything.
GROUPS_ONLY = ("title", "description", "is_public", "allow_invites", "max_members")


class NewConversation(Wire, frozen=True):
    """A direct one names the other person and is found again when there is one. Fields about titles, doors and sizes
    are for groups."""

    type: Kind
    participant_ids: Annotated[list[UUID], Meta(max_length=MOST_MEMBERS)] = field(default_factory=list)
    title: Title | None = None
    description: Description | None = None
    mode: Mode | None = None
    settings: WantedSettings = WantedSettings()
    is_public: bool | None = None
    allow_invites: bool | None = None
    max_members: MaxMembers | None = None


class ConversationChange(Wire, frozen=True):
    """Fields that are left out stay as they are; an empty title or description removes it."""

    title: Title | None = None
    description: Description | None = None
    is_public: bool | None = None
    allow_invites: bool | None = None
    max_members: MaxMembers | None = None


class SettingsPatch(Wire, frozen=True):
    """What is left out stays; ``mode_policy`` can only become stricter once the owner is not alone."""

    mode: Mode | None = None
    is_e2ee_enabled: bool | None = None
    ai_enabled: bool | None = None
    recording_enabled: bool | None = None
    retention: Retention | UnsetType | None = UNSET
    mode_policy: Policy | None = None


class PublicQuery(Paging, frozen=True):
    """``q``: words that all are in the title or the description; none finds all public groups."""

    q: Annotated[str, Meta(max_length=MAX_TITLE)] = ""


class ConversationsResource:
    def __init__(self, chats: Chats) -> None:
        self._conversations = chats.conversations
        self._modes = chats.modes

    async def create(self, call: Call, body: NewConversation) -> ConversationView | web.Response:
        person = call.principal.account
        if body.type is Kind.GROUP:
            return conversation_view(await self._conversations.group(person, _plan(body)))
        found, is_new = await self._conversations.direct(
            person,
            _other(body, person),
            wish=wish_of(body.settings, body.mode),
            retention=body.settings.retention,
        )
        shown = conversation_view(found)
        if is_new:
            return shown
        return web.Response(body=msgspec.json.encode(shown), content_type="application/json")

    async def mine(self, call: Call, query: Paging) -> ConversationsView:
        page = await self._conversations.mine(call.principal.account, cursor=query.cursor, limit=query.limit)
        return _page(page)

    async def public(self, call: Call, query: PublicQuery) -> ConversationsView:
        page = await self._conversations.public(call.principal.account, query.q, cursor=query.cursor, limit=query.limit)
        return _page(page)

    async def get(self, call: Call, path: ConversationPath) -> ConversationView:
        return conversation_view(await self._conversations.get(path.id, call.principal.account))

    async def change(self, call: Call, path: ConversationPath, body: ConversationChange) -> ConversationView:
        change = Change(
            title=body.title,
            description=body.description,
            is_public=body.is_public,
            allow_invites=body.allow_invites,
            max_members=body.max_members,
        )
        return conversation_view(await self._conversations.change(path.id, call.principal.account, change))

    async def delete(self, call: Call, path: ConversationPath) -> None:
        await self._conversations.delete(path.id, call.principal.account)

    async def change_settings(self, call: Call, path: ConversationPath, body: SettingsPatch) -> ConversationView:
        wanted = WantedSettings(
            is_e2ee_enabled=body.is_e2ee_enabled,
            ai_enabled=body.ai_enabled,
            recording_enabled=body.recording_enabled,
        )
        change = SettingsChange(wish=wish_of(wanted, body.mode), policy=body.mode_policy, retention=body.retention)
        return conversation_view(await self._modes.change_settings(path.id, call.principal.account, change))


def resource(chats: Chats) -> Resource:
    of = ConversationsResource(chats)
    return Resource(
        "conversations",
        "Who talks with whom, and in which mode: Secure (the server routes what it cannot read) unless those present "
        "chose Intelligent.",
        [
            Endpoint(
                method="POST",
                path="/v1/conversations",
                handler=of.create,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Begin a conversation; the direct one with somebody is found again with 200",
                status=201,
                also=(200,),
                errors={
                    409: ("conversation_full",),
                    422: (
                        "participant_unavailable",
                        "mode_contradiction",
                        "direct_conversation",
                        "invalid_title",
                        "too_many_conversations",
                    ),
                },
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations",
                handler=of.mine,
                access=Access.SIGNED_IN,
                limit="default",
                summary="One's conversations, the latest active first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations/public",
                handler=of.public,
                access=Access.SIGNED_IN,
                limit="search",
                summary="Groups that anybody may join",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations/{id}",
                handler=of.get,
                access=Access.SIGNED_IN,
                limit="default",
                summary="A conversation one is in",
            ),
            Endpoint(
                method="PATCH",
                path="/v1/conversations/{id}",
                handler=of.change,
                access=Access.SIGNED_IN,
                limit="default",
                summary="What a group is called, who may come in, how many",
                errors={
                    403: ("not_permitted",),
                    409: ("more_members_than_that",),
                    422: ("invalid_title", "direct_conversation"),
                },
            ),
            Endpoint(
                method="DELETE",
                path="/v1/conversations/{id}",
                handler=of.delete,
                access=Access.SIGNED_IN,
                limit="default",
                summary="End it for everybody: a group by its owner, a direct conversation by either of the two",
                status=204,
                errors={403: ("not_permitted",)},
            ),
            Endpoint(
                method="PATCH",
                path="/v1/conversations/{id}/settings",
                handler=of.change_settings,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Mode, what the server may do, how long messages are kept",
                errors={
                    403: ("not_permitted",),
                    422: ("mode_contradiction", "consent_required", "policy_after_joining", "direct_conversation"),
                    429: ("too_many_proposals",),
                },
            ),
        ],
    )


def _plan(body: NewConversation) -> GroupPlan:
    return GroupPlan(
        others=frozenset(body.participant_ids),
        title=body.title,
        description=body.description,
        wish=wish_of(body.settings, body.mode),
        policy=body.settings.mode_policy or Policy.ALL_CONSENT,
        retention=body.settings.retention,
        is_public=bool(body.is_public),
        allow_invites=body.allow_invites is not False,
        max_members=body.max_members or USUAL_MEMBERS,
    )


def _other(body: NewConversation, person: UUID) -> UUID:
    """The one other person whom a direct conversation names; oneself may be named too."""
    meant = [name for name in GROUPS_ONLY if getattr(body, name) is not None]
    meant += ["settings.mode_policy"] if body.settings.mode_policy is Policy.OWNER else []
    if meant:
        fields = [FieldError(name, "is for groups") for name in meant]
        raise Unprocessable("A direct conversation has no such thing.", code="direct_conversation", fields=fields)
    others = frozenset(body.participant_ids) - {person}
    if len(others) != DIRECT_MEMBERS - 1:
        message = "names exactly one other person"
        raise Unprocessable(
            f"A direct conversation {message}.",
            code="direct_conversation",
            fields=[FieldError("participant_ids", message)],
        )
    return next(iter(others))


def _page(page: Page[Listed]) -> ConversationsView:
    return ConversationsView(items=[conversation_view(item) for item in page.items], next_cursor=page.next_cursor)
