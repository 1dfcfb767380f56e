"""Erasing history: whole buckets by one partition delete, the last by one range delete, keys one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.cassandra.buckets import FIRST, STALE_AFTER, Buckets, microseconds
from adapters.cassandra.history import BUCKETS_AT_A_TIME
from adapters.cassandra.requests import Requests
from adapters.cassandra.statements import Statements
from kernel.clock import Clock

if TYPE_CHECKING:
    from adapters.cassandra.driver import Bridge

# Each key is a conditional delete of its own partition: a few at a time, so that people's messages come first.
KEYS_AT_A_TIME = 16
LISTED_AT_A_TIME = 512


class Retention:
    def __init__(
        self, bridge: Bridge, statements: Statements, requests: Requests, buckets: Buckets, clock: Clock
    ) -> None:
        self._bridge = bridge
        self._statements = statements
        self._requests = requests
        self._buckets = buckets
        self._clock = clock

    async def forget(self, conversation: UUID, *, older_than: UUID) -> int:
        last = self._buckets.of(older_than)
        forgotten = 0
        edge = FIRST
        while True:
            found = await self._run(self._statements.buckets_up, (conversation, edge, BUCKETS_AT_A_TIME))
            for bucket in [row.bucket for row in found if row.bucket <= last]:
                forgotten += await self._forget_bucket(conversation, bucket, older_than, whole=bucket < last)
            if len(found) < BUCKETS_AT_A_TIME or found[-1].bucket >= last:
                return forgotten
            edge = found[-1].bucket + 1

    async def _forget_bucket(self, conversation: UUID, bucket: int, older_than: UUID, *, whole: bool) -> int:
        """Keys first: interrupted before the entries go, the next run finds these and all that is left to do."""
        rows, entries = await self._forget_keys(conversation, bucket, older_than)
        now = self._clock.now()
        if rows and whole:
            await self._run(self._statements.erase_bucket, (microseconds(now), conversation, bucket))
        elif rows:
            await self._run(self._statements.erase_below, (microseconds(now), conversation, bucket, older_than.bytes))
        if whole:
            # Only an index row that no node can be relying on any more; a younger one goes with a later run.
            await self._run(self._statements.unindex, (microseconds(now - STALE_AFTER), conversation, bucket))
        return entries

    async def _forget_keys(self, conversation: UUID, bucket: int, older_than: UUID) -> tuple[int, int]:
        """Answers how many rows there are, and how many of them are entries."""
        seen = entries = 0
        edge = b""
        while True:
            place = (conversation, bucket, edge, older_than.bytes, LISTED_AT_A_TIME)
            rows = await self._run(self._statements.keys_between, place)
            for start in range(0, len(rows), KEYS_AT_A_TIME):
                await asyncio.gather(
                    *(
                        self._run(self._statements.drop_claim, (conversation, row.key, row.id))
                        for row in rows[start : start + KEYS_AT_A_TIME]
                    )
                )
            seen += len(rows)
            entries += sum(row.at is not None for row in rows)
            if len(rows) < LISTED_AT_A_TIME:
                return seen, entries
            edge = rows[-1].id

    async def _run(self, statement: Any, values: tuple[object, ...]) -> Any:
        return await self._requests.run(lambda: self._bridge.execute(statement.bind(values)))
