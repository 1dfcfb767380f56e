"""The message log: append-mostly histories, one per conversation, read newest first and never lost once acknowledged.

The log stores opaque bodies; what a message is belongs to the room that writes it. Entries are ordered by their
id (a UUIDv7, see kernel/ids.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LogEntry:
    """``version`` counts amendments, from 1. ``key`` makes a retried append idempotent (a client's message id
    together with its sender)."""

    conversation: UUID
    id: UUID
    key: str
    body: bytes
    version: int = 1


class MessageLog(Protocol):
    async def append(self, entry: LogEntry) -> LogEntry:
        """Durable (fsynced, or acknowledged by a quorum) when it returns.

        Answers the entry that is stored: this one, or the first one that came with the same conversation and
        key. Raises Malformed ``implausible_id`` for an id that is no UUIDv7 or lies in the future.
        """
        ...

    async def get(self, conversation: UUID, entry: UUID) -> LogEntry | None: ...

    async def before(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        """The ``limit`` newest entries with an id below ``bound`` (None: the newest of all), newest first."""
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
        """Erase every entry with a smaller id, keys too; answers how many."""
        ...
