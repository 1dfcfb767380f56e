"""The message log on Cassandra: appending and amending. docs/message-log.md tells why it is done in this way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.cassandra.buckets import Buckets, KnownBuckets, microseconds
from adapters.cassandra.history import History, entry_in
from adapters.cassandra.requests import Requests
from adapters.cassandra.retention import Retention
from adapters.cassandra.statements import Statements
from kernel.clock import Clock
from kernel.errors import Conflict, DependencyUnavailable, NotFound
from kernel.messagelog import LogEntry, check_append, check_body, check_limit

if TYPE_CHECKING:
    from adapters.cassandra.driver import Bridge

# How long a claim carries the body, so that whoever retries can finish what was begun with the same words.
CLAIM_SECONDS = 86_400
# A claim is won, found or taken over; only an erasure in between makes it start again.
ATTEMPTS = 3
# Conditional updates of one partition get in each other's way; those of one node take turns instead.
AMEND_LANES = 64


@dataclass(frozen=True, slots=True)
class Words:
    """What a claim's entry says, and since when (microseconds, the timestamp it is written with)."""

    at: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """Which entry a key stands for. The words expire; by then they are written, or nobody ever came back."""

    id: UUID
    words: Words | None


class CassandraMessageLog:
    def __init__(
        self, bridge: Bridge, statements: Statements, requests: Requests, buckets: Buckets, clock: Clock
    ) -> None:
        self._bridge = bridge
        self._statements = statements
        self._requests = requests
        self._buckets = buckets
        self._clock = clock
        self._history = History(bridge, statements, buckets)
        self._retention = Retention(bridge, statements, requests, buckets, clock)
        self._known = KnownBuckets()
        self._amending = tuple(asyncio.Lock() for _ in range(AMEND_LANES))

    async def append(self, entry: LogEntry) -> LogEntry:
        check_append(entry, self._clock.now())
        return await self._requests.run(lambda: self._append(entry))

    async def get(self, conversation: UUID, entry: UUID) -> LogEntry | None:
        return await self._requests.run(lambda: self._history.get(conversation, entry))

    async def before(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        check_limit(limit)
        return await self._requests.run(lambda: self._history.before(conversation, bound, limit))

    async def after(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        check_limit(limit)
        return await self._requests.run(lambda: self._history.after(conversation, bound, limit))

    async def amend(self, conversation: UUID, entry: UUID, *, expected_version: int, body: bytes) -> LogEntry:
        check_body(body)

        async def change() -> LogEntry:
            async with self._amending[conversation.int % AMEND_LANES]:
                return await self._amend(conversation, entry, expected_version, body)

        return await self._requests.run(change)

    async def forget(self, conversation: UUID, *, older_than: UUID) -> int:
        return await self._retention.forget(conversation, older_than=older_than)

    async def _append(self, entry: LogEntry) -> LogEntry:
        """Claim the key, then write the entry it was claimed for; every step may be repeated by anybody."""
        for _ in range(ATTEMPTS):
            words = Words(microseconds(self._clock.now()), entry.body)
            claim, _indexed = await asyncio.gather(self._claim(entry, words), self._index(entry.conversation, entry.id))
            if claim == Claim(entry.id, words):
                await self._write(entry, words)
                return entry
            stored = await self._finish(entry, claim)
            if stored is not None:
                return stored
        raise DependencyUnavailable(self._requests.guard.dependency, "this message is being erased; try again")

    async def _claim(self, entry: LogEntry, words: Words) -> Claim:
        cql = self._statements
        (row,) = await self._bridge.execute(
            self._bridge.batch(
                cql.claim.bind((entry.conversation, entry.key, entry.id.bytes)),
                cql.claim_words.bind((CLAIM_SECONDS, words.at, words.body, entry.conversation, entry.key)),
            )
        )
        if row.applied:
            return Claim(entry.id, words)
        return Claim(UUID(bytes=row.id), None if row.at is None else Words(row.at, row.body))

    async def _finish(self, entry: LogEntry, claim: Claim) -> LogEntry | None:
        """The key was claimed before. Answers what is stored under it, stored now if it was not; None when the
        claim is no more and the append has to start again."""
        stored = await self._history.get(entry.conversation, claim.id, key=entry.key)
        if stored is not None:
            return stored
        words = claim.words or await self._renew(entry, claim)
        if words is None:
            return None
        begun = LogEntry(entry.conversation, claim.id, entry.key, words.body)
        await self._index(begun.conversation, begun.id)
        await self._write(begun, words)
        stored = await self._history.get(begun.conversation, begun.id, key=begun.key)
        if stored is None:
            # Erased after it was claimed: the tombstone is younger than the claim and hides what it writes.
            await self._bridge.execute(
                self._statements.drop_claim.bind((begun.conversation, begun.key, begun.id.bytes))
            )
        return stored

    async def _renew(self, entry: LogEntry, claim: Claim) -> Words | None:
        """Nothing was acknowledged before the words expired: of all who retry now, one gives new ones."""
        words = Words(microseconds(self._clock.now()), entry.body)
        (row,) = await self._bridge.execute(
            self._statements.renew_claim.bind(
                (CLAIM_SECONDS, words.at, words.body, entry.conversation, entry.key, claim.id.bytes, None)
            )
        )
        return words if row.applied else None

    async def _index(self, conversation: UUID, identifier: UUID) -> None:
        """Before any entry is written into a bucket, the bucket is in the index."""
        bucket = self._buckets.of(identifier)
        now = self._clock.now()
        if self._known.trusts(conversation, bucket, now):
            return
        await self._bridge.execute(self._statements.index.bind((conversation, bucket, microseconds(now))))
        self._known.remember(conversation, bucket, now)

    async def _write(self, entry: LogEntry, words: Words) -> None:
        place = (entry.conversation, self._buckets.of(entry.id), entry.id.bytes, entry.key)
        await self._bridge.execute(self._statements.write.bind((*place, words.at, words.body, words.at)))

    async def _amend(self, conversation: UUID, identifier: UUID, expected_version: int, body: bytes) -> LogEntry:
        place = (conversation, self._buckets.of(identifier), identifier.bytes)
        found = await self._history.row(conversation, identifier)
        if found is None:
            raise NotFound("There is no such message.")
        if entry_in(conversation, found).version == expected_version:
            stored_version = None if expected_version == 1 else expected_version
            (row,) = await self._bridge.execute(
                self._statements.amend.bind((body, expected_version + 1, *place, found.key, found.at, stored_version))
            )
            if row.applied:
                return LogEntry(conversation, identifier, found.key, body, expected_version + 1)
        raise Conflict("The message was changed by someone else.", code="version_conflict")
