"""Rooms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Id, Integer, Moment, Text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", Id(), nullable=False),
        sa.Column("owner", Id(), nullable=True),
        sa.Column("name", Text(), nullable=False),
        sa.Column("mode", Text(), nullable=False),
        sa.Column("max_participants", Integer(), nullable=False),
        sa.Column("empty_timeout", Integer(), nullable=False),
        sa.Column("waiting_room", sa.Boolean(), nullable=False),
        sa.Column("metadata", Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
    )
    op.create_index("ix_rooms_owner_id", "rooms", ["owner", "id"])
