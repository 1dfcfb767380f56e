"""Friendships: one row of two people, the lower id first, so that two who ask each other at once meet in it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Subquery,
    Table,
    delete,
    select,
    union_all,
)

from adapters.sql.metadata import Id, Moment, metadata, upsert
from adapters.sql.units import sql_of
from identity.friends import Friendship
from kernel.units import Transaction

FRIENDSHIPS = Table(
    "friendships",
    metadata,
    Column("low", Id, nullable=False),
    Column("high", Id, nullable=False),
    Column("asker", Id, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("since", Moment, nullable=False),
    PrimaryKeyConstraint("low", "high"),
    Index(None, "low", "accepted", "since"),
    Index(None, "high", "accepted", "since"),
)

_c = FRIENDSHIPS.c


def ties_of(person: UUID, name: str) -> Subquery:
    """Somebody's friendships and requests, seen from their side: the ``other``, ``asker``, ``accepted``, ``since``.
    Both halves name the person themselves: not every backend would carry a condition into them."""
    rest = (_c.asker, _c.accepted, _c.since)
    return union_all(
        select(_c.high.label("other"), *rest).where(_c.low == person),
        select(_c.low.label("other"), *rest).where(_c.high == person),
    ).subquery(name)


class SqlFriends:
    """identity.friends.FriendStore."""

    async def get(self, unit: Transaction, person: UUID, other: UUID) -> Friendship | None:
        row = (await sql_of(unit).connection.execute(select(FRIENDSHIPS).where(_of(person, other)))).first()
        if row is None:
            return None
        return Friendship(row.asker, row.high if row.asker == row.low else row.low, row.accepted, row.since)

    async def put(self, unit: Transaction, friendship: Friendship) -> None:
        low, high = _pair(friendship.asker, friendship.asked)
        news = {"asker": friendship.asker, "accepted": friendship.accepted, "since": friendship.since}
        statement = (
            upsert(FRIENDSHIPS)
            .values(low=low, high=high, **news)
            .on_conflict_do_update(index_elements=[_c.low, _c.high], set_=news)
        )
        await sql_of(unit).connection.execute(statement)

    async def remove(self, unit: Transaction, person: UUID, other: UUID) -> None:
        await sql_of(unit).connection.execute(delete(FRIENDSHIPS).where(_of(person, other)))

    async def friends_of(self, unit: Transaction, person: UUID) -> frozenset[UUID]:
        both = union_all(
            select(_c.high).where(_c.low == person, _c.accepted),
            select(_c.low).where(_c.high == person, _c.accepted),
        )
        return frozenset((await sql_of(unit).connection.execute(both)).scalars())


def _pair(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    return (one, other) if one < other else (other, one)


def _of(one: UUID, other: UUID) -> ColumnElement[bool]:
    low, high = _pair(one, other)
    return (_c.low == low) & (_c.high == high)
