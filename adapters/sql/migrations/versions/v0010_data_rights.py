"""Archives of what is known about somebody, and reports of what was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Id, Json, Moment, Text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("person", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("person", name="pk_exports"),
        sa.UniqueConstraint("id", name="uq_exports_id"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", Id(), nullable=False),
        sa.Column("person", Id(), nullable=True),
        sa.Column("address", Text(), nullable=True),
        sa.Column("pseudonym", Text(), nullable=False),
        sa.Column("asked_by", Text(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("counts", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
        sa.UniqueConstraint("person", name="uq_erasures_person"),
    )
    op.create_index("ix_erasures_pseudonym", "erasures", ["pseudonym"])
