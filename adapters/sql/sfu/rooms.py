"""Rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, ColumnElement, Index, Row, Table, delete, func, insert, select

from adapters.sql.metadata import Id, Integer, Moment, Text, metadata
from adapters.sql.units import sql_of
from kernel.units import Transaction
from sfu.rooms import Mode, Plan, Room

ROOMS = Table(
    "rooms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", Id),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("max_participants", Integer, nullable=False),
    Column("empty_timeout", Integer, nullable=False),
    Column("waiting_room", Boolean, nullable=False),
    Column("metadata", Text),
    Column("created_at", Moment, nullable=False),
    Index(None, "owner", "id"),
)

_c = ROOMS.c


class SqlRooms:
    """sfu.rooms.RoomStore."""

    async def add(self, unit: Transaction, room: Room) -> None:
        plan = room.plan
        values = {
            "id": room.id,
            "owner": room.owner,
            "name": plan.name,
            "mode": plan.mode.value,
            "max_participants": plan.max_participants,
            "empty_timeout": plan.empty_timeout,
            "waiting_room": plan.waiting_room,
            "metadata": plan.metadata,
            "created_at": room.created_at,
        }
        await sql_of(unit).connection.execute(insert(ROOMS).values(values))

    async def count(self, unit: Transaction, owner: UUID | None) -> int:
        counted = select(func.count()).select_from(ROOMS).where(_of(owner))
        return int((await sql_of(unit).connection.execute(counted)).scalar_one())

    async def get(self, unit: Transaction, room: UUID) -> Room | None:
        row = (await sql_of(unit).connection.execute(select(ROOMS).where(_c.id == room))).first()
        return None if row is None else _room(row)

    async def page(self, unit: Transaction, owner: UUID | None, *, before: UUID | None, most: int) -> Sequence[Room]:
        latest = select(ROOMS).where(_of(owner)).order_by(_c.id.desc()).limit(most)
        if before is not None:
            latest = latest.where(_c.id < before)
        return [_room(row) for row in await sql_of(unit).connection.execute(latest)]

    async def remove(self, unit: Transaction, room: UUID) -> None:
        await sql_of(unit).connection.execute(delete(ROOMS).where(_c.id == room))


def _of(owner: UUID | None) -> ColumnElement[bool]:
    return _c.owner.is_(None) if owner is None else _c.owner == owner


def _room(row: Row[Any]) -> Room:
    plan = Plan(
        name=row.name,
        mode=Mode(row.mode),
        max_participants=row.max_participants,
        empty_timeout=row.empty_timeout,
        waiting_room=row.waiting_room,
        metadata=row.metadata,
    )
    return Room(row.id, row.owner, plan, row.created_at)
