"""API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Table, delete, insert, or_, select, update

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text, metadata
from adapters.sql.units import sql_of
from identity.apikeys import ApiKey
from kernel.units import Transaction

API_KEYS = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Bytes, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("rate", Integer, nullable=False),
    # Text, as in the audit log: not everybody who makes one is a person.
    Column("made_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
)

_c = API_KEYS.c


class SqlApiKeys:
    """identity.apikeys.ApiKeyStore."""

    async def add(self, unit: Transaction, key: ApiKey) -> None:
        values = {column.name: getattr(key, column.name) for column in _c} | {"scopes": " ".join(sorted(key.scopes))}
        await sql_of(unit).connection.execute(insert(API_KEYS).values(values))

    async def get(self, unit: Transaction, key: UUID) -> ApiKey | None:
        row = (await sql_of(unit).connection.execute(select(API_KEYS).where(_c.id == key))).first()
        return None if row is None else _key(row)

    async def find(self, unit: Transaction, *, before: UUID | None, most: int) -> Sequence[ApiKey]:
        query = select(API_KEYS).order_by(_c.id.desc()).limit(most)
        if before is not None:
            query = query.where(_c.id < before)
        return [_key(row) for row in await sql_of(unit).connection.execute(query)]

    async def remove(self, unit: Transaction, key: UUID) -> bool:
        return (await sql_of(unit).connection.execute(delete(API_KEYS).where(_c.id == key))).rowcount == 1

    async def note_use(self, unit: Transaction, key: UUID, *, at: float, unless_after: float) -> None:
        stale = or_(_c.last_used_at.is_(None), _c.last_used_at <= unless_after)
        used = update(API_KEYS).where(_c.id == key, stale).values(last_used_at=at)
        await sql_of(unit).connection.execute(used)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(**row._asdict() | {"scopes": frozenset(row.scopes.split())})
