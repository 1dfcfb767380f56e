"""The lease of upgrades, and durable streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Integer, Moment, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("name", Text(), nullable=False),
        sa.Column("last", Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_streams"),
    )
    op.create_table(
        "stream_records",
        sa.Column("stream", Text(), nullable=False),
        sa.Column("position", Integer(), nullable=False),
        sa.Column("key", Text(), nullable=True),
        sa.Column("payload", Bytes(), nullable=False),
        sa.Column("appended_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "position", name="pk_stream_records"),
        sa.UniqueConstraint("stream", "key", name="uq_stream_records_stream_key"),
    )
