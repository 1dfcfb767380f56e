"""Who shares a conversation with whom."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from adapters.sql.chat.conversation_tables import MEMBERS
from adapters.sql.units import sql_of
from kernel.units import Transaction

_mine, _theirs = MEMBERS.alias("mine"), MEMBERS.alias("theirs")


class SqlCompanions:
    """For whoever has something to tell all that somebody talks with."""

    async def of(self, unit: Transaction, person: UUID, *, after: UUID | None, limit: int) -> Sequence[UUID]:
        """Everybody who is in a conversation with ``person``, each once, by id; ``after`` is the last one of the page
        before."""
        together = _mine.join(_theirs, _theirs.c.conversation == _mine.c.conversation)
        others = select(_theirs.c.person).select_from(together).distinct().order_by(_theirs.c.person).limit(limit)
        others = others.where(_mine.c.person == person, _theirs.c.person != person)
        if after is not None:
            others = others.where(_theirs.c.person > after)
        return list((await sql_of(unit).connection.execute(others)).scalars())
