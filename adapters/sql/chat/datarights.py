"""Which tables of chat/ name people. Whoever is erased has left their conversations before these rows go, so what is
left of them is what outlasts leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select

from adapters.sql.chat.bans import BANS
from adapters.sql.chat.conversation_tables import CONVERSATIONS, MEMBERS
from adapters.sql.chat.invites import INVITES
from adapters.sql.chat.presence import LAST_SEEN
from adapters.sql.chat.rounds import ANSWERS, ROUNDS
from adapters.sql.datarights import RowsAbout, RowsRenamed, Told
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


def _theirs(person: UUID) -> Select[Any]:
    named = (CONVERSATIONS.c.id, CONVERSATIONS.c.kind, CONVERSATIONS.c.title, CONVERSATIONS.c.mode)
    return select(*named).join(MEMBERS, MEMBERS.c.conversation == CONVERSATIONS.c.id).where(MEMBERS.c.person == person)


def personal() -> Sequence[PersonalData]:
    return [
        RowsAbout(name="last_seen", table=LAST_SEEN, people=["account"], says="When you were here last.", shown=["at"]),
        Told(name="conversations_of_yours", says="Where you are a member, as it is called now.", rows=_theirs),
        RowsAbout(
            name="memberships",
            table=MEMBERS,
            people=["person"],
            says="Your places in conversations.",
            shown=["conversation", "role", "joined_at", "last_read", "seen"],
            others=["conversation", "last_read"],
        ),
        RowsAbout(
            name="invites",
            table=INVITES,
            people=["created_by"],
            says="Links to join a group that you made.",
            withheld={"digest": "what a link is checked with"},
            shown=["id", "conversation", "created_at", "expires_at", "max_uses", "uses"],
            others=["id", "conversation"],
        ),
        RowsAbout(
            name="bans",
            table=BANS,
            people=["person"],
            says="Groups that you were put out of for good.",
            shown=["conversation", "banned_at"],
            others=["conversation"],
        ),
        RowsAbout(
            name="consents",
            table=ANSWERS,
            people=["person"],
            says="What you answered when a conversation's mode was proposed.",
            shown=["proposal", "consents", "answered_at"],
            others=["proposal"],
        ),
        # That a conversation's mode was changed is its members' record; by whom, nobody learns any more.
        RowsRenamed(
            name="mode_proposals",
            table=ROUNDS,
            people=["proposed_by"],
            pseudonym=None,
            says="Modes of conversations that you proposed.",
            shown=["id", "conversation", "mode", "proposed_at", "expires_at", "ended_at", "state"],
            withheld={"open_in": "the conversation again"},
            others=["id", "conversation", "open_in"],
        ),
    ]
