"""Searching for people: a range of the words' key, read in its order and only as far as the page needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from adapters.sql.identity.accounts import ACCOUNTS, account_of
from adapters.sql.identity.blocks import unblocked
from adapters.sql.identity.friendlists import befriended
from adapters.sql.identity.words import SEARCH_WORDS
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.search import Found, Question
from kernel.units import Transaction

# Sorts behind every continuation of a word: no word has it.
LAST = "\U0010ffff"

_a, _w = ACCOUNTS.c, SEARCH_WORDS.c


class SqlSearch:
    """identity.search.SearchStore."""

    async def by_words(
        self, unit: Transaction, viewer: UUID, question: Question, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Found]:
        found = found_by(question.words, after=after, limit=limit).where(
            _shown_to(viewer),
            or_(_a.searchable, and_(_a.username == question.username, befriended(viewer, _a.id))),
        )
        rows = await sql_of(unit).connection.execute(found)
        return [Found(row.found_by, account_of(row)) for row in rows]

    async def by_email(
        self, unit: Transaction, viewer: UUID, email: str, *, unconfirmed_since: float
    ) -> Account | None:
        theirs = or_(_a.email_verified_at.is_not(None), _a.created_at > unconfirmed_since)
        found = select(ACCOUNTS).where(_a.email == email, theirs, _a.searchable, _shown_to(viewer))
        row = (await sql_of(unit).connection.execute(found)).first()
        return None if row is None else account_of(row)


def found_by(words: Sequence[str], *, after: tuple[str, UUID] | None, limit: int) -> Select[Any]:
    """Accounts with what their names were ``found_by``, in the order of that, from behind the position ``after``."""
    leading, *others = words
    earlier = SEARCH_WORDS.alias("earlier")
    found = (
        select(_w.word.label("found_by"), ACCOUNTS)
        .join(ACCOUNTS, _a.id == _w.account)
        .where(
            _begins(_w.word, leading),
            # Each person once, where the first of their words begins so.
            ~exists().where(earlier.c.account == _w.account, earlier.c.word >= leading, earlier.c.word < _w.word),
            *(_has(other, number) for number, other in enumerate(others)),
        )
        .order_by(_w.word, _w.account)
        .limit(limit)
    )
    if after is None:
        return found
    word, account = after
    return found.where(_w.word >= word, or_(_w.word > word, _w.account > account))


def _begins(word: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    return and_(word >= beginning, word < beginning + LAST)


def _has(beginning: str, number: int) -> ColumnElement[bool]:
    further = SEARCH_WORDS.alias(f"further_{number}")
    return exists().where(further.c.account == _w.account, _begins(further.c.word, beginning))


def _shown_to(viewer: UUID) -> ColumnElement[bool]:
    return and_(_a.state == State.ACTIVE.value, _a.id != viewer, unblocked(viewer, _a.id))
