"""What is kept of a conversation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from chat.membership import Member
from chat.mode import Features, Mode, Policy

DIRECT_MEMBERS = 2


class Kind(Enum):
    DIRECT = "direct"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Conversation:
    """``pair`` is there once for each two people who talk directly. ``retention`` is in days, None keeps for ever.
    ``mode_version`` grows with every change of the mode. ``member_count`` is written with the members alone, ``said``
    (how many messages there were) and ``active_at`` with the messages. ``avatar`` is the key of an object."""

    id: UUID
    kind: Kind
    pair: bytes | None
    title: str | None
    description: str | None
    mode: Mode
    mode_version: int
    mode_policy: Policy
    ai_enabled: bool
    recording_enabled: bool
    retention: int | None
    is_public: bool
    allow_invites: bool
    max_members: int
    member_count: int
    created_at: float
    active_at: float
    said: int = 0
    avatar: str | None = None

    @property
    def is_direct(self) -> bool:
        return self.kind is Kind.DIRECT

    @property
    def features(self) -> Features:
        return Features(self.mode, self.ai_enabled, self.recording_enabled)

    def under(self, features: Features) -> Conversation:
        return replace(
            self, mode=features.mode, ai_enabled=features.ai_enabled, recording_enabled=features.recording_enabled
        )

    @property
    def last_message_at(self) -> float | None:
        return self.active_at if self.said else None


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody in a conversation."""

    conversation: Conversation
    member: Member


@dataclass(frozen=True, slots=True)
class Face:
    """What others see of somebody; ``avatar`` is the key of an object."""

    id: UUID
    username: str
    display_name: str
    avatar: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation as one person sees it: ``member`` is that person, None when they are not in it; ``other`` is who
    they talk to in a direct one."""

    conversation: Conversation
    member: Member | None
    other: tuple[Member, Face] | None = None

    @property
    def unread(self) -> int:
        return 0 if self.member is None else max(0, self.conversation.said - self.member.seen)


@dataclass(frozen=True, slots=True)
class Invite:
    """A join link. Its secret is shown once; what is kept is the digest."""

    id: UUID
    conversation: UUID
    digest: bytes
    created_by: UUID
    created_at: float
    expires_at: float
    max_uses: int | None
    uses: int = 0

    def is_good(self, now: float) -> bool:
        return now < self.expires_at and (self.max_uses is None or self.uses < self.max_uses)


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody does not come in any more, by themselves or brought by others, until it is lifted."""

    conversation: UUID
    person: UUID
    banned_at: float


def pair_of(one: UUID, other: UUID) -> bytes:
    """The same from both sides."""
    return b"".join(sorted((one.bytes, other.bytes)))
