"""The words that people are found by, a row each: a search is a range of this table's key."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, delete, insert, select

from adapters.sql.metadata import Id, Text, metadata
from adapters.sql.units import sql_of
from identity.accounts import Account, State
from identity.words import words_of
from kernel.units import Transaction

SEARCH_WORDS = Table(
    "search_words",
    metadata,
    Column("word", Text, nullable=False),
    Column("account", Id, nullable=False),
    PrimaryKeyConstraint("word", "account"),
    Index(None, "account", "word"),
)

_c = SEARCH_WORDS.c


async def keep_words(unit: Transaction, account: Account) -> None:
    """Make an account's words those of its names now, in the unit that changes the names."""
    connection = sql_of(unit).connection
    found = frozenset((await connection.execute(select(_c.word).where(_c.account == account.id))).scalars())
    wanted = frozenset() if account.state is State.ERASING else words_of(account.username, account.display_name)
    if gone := found - wanted:
        await connection.execute(delete(SEARCH_WORDS).where(_c.account == account.id, _c.word.in_(gone)))
    if new := wanted - found:
        await connection.execute(insert(SEARCH_WORDS), [{"word": word, "account": account.id} for word in sorted(new)])
