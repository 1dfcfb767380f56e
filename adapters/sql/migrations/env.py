"""Run by Alembic, inside a transaction that adapters/sql/migrate.py has opened and will commit.

With a dialect's name instead of a connection it writes the statements down rather than executing them.
"""

from __future__ import annotations

from alembic import context

from adapters.sql.metadata import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes.get("connection"),
    dialect_name=attributes.get("dialect"),
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
