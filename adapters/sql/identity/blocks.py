"""Blocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union_all,
)

from adapters.sql.identity.accounts import ACCOUNTS, account_of
from adapters.sql.metadata import Id, Moment, metadata, upsert
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.blocks import Block
from kernel.errors import Unprocessable
from kernel.units import Transaction

BLOCKS = Table(
    "blocks",
    metadata,
    Column("blocker", Id, nullable=False),
    Column("blocked", Id, nullable=False),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("blocker", "blocked"),
    # Who has blocked somebody, and the list of whom one has blocked.
    Index(None, "blocked", "blocker"),
    Index(None, "blocker", "created_at", "blocked"),
)

_c = BLOCKS.c


def unblocked(person: UUID | ColumnElement[UUID], other: ColumnElement[UUID]) -> ColumnElement[bool]:
    """A condition on a statement's column of people: no block either way between them and ``person``."""
    block = BLOCKS.alias("block")
    either = or_(
        and_(block.c.blocker == person, block.c.blocked == other),
        and_(block.c.blocker == other, block.c.blocked == person),
    )
    return ~exists().where(either).correlate_except(block)


class SqlBlocks:
    """identity.blocks.BlockStore."""

    async def between(self, unit: Transaction, person: UUID, others: Collection[UUID]) -> frozenset[UUID]:
        if not others:
            return frozenset()
        either = union_all(
            select(_c.blocked).where(_c.blocker == person, _c.blocked.in_(others)),
            select(_c.blocker).where(_c.blocked == person, _c.blocker.in_(others)),
        )
        return frozenset((await sql_of(unit).connection.execute(either)).scalars())

    async def by(self, unit: Transaction, blocker: UUID, blocked: UUID) -> bool:
        there = select(_c.created_at).where(_c.blocker == blocker, _c.blocked == blocked)
        return (await sql_of(unit).connection.execute(there)).first() is not None

    async def add(self, unit: Transaction, block: Block, *, most: int) -> bool:
        connection = sql_of(unit).connection
        values = {column.name: getattr(block, column.name) for column in _c}
        added = (await connection.execute(upsert(BLOCKS).values(values).on_conflict_do_nothing())).rowcount == 1
        if added:
            count = select(func.count()).select_from(BLOCKS).where(_c.blocker == block.blocker)
            if (await connection.execute(count)).scalar_one() > most:
                raise Unprocessable(f"One can block {most} people at most.", code="too_many_blocked")
        return added

    async def remove(self, unit: Transaction, blocker: UUID, blocked: UUID) -> bool:
        gone = delete(BLOCKS).where(_c.blocker == blocker, _c.blocked == blocked)
        return (await sql_of(unit).connection.execute(gone)).rowcount == 1

    async def page(
        self, unit: Transaction, blocker: UUID, *, before: tuple[float, UUID] | None, limit: int
    ) -> Sequence[tuple[Block, Account]]:
        latest = (
            select(BLOCKS.c.created_at.label("blocked_at"), ACCOUNTS)
            .join(ACCOUNTS, ACCOUNTS.c.id == _c.blocked)
            .where(_c.blocker == blocker, ACCOUNTS.c.state != State.ERASING.value)
            .order_by(_c.created_at.desc(), _c.blocked.desc())
            .limit(limit)
        )
        if before is not None:
            when, whom = before
            latest = latest.where(or_(_c.created_at < when, (_c.created_at == when) & (_c.blocked < whom)))
        rows = await sql_of(unit).connection.execute(latest)
        return [(Block(blocker, row.id, row.blocked_at), account_of(row)) for row in rows]
