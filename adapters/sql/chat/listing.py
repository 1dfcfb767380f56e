"""Lists of conversations as one person sees them, each in one query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Row, Select, and_, case, func, or_, select, union_all

from adapters.sql.chat.conversation_tables import CONVERSATIONS, IS_OWNER, MEMBERS, conversation_of
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.blocks import BLOCKS
from adapters.sql.units import sql_of
from chat.membership import Member, Role
from chat.records import Face, Kind, Listed
from identity.words import folded
from kernel.units import Transaction

_c = CONVERSATIONS.c
_me, _other, _face = MEMBERS.alias("me"), MEMBERS.alias("other"), ACCOUNTS.alias("face")
_IS_DIRECT = _c.kind == Kind.DIRECT.value

_SEEN = select(
    *(column for column in _c if column.name != "words"),
    *(column.label(f"my_{column.name}") for column in _me.c),
    *(column.label(f"their_{column.name}") for column in _other.c),
    *(_face.c[name].label(f"their_{name}") for name in ("username", "display_name", "avatar")),
)
# Nothing is looked up for groups: a condition on the kind beside it would have all their members read and left out.
_IS_OTHER = and_(_other.c.conversation == case((_IS_DIRECT, _c.id)), _other.c.person != _me.c.person)


def _seen(viewer: UUID, conversations: FromClause = CONVERSATIONS) -> Select[Any]:
    """Conversations, who ``viewer`` is in them, if anybody, and the other person of direct ones."""
    is_me = and_(_me.c.conversation == _c.id, _me.c.person == viewer)
    joined = conversations.join(_me, is_me, isouter=True)
    joined = joined.join(_other, _IS_OTHER, isouter=True).join(_face, _face.c.id == _other.c.person, isouter=True)
    return _SEEN.select_from(joined)


class SqlConversationLists:
    """chat.ports.ConversationLists."""

    async def one(self, unit: Transaction, conversation: UUID, viewer: UUID) -> Listed | None:
        return await _seated(unit, _seen(viewer).where(_c.id == conversation))

    async def between(self, unit: Transaction, pair: bytes, viewer: UUID) -> Listed | None:
        return await _seated(unit, _seen(viewer).where(_c.pair == pair))

    async def of(
        self, unit: Transaction, viewer: UUID, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        theirs = select(_c.id).join(MEMBERS, MEMBERS.c.conversation == _c.id).where(MEMBERS.c.person == viewer)
        return await _latest(unit, viewer, theirs, before, most)

    async def count(self, unit: Transaction, person: UUID) -> int:
        theirs = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.person == person)
        return (await sql_of(unit).connection.execute(theirs)).scalar_one()

    async def public(
        self, unit: Transaction, viewer: UUID, words: str, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        found = select(_c.id).where(_c.is_public, _c.id.not_in(_closed_to(viewer)))
        for word in folded(words).split():
            found = found.where(_c.words.contains(word, autoescape=True))
        return await _latest(unit, viewer, found, before, most)


def _closed_to(viewer: UUID) -> Select[Any]:
    """Groups of owners with whom there is a block: they cannot be joined, and are not there for the other."""
    blocked = union_all(
        select(BLOCKS.c.blocked).where(BLOCKS.c.blocker == viewer),
        select(BLOCKS.c.blocker).where(BLOCKS.c.blocked == viewer),
    )
    return select(MEMBERS.c.conversation).where(IS_OWNER, MEMBERS.c.person.in_(blocked))


async def _seated(unit: Transaction, statement: Select[Any]) -> Listed | None:
    row = (await sql_of(unit).connection.execute(statement.where(_me.c.person.is_not(None)))).first()
    return None if row is None else _listed(row)


async def _latest(
    unit: Transaction, viewer: UUID, found: Select[Any], before: tuple[float, UUID] | None, most: int
) -> Sequence[Listed]:
    """Of what was ``found``, the ids of a page first and then what belongs to them, so that nothing is put together
    for conversations that are not shown."""
    if before is not None:
        when, which = before
        found = found.where(or_(_c.active_at < when, (_c.active_at == when) & (_c.id < which)))
    order = (_c.active_at.desc(), _c.id.desc())
    page = found.order_by(*order).limit(most).subquery("page")
    shown = _seen(viewer, page.join(CONVERSATIONS, _c.id == page.c.id)).order_by(*order)
    return [_listed(row) for row in await sql_of(unit).connection.execute(shown)]


def _listed(row: Row[Any]) -> Listed:
    found = conversation_of(row)
    mine = None
    if row.my_person is not None:
        mine = _member(row, "my")
    if row.their_username is None:
        return Listed(found, mine)
    theirs = _member(row, "their")
    face = Face(row.their_person, row.their_username, row.their_display_name, row.their_avatar)
    return Listed(found, mine, (theirs, face))


def _member(row: Row[Any], whose: str) -> Member:
    fields = {column.name: getattr(row, f"{whose}_{column.name}") for column in MEMBERS.c}
    return Member(**fields | {"role": Role(fields["role"])})
