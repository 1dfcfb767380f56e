"""The message log of deployments without Cassandra."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("conversation", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("key", Text(), nullable=False),
        sa.Column("version", Integer(), nullable=False),
        sa.Column("body", Bytes(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "id", name="pk_messages"),
        sa.UniqueConstraint("conversation", "key", name="uq_messages_conversation_key"),
    )
