"""Sessions, and links that work once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Row, Table, delete, insert, select, update

from adapters.sql.metadata import Bytes, Id, Moment, Text, metadata
from adapters.sql.units import sql_of
from identity.onetime import Link
from identity.sessions import Session
from kernel.units import Transaction

SESSIONS = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account", Id, nullable=False),
    Column("refresh_digest", Bytes, nullable=False),
    Column("client", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "account", "used_at"),
    Index(None, "expires_at"),
)
LINKS = Table(
    "one_time_links",
    metadata,
    Column("digest", Bytes, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("account", Id, nullable=False),
    Column("about", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "account", "purpose"),
    Index(None, "expires_at"),
)

_s, _l = SESSIONS.c, LINKS.c


class SqlSessions:
    """identity.sessions.SessionStore."""

    async def add(self, unit: Transaction, session: Session, *, most: int) -> Sequence[UUID]:
        connection = sql_of(unit).connection
        await connection.execute(insert(SESSIONS).values(_values(session)))
        # Never the new one, however late the clocks of those before it were.
        others = select(_s.id).where(_s.account == session.account, _s.id != session.id)
        found = list((await connection.execute(others.order_by(_s.used_at.desc(), _s.id.desc()))).scalars())
        return await self.remove(unit, session.account, found[most - 1 :])

    async def get(self, unit: Transaction, session: UUID) -> Session | None:
        row = (await sql_of(unit).connection.execute(select(SESSIONS).where(_s.id == session))).first()
        return None if row is None else _session(row)

    async def put(self, unit: Transaction, session: Session) -> None:
        await sql_of(unit).connection.execute(update(SESSIONS).where(_s.id == session.id).values(_values(session)))

    async def of(self, unit: Transaction, account: UUID) -> Sequence[Session]:
        latest = select(SESSIONS).where(_s.account == account).order_by(_s.used_at.desc(), _s.id.desc())
        return [_session(row) for row in await sql_of(unit).connection.execute(latest)]

    async def remove(self, unit: Transaction, account: UUID, sessions: Sequence[UUID]) -> Sequence[UUID]:
        if not sessions:
            return []
        gone = delete(SESSIONS).where(_s.account == account, _s.id.in_(sessions)).returning(_s.id)
        return list((await sql_of(unit).connection.execute(gone)).scalars())

    async def remove_expired(self, unit: Transaction, *, now: float, most: int) -> int:
        """identity.sweeping.Expiring."""
        ended = select(_s.id).where(_s.expires_at <= now).order_by(_s.expires_at).limit(most)
        return (await sql_of(unit).connection.execute(delete(SESSIONS).where(_s.id.in_(ended)))).rowcount


class SqlLinks:
    """identity.onetime.LinkStore."""

    async def replace(self, unit: Transaction, link: Link) -> None:
        connection = sql_of(unit).connection
        await connection.execute(delete(LINKS).where(_l.account == link.account, _l.purpose == link.purpose))
        values = {column.name: getattr(link, column.name) for column in _l}
        await connection.execute(insert(LINKS).values(values))

    async def get(self, unit: Transaction, digest: bytes, purpose: str) -> Link | None:
        found = select(LINKS).where(_l.digest == digest, _l.purpose == purpose)
        row = (await sql_of(unit).connection.execute(found)).first()
        return None if row is None else Link(**row._asdict())

    async def of(self, unit: Transaction, account: UUID, purpose: str) -> Link | None:
        found = select(LINKS).where(_l.account == account, _l.purpose == purpose)
        row = (await sql_of(unit).connection.execute(found)).first()
        return None if row is None else Link(**row._asdict())

    async def take(self, unit: Transaction, digest: bytes, purpose: str) -> Link | None:
        taken = delete(LINKS).where(_l.digest == digest, _l.purpose == purpose).returning(*_l)
        row = (await sql_of(unit).connection.execute(taken)).first()
        return None if row is None else Link(**row._asdict())

    async def remove(self, unit: Transaction, account: UUID, purposes: Collection[str]) -> None:
        gone = delete(LINKS).where(_l.account == account, _l.purpose.in_(purposes))
        await sql_of(unit).connection.execute(gone)

    async def remove_expired(self, unit: Transaction, *, now: float, most: int) -> int:
        """identity.sweeping.Expiring."""
        ended = select(_l.digest).where(_l.expires_at <= now).order_by(_l.expires_at).limit(most)
        return (await sql_of(unit).connection.execute(delete(LINKS).where(_l.digest.in_(ended)))).rowcount


def _session(row: Row[Any]) -> Session:
    return Session(**row._asdict())


def _values(session: Session) -> dict[str, object]:
    return {column.name: getattr(session, column.name) for column in _s}
