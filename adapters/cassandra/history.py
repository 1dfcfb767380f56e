"""Reading the log: one entry, or a stretch of history across its buckets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.cassandra.buckets import FIRST, LAST, Buckets
from adapters.cassandra.statements import Statements
from kernel.messagelog import LogEntry

if TYPE_CHECKING:
    from adapters.cassandra.driver import Bridge

# Buckets looked up at a time, and of these read at the same time: first one (a page mostly lies in the newest),
# then twice as many each, so that a conversation of one message a year is read in a few round trips too.
BUCKETS_AT_A_TIME = 64
WIDEST = 8

# Blobs below and above every id.
_LOWEST = b""
_HIGHEST = b"\xff" * 17


@dataclass(frozen=True, slots=True)
class _Direction:
    """Of a walk through history: the statement that lists buckets, the one that reads a bucket, the next bucket."""

    index: Any
    part: Any
    step: int


class History:
    def __init__(self, bridge: Bridge, statements: Statements, buckets: Buckets) -> None:
        self._bridge = bridge
        self._statements = statements
        self._buckets = buckets
        self._down = _Direction(statements.buckets_down, statements.below, -1)
        self._up = _Direction(statements.buckets_up, statements.above, 1)

    async def row(self, conversation: UUID, identifier: UUID, *, key: str | None = None) -> Any:
        """As the table has it, or None."""
        place = (conversation, self._buckets.of(identifier), identifier.bytes)
        for row in await self._bridge.execute(self._statements.one.bind(place)):
            if row.at is not None and key in (None, row.key):
                return row
        return None

    async def get(self, conversation: UUID, identifier: UUID, *, key: str | None = None) -> LogEntry | None:
        row = await self.row(conversation, identifier, key=key)
        return None if row is None else entry_in(conversation, row)

    async def before(self, conversation: UUID, bound: UUID | None, limit: int) -> list[LogEntry]:
        newest, edge = (LAST, _HIGHEST) if bound is None else (self._buckets.of(bound), bound.bytes)
        return await self._walk(self._down, conversation, newest, edge, limit)

    async def after(self, conversation: UUID, bound: UUID | None, limit: int) -> list[LogEntry]:
        oldest, edge = (FIRST, _LOWEST) if bound is None else (self._buckets.of(bound), bound.bytes)
        return await self._walk(self._up, conversation, oldest, edge, limit)

    async def _walk(
        self, direction: _Direction, conversation: UUID, bucket: int, edge: bytes, limit: int
    ) -> list[LogEntry]:
        found: list[LogEntry] = []
        while True:
            rows = await self._bridge.execute(direction.index.bind((conversation, bucket, BUCKETS_AT_A_TIME)))
            for group in _widening([row.bucket for row in rows]):
                wanted = limit - len(found)
                parts = await asyncio.gather(
                    *(self._part(direction.part, conversation, each, edge, wanted) for each in group)
                )
                found += [entry for entries in parts for entry in entries]
                if len(found) >= limit:
                    return found[:limit]
            if len(rows) < BUCKETS_AT_A_TIME:
                return found
            bucket = rows[-1].bucket + direction.step

    async def _part(self, statement: Any, conversation: UUID, bucket: int, edge: bytes, wanted: int) -> list[LogEntry]:
        """At most ``wanted`` entries of one bucket; fewer only when it has no more."""
        found: list[LogEntry] = []
        while True:
            asked = wanted - len(found)
            rows = await self._bridge.execute(statement.bind((conversation, bucket, edge, asked)))
            # An erasure that met an amendment on its way leaves a row without its base: it is not an entry.
            found += [entry_in(conversation, row) for row in rows if row.at is not None]
            if len(rows) < asked or len(found) == wanted:
                return found
            edge = rows[-1].id


def entry_in(conversation: UUID, row: Any) -> LogEntry:
    identifier = UUID(bytes=row.id)
    if row.version is None:
        return LogEntry(conversation, identifier, row.key, row.body)
    return LogEntry(conversation, identifier, row.key, row.amended, row.version)


def _widening(buckets: Sequence[int]) -> Iterator[Sequence[int]]:
    start, width = 0, 1
    while start < len(buckets):
        yield buckets[start : start + width]
        start, width = start + width, min(width * 2, WIDEST)
