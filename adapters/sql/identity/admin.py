"""Accounts as admins list and count them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from adapters.sql.identity.accounts import ACCOUNTS, account_of
from adapters.sql.identity.apikeys import API_KEYS
from adapters.sql.identity.search import found_by
from adapters.sql.identity.second_factor import FACTORS
from adapters.sql.identity.sessions import SESSIONS
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.administration import ADMIN, Figures, PeopleFilter, Presence
from identity.search import Found
from kernel.ids import floor_at
from kernel.units import Transaction

DAY = 86400.0

_a, _s = ACCOUNTS.c, SESSIONS.c


class SqlPeopleLists:
    """identity.administration.PeopleLists."""

    async def newest(
        self, unit: Transaction, wanted: PeopleFilter, *, before: UUID | None, most: int
    ) -> Sequence[Account]:
        query = select(ACCOUNTS).where(*_such(wanted, _a.state, _a.roles)).order_by(_a.id.desc()).limit(most)
        if before is not None:
            query = query.where(_a.id < before)
        return [account_of(row) for row in await sql_of(unit).connection.execute(query)]

    async def by_words(
        self,
        unit: Transaction,
        wanted: PeopleFilter,
        words: Sequence[str],
        *,
        after: tuple[str, UUID] | None,
        most: int,
    ) -> Sequence[Found]:
        # Taken together with nothing, a column has no index: words lead, and not whoever has the same role.
        query = found_by(words, after=after, limit=most).where(*_such(wanted, _a.state.concat(""), _a.roles.concat("")))
        rows = await sql_of(unit).connection.execute(query)
        return [Found(row.found_by, account_of(row)) for row in rows]


def _such(wanted: PeopleFilter, state: ColumnElement[str], roles: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    if wanted.state is not None:
        yield state == wanted.state.value
    if wanted.admins is not None:
        # Admin is the one role an account can be given.
        yield roles == (ADMIN if wanted.admins else "")


class SqlAdmin:
    """identity.administration.AdminStore."""

    async def has_active_admin(self, unit: Transaction, *, besides: UUID) -> bool:
        # Admin is the one role an account can be given, so equality finds it, by its index.
        found = select(_a.id).where(_a.roles == ADMIN, _a.state == State.ACTIVE.value, _a.id != besides).limit(1)
        return (await sql_of(unit).connection.execute(found)).first() is not None

    async def presence(self, unit: Transaction, accounts: frozenset[UUID], *, now: float) -> Mapping[UUID, Presence]:
        if not accounts:
            return {}
        counted = (
            select(_s.account, func.count().label("sessions"), func.max(_s.used_at).label("used_at"))
            .where(_s.account.in_(accounts), _s.expires_at > now)
            .group_by(_s.account)
        )
        rows = await sql_of(unit).connection.execute(counted)
        return {row.account: Presence(row.sessions, row.used_at) for row in rows}

    async def with_second_factor(self, unit: Transaction, accounts: frozenset[UUID]) -> frozenset[UUID]:
        if not accounts:
            return frozenset()
        confirmed = select(FACTORS.c.account).where(
            FACTORS.c.account.in_(accounts), FACTORS.c.confirmed_at.is_not(None)
        )
        return frozenset((await sql_of(unit).connection.execute(confirmed)).scalars())

    async def figures(self, unit: Transaction, *, now: float) -> Figures:
        connection = sql_of(unit).connection
        by_state = (await connection.execute(select(_a.state, func.count()).group_by(_a.state))).all()
        yesterday = floor_at(round(max(0.0, now - DAY) * 1000))
        active = (_a.roles == ADMIN, _a.state == State.ACTIVE.value)
        counts = select(
            select(func.count()).select_from(ACCOUNTS).where(*active).scalar_subquery().label("admins"),
            select(func.count()).select_from(ACCOUNTS).where(_a.id >= yesterday).scalar_subquery().label("joined"),
            select(func.count()).select_from(SESSIONS).where(_s.expires_at > now).scalar_subquery().label("sessions"),
            select(func.count()).select_from(API_KEYS).scalar_subquery().label("api_keys"),
        )
        row = (await connection.execute(counts)).one()
        return Figures(
            by_state={State(state): number for state, number in by_state},
            admins=row.admins,
            joined_last_day=row.joined,
            sessions=row.sessions,
            api_keys=row.api_keys,
        )
