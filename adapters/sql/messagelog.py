"""The message log in the relational store, for deployments on PostgreSQL or CockroachDB without Cassandra."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Column, PrimaryKeyConstraint, Row, Select, Table, UniqueConstraint, delete, select, update

from adapters.sql.errors import Contention
from adapters.sql.lane import SqlTransaction
from adapters.sql.metadata import Bytes, Id, Integer, Text, metadata, upsert
from adapters.sql.units import SqlUnits
from kernel.clock import Clock
from kernel.errors import Conflict, NotFound
from kernel.messagelog import LogEntry, check_append, check_body, check_limit

# Erasing locks this many rows at a time; appends get their turn in between.
ERASED_AT_A_TIME = 500

MESSAGES = Table(
    "messages",
    metadata,
    Column("conversation", Id, nullable=False),
    Column("id", Id, nullable=False),
    Column("key", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # Last, because what stands behind a large value is slow to reach in SQLite.
    Column("body", Bytes, nullable=False),
    PrimaryKeyConstraint("conversation", "id"),
    UniqueConstraint("conversation", "key"),
)

_c = MESSAGES.c
_ENTRIES = select(_c.conversation, _c.id, _c.key, _c.body, _c.version)


class SqlMessageLog:
    """Every statement is right by itself, so none asks for a serializable transaction."""

    def __init__(self, units: SqlUnits, clock: Clock) -> None:
        self._units = units
        self._clock = clock

    async def append(self, entry: LogEntry) -> LogEntry:
        check_append(entry, self._clock.now())

        async def insert(transaction: SqlTransaction) -> LogEntry:
            return await _insert(transaction, entry)

        return await self._units.write(insert, serializable=False)

    async def get(self, conversation: UUID, entry: UUID) -> LogEntry | None:
        found = await self._read(_ENTRIES.where(_c.conversation == conversation, _c.id == entry))
        return found[0] if found else None

    async def before(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        check_limit(limit)
        part = _ENTRIES.where(_c.conversation == conversation)
        if bound is not None:
            part = part.where(_c.id < bound)
        return await self._read(part.order_by(_c.id.desc()).limit(limit))

    async def after(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        check_limit(limit)
        part = _ENTRIES.where(_c.conversation == conversation)
        if bound is not None:
            part = part.where(_c.id > bound)
        return await self._read(part.order_by(_c.id).limit(limit))

    async def amend(self, conversation: UUID, entry: UUID, *, expected_version: int, body: bytes) -> LogEntry:
        check_body(body)
        place = (_c.conversation == conversation, _c.id == entry)

        async def change(transaction: SqlTransaction) -> LogEntry:
            changed = await transaction.connection.execute(
                update(MESSAGES)
                .where(*place, _c.version == expected_version)
                .values(body=body, version=_c.version + 1)
                .returning(_c.key)
            )
            key = changed.scalar_one_or_none()
            if key is not None:
                return LogEntry(conversation, entry, key, body, expected_version + 1)
            if (await transaction.connection.execute(select(_c.id).where(*place))).first() is None:
                raise NotFound("There is no such message.")
            raise Conflict("The message was changed by someone else.", code="version_conflict")

        return await self._units.write(change, serializable=False)

    async def forget(self, conversation: UUID, *, older_than: UUID) -> int:
        oldest = (
            select(_c.id)
            .where(_c.conversation == conversation, _c.id < older_than)
            .order_by(_c.id)
            .limit(ERASED_AT_A_TIME)
        )
        statement = delete(MESSAGES).where(_c.conversation == conversation, _c.id.in_(oldest.scalar_subquery()))

        async def erase(transaction: SqlTransaction) -> int:
            return (await transaction.connection.execute(statement)).rowcount

        forgotten = 0
        erased = ERASED_AT_A_TIME
        while erased == ERASED_AT_A_TIME:
            erased = await self._units.write(erase, serializable=False)
            forgotten += erased
        return forgotten

    async def _read(self, statement: Select[UUID, UUID, str, bytes, int]) -> list[LogEntry]:
        async def read(transaction: SqlTransaction) -> list[LogEntry]:
            return [_entry(row) for row in await transaction.connection.execute(statement)]

        return await self._units.read(read)


async def _insert(transaction: SqlTransaction, entry: LogEntry) -> LogEntry:
    values = {
        "conversation": entry.conversation,
        "id": entry.id,
        "key": entry.key,
        "version": entry.version,
        "body": entry.body,
    }
    added = await transaction.connection.execute(upsert(MESSAGES).values(values).on_conflict_do_nothing())
    if added.rowcount == 1:
        return entry
    same_key = _ENTRIES.where(_c.conversation == entry.conversation, _c.key == entry.key)
    stored = (await transaction.connection.execute(same_key)).first()
    if stored is not None:
        return _entry(stored)
    same_id = select(_c.id).where(_c.conversation == entry.conversation, _c.id == entry.id)
    if (await transaction.connection.execute(same_id)).first() is None:
        raise Contention("the entry in the way was erased meanwhile")
    raise Conflict("This id already belongs to another entry.", code="id_taken")


def _entry(row: Row[UUID, UUID, str, bytes, int]) -> LogEntry:
    return LogEntry(row.conversation, row.id, row.key, row.body, row.version)
