"""The audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Id, Json, Text

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
