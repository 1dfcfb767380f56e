"""Second factors and recovery codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("account", Id(), nullable=False),
        sa.Column("secret", Bytes(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("last_step", Integer(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("account", name="pk_second_factors"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("account", Id(), nullable=False),
        sa.Column("digest", Bytes(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest", name="pk_recovery_codes"),
    )
