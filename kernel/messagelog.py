"""The message log: append-mostly histories, one per conversation, read newest first and never lost once acknowledged.

The log stores opaque bodies; what a message is belongs to the room that writes it. Entries are ordered by their
id (a UUIDv7, see kernel/ids.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.errors import Malformed, TooLarge
from kernel.ids import is_plausible

# What every store takes: Cassandra refuses mutations of half a commit log segment, a PostgreSQL index row ends
# near 2,700 bytes, and a read of a thousand messages is more than any screen shows.
MAX_BODY = 1 << 20
MAX_KEY = 512
MAX_READ = 1000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """``version`` counts amendments, from 1. ``key`` makes a retried append idempotent (a client's message id
    together with its sender)."""

    conversation: UUID
    id: UUID
    key: str
    body: bytes
    version: int = 1


def check_append(entry: LogEntry, now: float) -> None:
    """What every log refuses, and how: Malformed ``implausible_id`` or ``bad_key``, TooLarge ``body_too_large``."""
    if not is_plausible(entry.id, now):
        raise Malformed("The id is no UUIDv7, or lies in the future.", code="implausible_id")
    if entry.version != 1:
        raise ValueError("a new entry has version 1")
    check_key(entry.key)
    check_body(entry.body)


def check_key(key: str) -> None:
    # A lone surrogate has no UTF-8, and PostgreSQL stores no NUL.
    if not 0 < len(key) <= MAX_KEY or "\0" in key or not _is_encodable(key):
        raise Malformed(f"A key has 1 to {MAX_KEY} characters of valid Unicode, none of them NUL.", code="bad_key")


def check_body(body: bytes) -> None:
    if len(body) > MAX_BODY:
        raise TooLarge(f"A message has at most {MAX_BODY} bytes.", code="body_too_large")


def check_limit(limit: int) -> None:
    if not 0 < limit <= MAX_READ:
        raise Malformed(f"A limit lies between 1 and {MAX_READ}.", code="bad_limit")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class MessageLog(Protocol):
    async def append(self, entry: LogEntry) -> LogEntry:
        """Durable (fsynced, or acknowledged by a quorum) when it returns.

        Answers the entry that is stored: this one, or the first one that came with the same conversation and
        key (as it reads now, should it have been amended). Raises what ``check_append`` raises. A cancelled
        caller's entry may or may not be stored.

        Ids are the caller's to keep unique. A second entry under an id never replaces the first: a store that
        notices raises Conflict ``id_taken``, one that would have to look first (Cassandra) keeps both.
        """
        ...

    async def get(self, conversation: UUID, entry: UUID) -> LogEntry | None: ...

    async def before(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        """The ``limit`` newest entries with an id below ``bound`` (None: the newest of all), newest first.
        Malformed ``bad_limit`` unless the limit is 1 to MAX_READ."""
        ...

    async def after(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        """The ``limit`` oldest entries with an id above ``bound`` (None: the first of all), oldest first."""
        ...

    async def amend(self, conversation: UUID, entry: UUID, *, expected_version: int, body: bytes) -> LogEntry:
        """Replace the body. Of several writers with the same expectation one wins; the others get Conflict
        ``version_conflict``. NotFound when there is no such entry."""
        ...


class MessageRetention(Protocol):
    async def forget(self, conversation: UUID, *, older_than: UUID) -> int:
        """Erase every entry with a smaller id, keys too; answers how many.

        An interrupted call has erased a part; the next one erases the rest. An entry appended while this runs,
        with an id that old, may be erased with the others.
        """
        ...
