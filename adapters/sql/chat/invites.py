"""Join links."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Column, Index, Table, UniqueConstraint, delete, func, insert, or_, select, update

from adapters.sql.metadata import Bytes, Id, Integer, Moment, metadata
from adapters.sql.units import sql_of
from chat.records import Invite
from kernel.errors import Unprocessable
from kernel.units import Transaction

INVITES = Table(
    "conversation_invites",
    metadata,
    Column("id", Id, primary_key=True),
    Column("conversation", Id, nullable=False),
    Column("digest", Bytes, nullable=False),
    Column("created_by", Id, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("max_uses", Integer),
    Column("uses", Integer, nullable=False),
    UniqueConstraint("digest"),
    Index(None, "conversation", "id"),
    Index(None, "created_by"),
)

_c = INVITES.c


class SqlInvites:
    """chat.ports.InviteStore."""

    async def add(self, unit: Transaction, invite: Invite, *, most: int) -> None:
        connection, here = sql_of(unit).connection, _c.conversation == invite.conversation
        await connection.execute(delete(INVITES).where(here, _c.expires_at <= invite.created_at))
        if (await connection.execute(select(func.count()).where(here))).scalar_one() >= most:
            raise Unprocessable(f"There are {most} invites already; take some back.", code="too_many_invites")
        values = {column.name: getattr(invite, column.name) for column in _c}
        await connection.execute(insert(INVITES).values(values))

    async def find(self, unit: Transaction, digest: bytes) -> Invite | None:
        row = (await sql_of(unit).connection.execute(select(INVITES).where(_c.digest == digest))).first()
        return None if row is None else Invite(**row._asdict())

    async def use(self, unit: Transaction, invite: UUID, now: float) -> bool:
        left = or_(_c.max_uses.is_(None), _c.uses < _c.max_uses)
        used = update(INVITES).where(_c.id == invite, _c.expires_at > now, left).values(uses=_c.uses + 1)
        return (await sql_of(unit).connection.execute(used)).rowcount == 1

    async def page(self, unit: Transaction, conversation: UUID, *, before: UUID | None, most: int) -> Sequence[Invite]:
        latest = select(INVITES).where(_c.conversation == conversation).order_by(_c.id.desc()).limit(most)
        if before is not None:
            latest = latest.where(_c.id < before)
        return [Invite(**row._asdict()) for row in await sql_of(unit).connection.execute(latest)]

    async def remove(self, unit: Transaction, conversation: UUID, invite: UUID) -> bool:
        gone = delete(INVITES).where(_c.conversation == conversation, _c.id == invite)
        return (await sql_of(unit).connection.execute(gone)).rowcount == 1
