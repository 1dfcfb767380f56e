"""Lists of friends and requests, and whom to suggest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Subquery, and_, exists, func, or_, select, union_all

from adapters.sql.identity.accounts import ACCOUNTS, account_of
from adapters.sql.identity.blocks import unblocked
from adapters.sql.identity.friends import FRIENDSHIPS, ties_of
from adapters.sql.units import sql_of
from identity.accounts import State
from identity.befriending import Acquaintance, Suggestion
from identity.friends import Friendship, Standing
from kernel.units import Transaction

# Whose friends are suggested: of one's own friends the latest. It bounds what a request costs to the friends that
# these have together.
LATEST_FRIENDS = 50

_a, _f = ACCOUNTS.c, FRIENDSHIPS.c

_STANDS: Final[Mapping[Standing, Callable[[Subquery, UUID], ColumnElement[bool]]]] = {
    Standing.ACCEPTED: lambda tie, person: tie.c.accepted,
    Standing.OUTGOING: lambda tie, person: and_(~tie.c.accepted, tie.c.asker == person),
    Standing.INCOMING: lambda tie, person: and_(~tie.c.accepted, tie.c.asker != person),
}


class SqlFriendLists:
    """identity.befriending.FriendLists."""

    async def page(
        self, unit: Transaction, person: UUID, standing: Standing, *, before: tuple[float, UUID] | None, limit: int
    ) -> Sequence[Acquaintance]:
        tie = ties_of(person, "tie")
        latest = (
            select(tie.c.since.label("tied_since"), ACCOUNTS)
            .join(ACCOUNTS, _a.id == tie.c.other)
            .where(_STANDS[standing](tie, person), _a.state != State.ERASING.value)
            .order_by(tie.c.since.desc(), tie.c.other.desc())
            .limit(limit)
        )
        if before is not None:
            since, who = before
            latest = latest.where(or_(tie.c.since < since, and_(tie.c.since == since, tie.c.other < who)))
        rows = await sql_of(unit).connection.execute(latest)
        return [Acquaintance(account_of(row), standing, row.tied_since) for row in rows]

    async def count(self, unit: Transaction, person: UUID, standing: Standing) -> int:
        tie = ties_of(person, "tie")
        counted = select(func.count()).select_from(tie).where(_STANDS[standing](tie, person))
        return (await sql_of(unit).connection.execute(counted)).scalar_one()

    async def standings(self, unit: Transaction, person: UUID, others: Collection[UUID]) -> Mapping[UUID, Friendship]:
        if not others:
            return {}
        tie = ties_of(person, "tie")
        rows = await sql_of(unit).connection.execute(select(tie).where(tie.c.other.in_(others)))
        return {
            row.other: Friendship(row.asker, person if row.asker == row.other else row.other, row.accepted, row.since)
            for row in rows
        }

    async def suggested(
        self, unit: Transaction, person: UUID, *, before: tuple[int, UUID] | None, limit: int
    ) -> Sequence[Suggestion]:
        counted = _friends_of_friends(person)
        known = ties_of(person, "known")
        most = (
            select(counted.c.mutual_friends, ACCOUNTS)
            .join(ACCOUNTS, _a.id == counted.c.account)
            .where(
                _a.state == State.ACTIVE.value,
                _a.searchable,
                counted.c.account != person,
                counted.c.account.not_in(select(known.c.other)),
                unblocked(person, counted.c.account),
            )
            .order_by(counted.c.mutual_friends.desc(), counted.c.account.desc())
            .limit(limit)
        )
        if before is not None:
            number, who = before
            shared = counted.c.mutual_friends
            most = most.where(or_(shared < number, and_(shared == number, counted.c.account < who)))
        rows = await sql_of(unit).connection.execute(most)
        return [Suggestion(account_of(row), row.mutual_friends) for row in rows]


def _friends_of_friends(person: UUID) -> Subquery:
    """``account`` and in how many friendships with the latest friends of ``person`` it is. A half for each side of a
    row, so that both find their rows by an index."""
    tie = ties_of(person, "tie")
    latest = select(tie.c.other).where(tie.c.accepted).order_by(tie.c.since.desc(), tie.c.other.desc())
    mine = latest.limit(LATEST_FRIENDS).cte("mine")
    theirs = union_all(
        select(_f.high.label("account")).join(mine, mine.c.other == _f.low).where(_f.accepted),
        select(_f.low.label("account")).join(mine, mine.c.other == _f.high).where(_f.accepted),
    ).subquery("theirs")
    return select(theirs.c.account, func.count().label("mutual_friends")).group_by(theirs.c.account).subquery("counted")


def befriended(person: UUID, other: ColumnElement[UUID]) -> ColumnElement[bool]:
    """A condition on a statement's column of people: they are friends of ``person``."""
    tie = ties_of(person, "befriended")
    return exists().where(tie.c.other == other, tie.c.accepted).correlate_except(tie)
