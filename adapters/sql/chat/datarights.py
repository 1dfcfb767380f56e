"""Which tables of chat/ name people. Whoever is erased has left their conversations before these rows go, so what is
left of them is what outlasts leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select

from adapters.sql.chat.conversation_tables import CONVERSATIONS, MEMBERS
from adapters.sql.chat.invites import INVITES
from adapters.sql.chat.rounds import ANSWERS, ROUNDS
from adapters.sql.datarights import RowsAbout, RowsRenamed
from adapters.sql.units import sql_of
from chat.records import Kind
from kernel.datarights import PersonalData
from kernel.units import Transaction

IMPERSONAL: Final[Mapping[str, str]] = {
    "conversations": "Who is in one is a row of `conversation_members`. The pair of a direct one are two ids: it is "
    "deleted with either of the two.",
    "messages": "No room writes messages yet; the one that does registers them.",
}


class SqlPlaces:
    """chat.datarights.Places."""

    async def of(self, unit: Transaction, person: UUID, *, most: int) -> Sequence[tuple[UUID, Kind]]:
        seated = (
            select(CONVERSATIONS.c.id, CONVERSATIONS.c.kind)
            .join(MEMBERS, MEMBERS.c.conversation == CONVERSATIONS.c.id)
            .where(MEMBERS.c.person == person)
            .order_by(CONVERSATIONS.c.id)
            .limit(most)
        )
        return [(row.id, Kind(row.kind)) for row in await sql_of(unit).connection.execute(seated)]


def personal() -> Sequence[PersonalData]:
    return [
        RowsAbout(
            name="memberships",
            table=MEMBERS,
            people=["person"],
            shown=["conversation", "role", "joined_at", "last_read"],
            others=["conversation", "last_read"],
        ),
        RowsAbout(
            name="invites",
            table=INVITES,
            people=["created_by"],
            shown=["id", "conversation", "created_at", "expires_at", "max_uses", "uses"],
            others=["id", "conversation"],
        ),
        RowsAbout(
            name="consents",
            table=ANSWERS,
            people=["person"],
            shown=["proposal", "consents", "answered_at"],
            others=["proposal"],
        ),
        # That a conversation's mode was changed is its members' record; by whom, nobody learns any more.
        RowsRenamed(
            name="mode_proposals",
            table=ROUNDS,
            people=["proposed_by"],
            pseudonym=None,
            shown=["id", "conversation", "mode", "proposed_at", "state"],
            others=["id", "conversation", "open_in"],
        ),
    ]
