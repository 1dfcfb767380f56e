"""Lists of conversations as one person sees them, each in one query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, or_, select, union_all

from adapters.sql.chat.conversation_tables import CONVERSATIONS, MEMBERS, conversation_of
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
    *_c,
    *(column.label(f"my_{column.name}") for column in _me.c),
    *(column.label(f"their_{column.name}") for column in _other.c),
    *(_face.c[name].label(f"their_{name}") for name in ("username", "display_name", "avatar")),
)
# Nothing is looked up for groups: a condition on the kind beside it would have all their members read and left out.
_IS_OTHER = and_(_other.c.conversation == case((_IS_DIRECT, _c.id)), _other.c.person != _me.c.person)


def _seen(viewer: UUID, *, members_only: bool) -> Select[Any]:
    """Conversations, who ``viewer`` is in them, and the other person of direct ones."""
    is_me = and_(_me.c.conversation == _c.id, _me.c.person == viewer)
    joined = CONVERSATIONS.join(_me, is_me, isouter=not members_only)
    joined = joined.join(_other, _IS_OTHER, isouter=True).join(_face, _face.c.id == _other.c.person, isouter=True)
    return _SEEN.select_from(joined)


class SqlConversationLists:
    """chat.ports.ConversationLists."""

    async def one(self, unit: Transaction, conversation: UUID, viewer: UUID) -> Listed | None:
        return await _first(unit, _seen(viewer, members_only=True).where(_c.id == conversation))

    async def between(self, unit: Transaction, pair: bytes, viewer: UUID) -> Listed | None:
        return await _first(unit, _seen(viewer, members_only=True).where(_c.pair == pair))

    async def of(
        self, unit: Transaction, viewer: UUID, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        return await _latest(unit, _seen(viewer, members_only=True), before, most)

    async def public(
        self, unit: Transaction, viewer: UUID, words: str, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        found = _seen(viewer, members_only=False).where(_c.is_public, _c.id.not_in(_closed_to(viewer)))
        for word in folded(words).split():
            found = found.where(_c.words.contains(word, autoescape=True))
        return await _latest(unit, found, before, most)


def _closed_to(viewer: UUID) -> Select[Any]:
    """Groups of owners with whom there is a block: they cannot be joined, and are not there for the other."""
    blocked = union_all(
        select(BLOCKS.c.blocked).where(BLOCKS.c.blocker == viewer),
        select(BLOCKS.c.blocker).where(BLOCKS.c.blocked == viewer),
    )
    return select(MEMBERS.c.conversation).where(MEMBERS.c.role == Role.OWNER.value, MEMBERS.c.person.in_(blocked))


async def _first(unit: Transaction, statement: Select[Any]) -> Listed | None:
    row = (await sql_of(unit).connection.execute(statement)).first()
    return None if row is None else _listed(row)


async def _latest(
    unit: Transaction, statement: Select[Any], before: tuple[float, UUID] | None, most: int
) -> Sequence[Listed]:
    if before is not None:
        when, which = before
        statement = statement.where(or_(_c.active_at < when, (_c.active_at == when) & (_c.id < which)))
    latest = statement.order_by(_c.active_at.desc(), _c.id.desc()).limit(most)
    return [_listed(row) for row in await sql_of(unit).connection.execute(latest)]


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
