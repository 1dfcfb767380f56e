"""Conversations by themselves."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update

from adapters.sql.chat.bans import BANS
from adapters.sql.chat.conversation_tables import (
    CONVERSATIONS,
    MEMBERS,
    conversation_of,
    conversation_values,
    member_of,
)
from adapters.sql.chat.invites import INVITES
from adapters.sql.chat.rounds import ANSWERS, ROUNDS
from adapters.sql.errors import Contention
from adapters.sql.metadata import upsert
from adapters.sql.units import sql_of
from chat.records import Conversation, Seat
from identity.words import folded
from kernel.units import Transaction

# What never changes, and what is written with the members and with the messages.
_NOT_PUT = frozenset({"id", "kind", "pair", "created_at", "member_count", "active_at", "said"})

_c, _m = CONVERSATIONS.c, MEMBERS.c


class SqlConversations:
    """chat.ports.ConversationStore."""

    async def add(self, unit: Transaction, conversation: Conversation) -> None:
        values = conversation_values(conversation) | {"words": _words(conversation)}
        added = await sql_of(unit).connection.execute(upsert(CONVERSATIONS).values(values).on_conflict_do_nothing())
        if added.rowcount != 1:
            raise Contention("these two are being given a conversation by somebody else")

    async def put(self, unit: Transaction, conversation: Conversation) -> None:
        values = conversation_values(conversation) | {"words": _words(conversation)}
        changed = {name: value for name, value in values.items() if name not in _NOT_PUT}
        await sql_of(unit).connection.execute(update(CONVERSATIONS).where(_c.id == conversation.id).values(changed))

    async def remove(self, unit: Transaction, conversation: UUID) -> None:
        connection = sql_of(unit).connection
        rounds = select(ROUNDS.c.id).where(ROUNDS.c.conversation == conversation)
        await connection.execute(delete(ANSWERS).where(ANSWERS.c.proposal.in_(rounds)))
        for table in (ROUNDS, INVITES, BANS, MEMBERS):
            await connection.execute(delete(table).where(table.c.conversation == conversation))
        await connection.execute(delete(CONVERSATIONS).where(_c.id == conversation))

    async def get(self, unit: Transaction, conversation: UUID) -> Conversation | None:
        row = (await sql_of(unit).connection.execute(select(CONVERSATIONS).where(_c.id == conversation))).first()
        return None if row is None else conversation_of(row)

    async def seat(self, unit: Transaction, conversation: UUID, person: UUID) -> Seat | None:
        seated = (
            select(CONVERSATIONS, _m.person, _m.role, _m.joined_at, _m.last_read, _m.seen)
            .join(MEMBERS, _m.conversation == _c.id)
            .where(_c.id == conversation, _m.person == person)
        )
        row = (await sql_of(unit).connection.execute(seated)).first()
        return None if row is None else Seat(conversation_of(row), member_of(row, conversation))


def _words(conversation: Conversation) -> str:
    return folded(" ".join(text for text in (conversation.title, conversation.description) if text))
