"""Finding people: by how the words of their names begin, or by exactly their e-mail address."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

from identity import names
from identity.accounts import Account
from identity.befriending import Acquaintance, FriendLists
from identity.friends import Standing
from identity.onetime import LIFETIMES, Purpose
from identity.words import MAX_WORD, words_of
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Unprocessable
from kernel.units import Transaction, UnitsOfWork

LISTING = "people"

# A name has few words; each one more costs the search a look.
MAX_WORDS = 6

# What a cursor may hold: the word that somebody was found by.
Word = Annotated[str, Meta(max_length=MAX_WORD, pattern=r"^\w*$")]


@dataclass(frozen=True, slots=True)
class Found:
    word: str
    account: Account


@dataclass(frozen=True, slots=True)
class Question:
    """``words`` are all to be found as beginnings, the first one leads; ``username`` is the text as a whole username,
    by which friends find those whom nobody else does."""

    words: Sequence[str]
    username: str


class SearchStore(Protocol):
    """Neither answers the viewer, those with a block in either direction, or accounts that are not active."""

    async def by_words(
        self, unit: Transaction, viewer: UUID, question: Question, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Found]:
        """In the order of the words that the leading one was found in, from behind the position ``after``."""
        ...

    async def by_email(
        self, unit: Transaction, viewer: UUID, email: str, *, unconfirmed_since: float
    ) -> Account | None:
        """Whoever has confirmed the address, or registered with it after ``unconfirmed_since``."""
        ...


class Search:
    def __init__(
        self, *, units: UnitsOfWork, store: SearchStore, lists: FriendLists, clock: Clock, require_verified_email: bool
    ) -> None:
        self._units = units
        self._store = store
        self._lists = lists
        self._clock = clock
        # Anybody can register with the address of somebody else. They are believed for as long as the mail that asks
        # them to confirm it is good, and not at all where nothing goes on before that.
        self._believed = 0.0 if require_verified_email else LIFETIMES[Purpose.VERIFY_EMAIL]

    async def find(self, viewer: UUID, text: str, *, cursor: str | None, limit: int) -> Page[Acquaintance]:
        """Raises Malformed ``bad_cursor``."""
        after = None if cursor is None else decode_cursor(LISTING, cursor, tuple[Word, UUID])

        async def work(unit: Transaction) -> Page[Acquaintance]:
            if "@" in text:
                found = await self._by_email(unit, viewer, text)
            else:
                asked = question(text)
                found = (
                    await self._store.by_words(unit, viewer, asked, after=after, limit=limit + 1) if asked.words else []
                )
            items = found[:limit]
            more = encode_cursor(LISTING, (items[-1].word, items[-1].account.id)) if len(found) > limit else None
            return Page(await self._known(unit, viewer, [item.account for item in items]), more)

        return await self._units.read(work)

    async def _by_email(self, unit: Transaction, viewer: UUID, text: str) -> Sequence[Found]:
        try:
            address = names.email(text)
        except Unprocessable:
            return []
        since = self._clock.now() - self._believed
        account = await self._store.by_email(unit, viewer, address, unconfirmed_since=since)
        return [] if account is None else [Found("", account)]

    async def _known(self, unit: Transaction, viewer: UUID, people: Sequence[Account]) -> list[Acquaintance]:
        known = await self._lists.standings(unit, viewer, [account.id for account in people])
        found = []
        for account in people:
            tie = known.get(account.id)
            standing, since = (tie.seen_by(viewer), tie.since) if tie is not None else (Standing.NONE, None)
            found.append(Acquaintance(account, standing, since))
        return found


def question(text: str) -> Question:
    """The longest word leads: it is the beginning of the fewest."""
    words = sorted(words_of(text), key=lambda word: (-len(word), word))[:MAX_WORDS]
    return Question(words, unicodedata.normalize("NFKC", text).strip().casefold())
