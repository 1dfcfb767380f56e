"""The tables of conversations and of who is in them, and their rows as records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Row, Table, UniqueConstraint, literal_column

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text, metadata
from chat.membership import Member, Role
from chat.mode import Features, Mode, ModeState, Policy
from chat.records import Conversation, Face, Kind

CONVERSATIONS = Table(
    "conversations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("pair", Bytes),
    Column("title", Text),
    Column("description", Text),
    # Title and description as they are searched.
    Column("words", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("mode_version", Integer, nullable=False),
    Column("mode_policy", Text, nullable=False),
    Column("ai_enabled", Boolean, nullable=False),
    Column("recording_enabled", Boolean, nullable=False),
    Column("retention", Integer),
    Column("is_public", Boolean, nullable=False),
    Column("allow_invites", Boolean, nullable=False),
    Column("max_members", Integer, nullable=False),
    Column("member_count", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    # When something was said last; when it was made, as long as nothing was.
    Column("active_at", Moment, nullable=False),
    # How many messages there were.
    Column("said", Integer, nullable=False),
    Column("avatar", Text),
    UniqueConstraint("pair"),
    Index(None, "is_public"),
)
MEMBERS = Table(
    "conversation_members",
    metadata,
    Column("conversation", Id, nullable=False),
    Column("person", Id, nullable=False),
    Column("role", Text, nullable=False),
    Column("joined_at", Moment, nullable=False),
    Column("last_read", Id),
    # How many messages there had been when they read last.
    Column("seen", Integer, nullable=False),
    PrimaryKeyConstraint("conversation", "person"),
    Index(None, "person", "conversation"),
    Index(None, "conversation", "joined_at", "person"),
)

MODE = [CONVERSATIONS.c[name] for name in ("mode", "ai_enabled", "recording_enabled", "mode_version")]

_KINDS = {"kind": Kind, "mode": Mode, "mode_policy": Policy}
# Said in the statement, so that it is known to be what the index below is about.
IS_OWNER = MEMBERS.c.role == literal_column(f"'{Role.OWNER.value}'")
Index(
    "ix_conversation_members_owner",
    MEMBERS.c.conversation,
    unique=True,
    sqlite_where=IS_OWNER,
    postgresql_where=IS_OWNER,
)

_FIELDS = [column.name for column in CONVERSATIONS.c if column.name != "words"]


def conversation_of(row: Row[Any]) -> Conversation:
    fields = {name: getattr(row, name) for name in _FIELDS}
    return Conversation(**fields | {name: kind(fields[name]) for name, kind in _KINDS.items()})


def conversation_values(conversation: Conversation) -> dict[str, object]:
    fields = {name: getattr(conversation, name) for name in _FIELDS}
    return fields | {name: fields[name].value for name in _KINDS}


def mode_state_of(row: Row[Any]) -> ModeState:
    features = Features(Mode(row.mode), ai_enabled=row.ai_enabled, recording_enabled=row.recording_enabled)
    return ModeState(features, row.mode_version)


def member_of(row: Row[Any], conversation: UUID) -> Member:
    """Of columns with the names that they have in the table."""
    return Member(conversation, row.person, Role(row.role), row.joined_at, row.last_read, row.seen)


def face_of(row: Row[Any]) -> Face:
    return Face(row.person, row.username, row.display_name, row.avatar)
