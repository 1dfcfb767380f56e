"""Accounts as admins list and count them."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, or_, select

from adapters.sql.identity.accounts import ACCOUNTS, account_of
from adapters.sql.identity.apikeys import API_KEYS
from adapters.sql.identity.second_factor import FACTORS
from adapters.sql.identity.sessions import SESSIONS
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.administration import ADMIN, Figures, PeopleFilter, Presence
from kernel.ids import floor_at
from kernel.units import Transaction

DAY = 86400.0
# Databases agree on what the lower case of a letter is for these alone.
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_a, _s = ACCOUNTS.c, SESSIONS.c


class SqlAdmin:
    """identity.administration.AdminStore."""

    async def find(
        self, unit: Transaction, wanted: PeopleFilter, *, before: UUID | None, most: int
    ) -> Sequence[Account]:
        query = select(ACCOUNTS).order_by(_a.id.desc()).limit(most)
        if wanted.text is not None:
            folded = wanted.text.casefold()
            query = query.where(
                or_(
                    _a.username.contains(folded, autoescape=True),
                    _a.email.contains(folded, autoescape=True),
                    func.lower(_a.display_name).contains(wanted.text.translate(_ASCII_LOWER), autoescape=True),
                )
            )
        if wanted.state is not None:
            query = query.where(_a.state == wanted.state.value)
        if before is not None:
            query = query.where(_a.id < before)
        return [account_of(row) for row in await sql_of(unit).connection.execute(query)]

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
