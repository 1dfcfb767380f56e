"""The audit log, API keys, subscriptions to plans, and finding admins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Json, Moment, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", Id(), nullable=False),
        sa.Column("actor", Text(), nullable=False),
        sa.Column("action", Text(), nullable=False),
        sa.Column("subject", Text(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor", "id"])
    op.create_index("ix_audit_log_action_id", "audit_log", ["action", "id"])
    op.create_index("ix_audit_log_subject_id", "audit_log", ["subject", "id"])
    op.create_table(
        "api_keys",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("digest", Bytes(), nullable=False),
        sa.Column("scopes", Text(), nullable=False),
        sa.Column("rate", Integer(), nullable=False),
        sa.Column("made_by", Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("last_used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("account", Id(), nullable=False),
        sa.Column("plan", Text(), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=True),
        sa.Column("limits", Json(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_subscriptions"),
    )
    op.create_index("ix_accounts_roles_id", "accounts", ["roles", "id"])
