"""Archives of what is known about somebody, and reports of erasures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Row, Table, UniqueConstraint, delete, insert, or_, select, update

from adapters.sql.metadata import Id, Json, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from identity.erasure import Erasure
from identity.exports import Export, State
from kernel.units import Transaction

EXPORTS = Table(
    "exports",
    metadata,
    Column("person", Id, primary_key=True),
    Column("id", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("expires_at", Moment),
    UniqueConstraint("id"),
)
ERASURES = Table(
    "erasures",
    metadata,
    Column("id", Id, primary_key=True),
    # These two only while it goes on; nobody is erased twice at once.
    Column("person", Id),
    Column("address", Text),
    Column("pseudonym", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("counts", Json, nullable=False),
    UniqueConstraint("person"),
    Index(None, "pseudonym"),
)

_x, _e = EXPORTS.c, ERASURES.c


class SqlExports:
    """identity.exports.ExportStore."""

    async def begin(self, unit: Transaction, export: Export, *, before: float) -> bool:
        values = {column.name: getattr(export, column.name) for column in _x} | {"state": export.state.value}
        begun = (
            upsert(EXPORTS)
            .values(values)
            .on_conflict_do_update(
                index_elements=[_x.person],
                set_=values,
                where=or_(_x.requested_at <= before, _x.state == State.FAILED.value),
            )
        )
        return (await sql_of(unit).connection.execute(begun)).rowcount == 1

    async def of(self, unit: Transaction, person: UUID) -> Export | None:
        row = (await sql_of(unit).connection.execute(select(EXPORTS).where(_x.person == person))).first()
        return None if row is None else _export(row)

    async def get(self, unit: Transaction, export: UUID) -> Export | None:
        row = (await sql_of(unit).connection.execute(select(EXPORTS).where(_x.id == export))).first()
        return None if row is None else _export(row)

    async def end(self, unit: Transaction, export: UUID, state: State, *, expires_at: float | None) -> bool:
        ended = (
            update(EXPORTS)
            .where(_x.id == export, _x.state == State.RUNNING.value)
            .values(state=state.value, expires_at=expires_at)
        )
        return (await sql_of(unit).connection.execute(ended)).rowcount == 1

    async def remove(self, unit: Transaction, export: UUID) -> None:
        await sql_of(unit).connection.execute(delete(EXPORTS).where(_x.id == export))


class SqlErasures:
    """identity.erasure.ErasureStore."""

    async def add(self, unit: Transaction, erasure: Erasure) -> None:
        await sql_of(unit).connection.execute(insert(ERASURES).values(_values(erasure)))

    async def get(self, unit: Transaction, erasure: UUID) -> Erasure | None:
        row = (await sql_of(unit).connection.execute(select(ERASURES).where(_e.id == erasure))).first()
        return None if row is None else Erasure(**row._asdict())

    async def put(self, unit: Transaction, erasure: Erasure) -> None:
        await sql_of(unit).connection.execute(update(ERASURES).where(_e.id == erasure.id).values(_values(erasure)))

    async def page(
        self, unit: Transaction, pseudonym: str | None, *, before: UUID | None, most: int
    ) -> Sequence[Erasure]:
        query = select(ERASURES).order_by(_e.id.desc()).limit(most)
        if pseudonym is not None:
            query = query.where(_e.pseudonym == pseudonym)
        if before is not None:
            query = query.where(_e.id < before)
        return [Erasure(**row._asdict()) for row in await sql_of(unit).connection.execute(query)]

    async def unfinished(self, unit: Transaction, *, before: float) -> list[UUID]:
        going_on = select(_e.id).where(_e.finished_at.is_(None), _e.requested_at <= before).order_by(_e.id).limit(1000)
        return list((await sql_of(unit).connection.execute(going_on)).scalars())


def _export(row: Row[Any]) -> Export:
    return Export(**(row._asdict() | {"state": State(row.state)}))


def _values(erasure: Erasure) -> dict[str, object]:
    return {column.name: getattr(erasure, column.name) for column in _e}
