"""Durable jobs and their schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Id(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("dedup_key", Text(), nullable=True),
        sa.Column("state", Text(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("attempts", Integer(), nullable=False),
        sa.Column("max_attempts", Integer(), nullable=False),
        sa.Column("postponed", Integer(), nullable=False),
        sa.Column("claim", Id(), nullable=True),
        sa.Column("error", Text(), nullable=False),
        sa.Column("payload", Bytes(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("dedup_key", "kind", name="uq_jobs_dedup_key_kind"),
    )
    op.create_index("ix_jobs_due_at_id_kind", "jobs", ["due_at", "id", "kind"])
    op.create_index("ix_jobs_state_settled_at_id", "jobs", ["state", "settled_at", "id"])
    op.create_table(
        "job_schedules",
        sa.Column("name", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("payload", Bytes(), nullable=False),
        sa.Column("every", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("last_job", Id(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_job_schedules"),
    )
