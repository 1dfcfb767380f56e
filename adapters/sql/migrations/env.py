"""Run by Alembic inside a transaction that adapters/sql/migrate.py has opened and will commit."""

from __future__ import annotations

from alembic import context

from adapters.sql.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
