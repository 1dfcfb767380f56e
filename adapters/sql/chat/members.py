"""Who is in a conversation. Members and their count change in the same statement pair, so neither drifts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, or_, select, update

from adapters.sql.chat.conversation_tables import CONVERSATIONS, IS_OWNER, MEMBERS, face_of, member_of
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.metadata import upsert
from adapters.sql.units import sql_of
from chat.membership import Member, Role
from chat.records import Face
from kernel.errors import Conflict
from kernel.units import Transaction

_c, _m = CONVERSATIONS.c, MEMBERS.c
_WITH_FACES = select(MEMBERS, ACCOUNTS.c.username, ACCOUNTS.c.display_name, ACCOUNTS.c.avatar).join(
    ACCOUNTS, ACCOUNTS.c.id == _m.person
)


class SqlMembers:
    """chat.ports.MemberStore and chat.ports.MemberLists."""

    async def add(self, unit: Transaction, conversation: UUID, members: Sequence[Member]) -> frozenset[UUID]:
        if not members:
            return frozenset()
        connection = sql_of(unit).connection
        said = (await connection.execute(select(_c.said).where(_c.id == conversation))).scalar_one()
        rows = [
            {column.name: getattr(member, column.name) for column in _m} | {"role": member.role.value, "seen": said}
            for member in members
        ]
        # Rows beside the statement, which is compiled once: a thousand in it would hold the loop up for a while.
        insert = upsert(MEMBERS).on_conflict_do_nothing().returning(_m.person)
        came = frozenset((await connection.execute(insert, rows)).scalars())
        if came and not await _count(unit, conversation, len(came)):
            raise Conflict("There is no place left in this conversation.", code="conversation_full")
        return came

    async def remove(self, unit: Transaction, conversation: UUID, person: UUID) -> bool:
        gone = delete(MEMBERS).where(_m.conversation == conversation, _m.person == person)
        removed = (await sql_of(unit).connection.execute(gone)).rowcount == 1
        return removed and await _count(unit, conversation, -1)

    async def set_role(self, unit: Transaction, conversation: UUID, person: UUID, role: Role) -> None:
        place = update(MEMBERS).where(_m.conversation == conversation, _m.person == person)
        await sql_of(unit).connection.execute(place.values(role=role.value))

    async def get(self, unit: Transaction, conversation: UUID, person: UUID) -> Member | None:
        found = select(MEMBERS).where(_m.conversation == conversation, _m.person == person)
        row = (await sql_of(unit).connection.execute(found)).first()
        return None if row is None else member_of(row, conversation)

    async def owner(self, unit: Transaction, conversation: UUID) -> UUID | None:
        owner = select(_m.person).where(_m.conversation == conversation, IS_OWNER)
        return (await sql_of(unit).connection.execute(owner)).scalar_one_or_none()

    async def all(self, unit: Transaction, conversation: UUID) -> Sequence[Member]:
        everybody = select(MEMBERS).where(_m.conversation == conversation).order_by(_m.joined_at, _m.person)
        return [member_of(row, conversation) for row in await sql_of(unit).connection.execute(everybody)]

    async def page(
        self, unit: Transaction, conversation: UUID, *, after: tuple[float, UUID] | None, most: int
    ) -> Sequence[tuple[Member, Face]]:
        eldest = _WITH_FACES.where(_m.conversation == conversation).order_by(_m.joined_at, _m.person).limit(most)
        if after is not None:
            when, who = after
            eldest = eldest.where(or_(_m.joined_at > when, (_m.joined_at == when) & (_m.person > who)))
        rows = await sql_of(unit).connection.execute(eldest)
        return [(member_of(row, conversation), face_of(row)) for row in rows]

    async def faces(
        self, unit: Transaction, conversation: UUID, people: Collection[UUID]
    ) -> Sequence[tuple[Member, Face]]:
        those = _WITH_FACES.where(_m.conversation == conversation, _m.person.in_(people))
        rows = await sql_of(unit).connection.execute(those.order_by(_m.joined_at, _m.person))
        return [(member_of(row, conversation), face_of(row)) for row in rows]


async def _count(unit: Transaction, conversation: UUID, change: int) -> bool:
    """False when there is no room for so many."""
    after = _c.member_count + change
    fits = update(CONVERSATIONS).where(_c.id == conversation, after <= _c.max_members)
    return (await sql_of(unit).connection.execute(fits.values(member_count=after))).rowcount == 1
