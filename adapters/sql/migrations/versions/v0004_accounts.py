"""Accounts, their sessions, and links that work once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Moment, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Id(), nullable=False),
        sa.Column("email", Text(), nullable=False),
        sa.Column("username", Text(), nullable=False),
        sa.Column("skeleton", Text(), nullable=False),
        sa.Column("display_name", Text(), nullable=False),
        sa.Column("password_hash", Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("password_changed_at", Moment(), nullable=False),
        sa.Column("email_verified_at", Moment(), nullable=True),
        sa.Column("roles", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("searchable", sa.Boolean(), nullable=False),
        sa.Column("avatar", Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("email", name="uq_accounts_email"),
        sa.UniqueConstraint("skeleton", name="uq_accounts_skeleton"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("account", Id(), nullable=False),
        sa.Column("refresh_digest", Bytes(), nullable=False),
        sa.Column("client", Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account_used_at", "sessions", ["account", "used_at"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "one_time_links",
        sa.Column("digest", Bytes(), nullable=False),
        sa.Column("purpose", Text(), nullable=False),
        sa.Column("account", Id(), nullable=False),
        sa.Column("about", Text(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_one_time_links"),
    )
    op.create_index("ix_one_time_links_account_purpose", "one_time_links", ["account", "purpose"])
    op.create_index("ix_one_time_links_expires_at", "one_time_links", ["expires_at"])
