"""Conversations, who is in them and who is banned, join links, and who consented to which mode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _conversations()
    _invites()
    _bans()
    _proposals()


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", Id(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("pair", Bytes(), nullable=True),
        sa.Column("title", Text(), nullable=True),
        sa.Column("description", Text(), nullable=True),
        sa.Column("words", Text(), nullable=False),
        sa.Column("mode", Text(), nullable=False),
        sa.Column("mode_version", Integer(), nullable=False),
        sa.Column("mode_policy", Text(), nullable=False),
        sa.Column("ai_enabled", sa.Boolean(), nullable=False),
        sa.Column("recording_enabled", sa.Boolean(), nullable=False),
        sa.Column("retention", Integer(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("allow_invites", sa.Boolean(), nullable=False),
        sa.Column("max_members", Integer(), nullable=False),
        sa.Column("member_count", Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("active_at", Moment(), nullable=False),
        sa.Column("said", Integer(), nullable=False),
        sa.Column("avatar", Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("pair", name="uq_conversations_pair"),
    )
    op.create_index("ix_conversations_is_public", "conversations", ["is_public"])
    op.create_table(
        "conversation_members",
        sa.Column("conversation", Id(), nullable=False),
        sa.Column("person", Id(), nullable=False),
        sa.Column("role", Text(), nullable=False),
        sa.Column("joined_at", Moment(), nullable=False),
        sa.Column("last_read", Id(), nullable=True),
        sa.Column("seen", Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "person", name="pk_conversation_members"),
    )
    op.create_index("ix_conversation_members_person_conversation", "conversation_members", ["person", "conversation"])
    op.create_index(
        "ix_conversation_members_conversation_joined_at_person",
        "conversation_members",
        ["conversation", "joined_at", "person"],
    )

    is_owner = sa.column("role", Text()) == sa.literal_column("'owner'")
    op.create_index(
        "ix_conversation_members_owner",
        "conversation_members",
        ["conversation"],
        unique=True,
        sqlite_where=is_owner,
        postgresql_where=is_owner,
    )


def _invites() -> None:
    op.create_table(
        "conversation_invites",
        sa.Column("id", Id(), nullable=False),
        sa.Column("conversation", Id(), nullable=False),
        sa.Column("digest", Bytes(), nullable=False),
        sa.Column("created_by", Id(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("max_uses", Integer(), nullable=True),
        sa.Column("uses", Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversation_invites"),
        sa.UniqueConstraint("digest", name="uq_conversation_invites_digest"),
    )
    op.create_index("ix_conversation_invites_conversation_id", "conversation_invites", ["conversation", "id"])
    op.create_index("ix_conversation_invites_created_by", "conversation_invites", ["created_by"])


def _bans() -> None:
    op.create_table(
        "conversation_bans",
        sa.Column("conversation", Id(), nullable=False),
        sa.Column("person", Id(), nullable=False),
        sa.Column("banned_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "person", name="pk_conversation_bans"),
    )
    op.create_index(
        "ix_conversation_bans_conversation_banned_at_person",
        "conversation_bans",
        ["conversation", "banned_at", "person"],
    )
    op.create_index("ix_conversation_bans_person", "conversation_bans", ["person"])


def _proposals() -> None:
    op.create_table(
        "mode_proposals",
        sa.Column("id", Id(), nullable=False),
        sa.Column("conversation", Id(), nullable=False),
        sa.Column("mode", Text(), nullable=False),
        sa.Column("proposed_by", Id(), nullable=True),
        sa.Column("proposed_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("open_in", Id(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mode_proposals"),
        sa.UniqueConstraint("open_in", name="uq_mode_proposals_open_in"),
    )
    op.create_index("ix_mode_proposals_conversation_id", "mode_proposals", ["conversation", "id"])
    op.create_index("ix_mode_proposals_proposed_by", "mode_proposals", ["proposed_by"])
    op.create_index("ix_mode_proposals_state_expires_at", "mode_proposals", ["state", "expires_at"])
    op.create_table(
        "mode_answers",
        sa.Column("proposal", Id(), nullable=False),
        sa.Column("person", Id(), nullable=False),
        sa.Column("consents", sa.Boolean(), nullable=False),
        sa.Column("answered_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("proposal", "person", name="pk_mode_answers"),
    )
    op.create_index("ix_mode_answers_person", "mode_answers", ["person"])
