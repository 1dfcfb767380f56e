"""Friendships, blocks, what people are found by, when they were seen, and what they let others see of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Id, Json, Moment, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("status_text", Text(), nullable=True))
    op.add_column("accounts", sa.Column("visibility", Json(), nullable=True))
    op.create_table(
        "friendships",
        sa.Column("low", Id(), nullable=False),
        sa.Column("high", Id(), nullable=False),
        sa.Column("asker", Id(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("low", "high", name="pk_friendships"),
    )
    op.create_index("ix_friendships_low_accepted_since", "friendships", ["low", "accepted", "since"])
    op.create_index("ix_friendships_high_accepted_since", "friendships", ["high", "accepted", "since"])
    op.create_table(
        "blocks",
        sa.Column("blocker", Id(), nullable=False),
        sa.Column("blocked", Id(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("blocker", "blocked", name="pk_blocks"),
    )
    op.create_index("ix_blocks_blocked_blocker", "blocks", ["blocked", "blocker"])
    op.create_index("ix_blocks_blocker_created_at_blocked", "blocks", ["blocker", "created_at", "blocked"])
    op.create_table(
        "search_words",
        sa.Column("word", Text(), nullable=False),
        sa.Column("account", Id(), nullable=False),
        sa.PrimaryKeyConstraint("word", "account", name="pk_search_words"),
    )
    op.create_index("ix_search_words_account_word", "search_words", ["account", "word"])
    op.create_table(
        "last_seen",
        sa.Column("account", Id(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_last_seen"),
    )
