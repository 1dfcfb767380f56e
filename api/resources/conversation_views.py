"""Conversations and who is in them, as they go over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from api.http.wire import View, Wire
from api.resources.users import avatar_url
from chat.membership import Member, Role
from chat.mode import Mode, Policy, Wish
from chat.records import Face, Kind, Listed

MAX_RETENTION = 3650

Retention = Annotated[int, Meta(ge=1, le=MAX_RETENTION, description="Days; null keeps messages for ever.")]


class WantedSettings(Wire, frozen=True):
    """``is_e2ee_enabled`` mirrors the mode; ``ai_enabled`` and ``recording_enabled`` exist under Intelligent only."""

    is_e2ee_enabled: bool | None = None
    ai_enabled: bool | None = None
    recording_enabled: bool | None = None
    retention: Retention | None = None
    mode_policy: Policy | None = None


class SettingsView(View, frozen=True):
    is_e2ee_enabled: bool
    ai_enabled: bool
    recording_enabled: bool
    retention: int | None
    mode_policy: Policy


class ParticipantView(View, frozen=True):
    user_id: UUID
    username: str
    display_name: str
    avatar_url: str | None
    role: Role
    joined_at: datetime


class ConversationView(View, frozen=True):
    """``role`` is one's own, null where one is not a member; ``participants`` is the other person of a direct
    conversation, and empty for groups."""

    id: UUID
    type: Kind
    title: str | None
    description: str | None
    avatar_url: str | None
    mode: Mode
    mode_version: int
    is_public: bool
    allow_invites: bool
    max_members: int
    member_count: int
    settings: SettingsView
    created_at: datetime
    last_message_at: datetime | None
    unread: int
    role: Role | None
    participants: list[ParticipantView]


class ConversationsView(View, frozen=True):
    items: list[ConversationView]
    next_cursor: str | None


class ParticipantsView(View, frozen=True):
    items: list[ParticipantView]
    next_cursor: str | None


class ConversationPath(Wire, frozen=True):
    id: UUID


class ParticipantPath(Wire, frozen=True):
    id: UUID
    user_id: UUID


def wish_of(settings: WantedSettings, mode: Mode | None) -> Wish:
    return Wish(
        mode=mode,
        is_e2ee_enabled=settings.is_e2ee_enabled,
        ai_enabled=settings.ai_enabled,
        recording_enabled=settings.recording_enabled,
    )


def conversation_view(listed: Listed) -> ConversationView:
    found = listed.conversation
    return ConversationView(
        id=found.id,
        type=found.kind,
        title=found.title,
        description=found.description,
        avatar_url=None if found.avatar is None else f"/v1/conversations/{found.id}/avatar?v={found.avatar[-12:]}",
        mode=found.mode,
        mode_version=found.mode_version,
        is_public=found.is_public,
        allow_invites=found.allow_invites,
        max_members=found.max_members,
        member_count=found.member_count,
        settings=SettingsView(
            is_e2ee_enabled=found.features.is_e2ee_enabled,
            ai_enabled=found.ai_enabled,
            recording_enabled=found.recording_enabled,
            retention=found.retention,
            mode_policy=found.mode_policy,
        ),
        created_at=time_of(found.created_at),
        last_message_at=None if found.last_message_at is None else time_of(found.last_message_at),
        unread=listed.unread,
        role=None if listed.member is None else _shown(listed.member.role),
        participants=[] if listed.other is None else [participant_view(*listed.other)],
    )


def participant_view(member: Member, face: Face) -> ParticipantView:
    return ParticipantView(
        user_id=face.id,
        username=face.username,
        display_name=face.display_name,
        avatar_url=avatar_url(face.id, face.avatar),
        role=_shown(member.role),
        joined_at=time_of(member.joined_at),
    )


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _shown(role: Role) -> Role:
    """The two of a direct conversation are members of it; that they have more say than those of a group shows in what
    they may do."""
    return Role.MEMBER if role is Role.PEER else role
