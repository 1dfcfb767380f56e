"""Each operation of the stores of accounts, sessions and links, once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from adapters.sql.engine import Database
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.sessions import SqlLinks, SqlSessions
from identity.accounts import Account
from identity.onetime import Link
from identity.sessions import Session
from kernel.units import Transaction


async def tour_of_the_accounts(database: Database) -> None:
    accounts, sessions, links = SqlAccounts(), SqlSessions(), SqlLinks()
    ada = Account(UUID(int=1), "ada@example.org", "ada", "ada", "Ada", "hash", 1.0, 1.0)
    session = Session(UUID(int=2), ada.id, b"digest", "a phone", 1.0, 1.0, 2.0)
    link = Link(b"digest", "verify_email", ada.id, ada.email, 2.0)

    async def visit(unit: Transaction) -> None:
        await accounts.add(unit, ada)
        await accounts.get(unit, ada.id)
        await accounts.by_email(unit, ada.email)
        await accounts.many(unit, frozenset({ada.id}))
        await accounts.put(unit, replace(ada, display_name="Countess"))
        await sessions.add(unit, session, most=1)
        await sessions.get(unit, session.id)
        await sessions.put(unit, session)
        await sessions.of(unit, ada.id)
        await sessions.remove(unit, ada.id, [session.id])
        await sessions.remove_expired(unit, now=3.0, most=10)
        await links.replace(unit, link)
        await links.get(unit, link.digest, link.purpose)
        await links.of(unit, ada.id, link.purpose)
        await links.take(unit, link.digest, link.purpose)
        await links.remove(unit, ada.id, [link.purpose])
        await links.remove_expired(unit, now=3.0, most=10)

    await database.units.write(visit)
