"""The key directory: devices, their one-time keys, signed keys that were replaced, and what became of identities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_devices",
        sa.Column("account", Id(), nullable=False),
        sa.Column("device_id", Text(), nullable=False),
        sa.Column("identity_key", Bytes(), nullable=False),
        sa.Column("signed_key_id", Integer(), nullable=False),
        sa.Column("signed_key", Bytes(), nullable=False),
        sa.Column("signature", Bytes(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rotated_at", Moment(), nullable=False),
        sa.Column("handed", Integer(), nullable=False),
        sa.Column("given", Integer(), nullable=True),
        sa.PrimaryKeyConstraint("account", "device_id", name="pk_key_devices"),
    )
    op.create_table(
        "one_time_keys",
        sa.Column("account", Id(), nullable=False),
        sa.Column("device_id", Text(), nullable=False),
        sa.Column("key_id", Integer(), nullable=False),
        sa.Column("public_key", Bytes(), nullable=False),
        sa.Column("position", Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "device_id", "key_id", name="pk_one_time_keys"),
        sa.UniqueConstraint("account", "device_id", "public_key", name="uq_one_time_keys_account_device_id_public_key"),
        sa.UniqueConstraint("account", "device_id", "position", name="uq_one_time_keys_account_device_id_position"),
    )
    op.create_table(
        "retired_signed_keys",
        sa.Column("account", Id(), nullable=False),
        sa.Column("device_id", Text(), nullable=False),
        sa.Column("key_id", Integer(), nullable=False),
        sa.Column("public_key", Bytes(), nullable=False),
        sa.Column("retired_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account", "device_id", "key_id", name="pk_retired_signed_keys"),
    )
    op.create_table(
        "key_changes",
        sa.Column("account", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("device_id", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("fingerprint", Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name="pk_key_changes"),
    )
    op.create_index("ix_key_changes_account_device_id_id", "key_changes", ["account", "device_id", "id"])
