"""Accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Column, Index, Row, Table, UniqueConstraint, select, update

from adapters.sql.identity.words import keep_words
from adapters.sql.metadata import Id, Json, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.visibility import Visibility
from kernel.errors import Conflict
from kernel.units import Transaction

ACCOUNTS = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("skeleton", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("password_changed_at", Moment, nullable=False),
    Column("email_verified_at", Moment),
    Column("roles", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("searchable", Boolean, nullable=False),
    Column("avatar", Text),
    Column("status_text", Text),
    Column("visibility", Json),
    UniqueConstraint("email"),
    UniqueConstraint("skeleton"),
    # Who is an admin. (There is none by state: SQLite would begin a search for people with all that are active.)
    Index(None, "roles", "id"),
)

_c = ACCOUNTS.c
_ALL = select(ACCOUNTS)


class SqlAccounts:
    """identity.accounts.AccountStore."""

    async def add(self, unit: Transaction, account: Account) -> None:
        statement = upsert(ACCOUNTS).values(_values(account)).on_conflict_do_nothing()
        if (await sql_of(unit).connection.execute(statement)).rowcount != 1:
            await self._refuse(unit, account)
        await keep_words(unit, account)

    async def get(self, unit: Transaction, account: UUID) -> Account | None:
        row = (await sql_of(unit).connection.execute(_ALL.where(_c.id == account))).first()
        return None if row is None else account_of(row)

    async def by_email(self, unit: Transaction, email: str) -> Account | None:
        row = (await sql_of(unit).connection.execute(_ALL.where(_c.email == email))).first()
        return None if row is None else account_of(row)

    async def put(self, unit: Transaction, account: Account) -> None:
        connection = sql_of(unit).connection
        taken = select(_c.id).where(
            (_c.email == account.email) | (_c.skeleton == account.skeleton), _c.id != account.id
        )
        if (await connection.execute(taken)).first() is not None:
            await self._refuse(unit, account)
        await connection.execute(update(ACCOUNTS).where(_c.id == account.id).values(_values(account)))
        await keep_words(unit, account)

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Account]:
        if not accounts:
            return {}
        rows = await sql_of(unit).connection.execute(_ALL.where(_c.id.in_(accounts)))
        return {row.id: account_of(row) for row in rows}

    async def _refuse(self, unit: Transaction, account: Account) -> None:
        same_address = select(_c.id).where(_c.email == account.email, _c.id != account.id)
        if (await sql_of(unit).connection.execute(same_address)).first() is not None:
            raise Conflict("There is an account with this e-mail address.", code="email_taken")
        raise Conflict("This username is taken, or looks like one that is.", code="username_taken")


def account_of(row: Row[Any]) -> Account:
    fields = {column.name: getattr(row, column.name) for column in _c}
    fields["roles"] = frozenset(row.roles.split())
    fields["state"] = State(row.state)
    fields["visibility"] = msgspec.convert(row.visibility or {}, Visibility)
    return Account(**fields)


def _values(account: Account) -> dict[str, object]:
    fields = {column.name: getattr(account, column.name) for column in _c}
    return fields | {"roles": " ".join(sorted(account.roles)), "state": account.state.value}
