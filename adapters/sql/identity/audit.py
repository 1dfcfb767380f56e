"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Column, Index, Table, insert, select

from adapters.sql.metadata import Id, Json, Text, metadata
from adapters.sql.units import sql_of
from identity.audit import AuditEntry, AuditFilter
from kernel.units import Transaction

AUDIT = Table(
    "audit_log",
    metadata,
    Column("id", Id, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Json, nullable=False),
    Index(None, "actor", "id"),
    Index(None, "action", "id"),
    Index(None, "subject", "id"),
)

_c = AUDIT.c


class SqlAudit:
    """identity.audit.AuditStore."""

    async def append(self, unit: Transaction, entry: AuditEntry) -> None:
        values = {column.name: getattr(entry, column.name) for column in _c}
        await sql_of(unit).connection.execute(insert(AUDIT).values(values))

    async def find(
        self, unit: Transaction, wanted: AuditFilter, *, before: UUID | None, most: int
    ) -> Sequence[AuditEntry]:
        lowest, top = wanted.bounds(before)
        query = select(AUDIT).order_by(_c.id.desc()).limit(most)
        for column, value in ((_c.actor, wanted.actor), (_c.action, wanted.action), (_c.subject, wanted.subject)):
            if value is not None:
                query = query.where(column == value)
        if lowest is not None:
            query = query.where(_c.id >= lowest)
        if top is not None:
            query = query.where(_c.id < top)
        return [AuditEntry(**row._asdict()) for row in await sql_of(unit).connection.execute(query)]
