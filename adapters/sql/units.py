"""Units of work over lanes: which lane, which isolation, how often again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TypeVar

from adapters.sql import sqlite
from adapters.sql.errors import Contention, StoreOutage
from adapters.sql.lane import Lane, Mode, SqlTransaction, Work
from kernel.breaker import Circuit
from kernel.clock import Clock
from kernel.errors import Conflict, DependencyUnavailable
from kernel.metrics import Metrics
from kernel.units import Transaction

Result = TypeVar("Result")

# Ten attempts with pauses of 2, 4, 8 ... 250 ms on average half used: losing ten times in a row means that
# everyone writes the same row, and the caller should hear of it.
MAX_ATTEMPTS = 10
FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.25
# A replica that hangs must leave the primary enough time to answer within the unit's timeout.
REPLICA_SHARE = 0.4


def sql_of(transaction: Transaction) -> SqlTransaction:
    """The transaction as this adapter made it; stores call this on what a room hands them."""
    if not isinstance(transaction, SqlTransaction):
        raise TypeError(f"this transaction belongs to another store: {type(transaction).__name__}")
    return transaction


class SqlUnits:
    """kernel.units.UnitsOfWork. Writes are serializable on every backend; reads see one snapshot."""

    def __init__(
        self,
        *,
        writes: Lane,
        reads: Lane,
        replicas: Sequence[Lane],
        timeout: float,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._writes = writes
        self._reads = reads
        self._replicas = tuple(replicas)
        self._next_replica = 0
        self._timeout = timeout
        self._clock = clock
        self._retries = metrics.counter(
            "database_retries_total", "Attempts at a unit of work that were run again, by reason", ("reason",)
        )

    async def write(self, work: Work[Result], *, serializable: bool = True, timeout: float | None = None) -> Result:
        """``serializable=False`` is for queues and counters whose every statement is right by itself: they order
        themselves by row locks, where serializable transactions would abort each other instead of waiting.
        ``timeout`` replaces the configured one, for work that is known to take long (a migration)."""
        mode = Mode.WRITE if serializable else Mode.QUEUE
        return await self._run(self._writes, mode, work, deadline=self._deadline(timeout))

    async def read(self, work: Work[Result], *, stale_ok: bool = False) -> Result:
        deadline = self._deadline()
        if stale_ok:
            for replica in self._healthy_replicas():
                try:
                    return await replica.run(Mode.READ, work, timeout=self._timeout * REPLICA_SHARE)
                except (DependencyUnavailable, Contention):
                    self._retries.labels("replica_failed").inc()
                    break
        return await self._run(self._reads, Mode.READ, work, deadline=deadline)

    def _healthy_replicas(self) -> list[Lane]:
        count = len(self._replicas)
        self._next_replica += 1
        ordered = [self._replicas[(self._next_replica + offset) % count] for offset in range(count)]
        return [lane for lane in ordered if lane.guard.circuit is not Circuit.OPEN]

    def _deadline(self, timeout: float | None = None) -> float:
        return self._clock.monotonic() + (self._timeout if timeout is None else timeout)

    async def _run(self, lane: Lane, mode: Mode, work: Work[Result], *, deadline: float) -> Result:
        reconnected = False
        for attempt in range(MAX_ATTEMPTS):
            try:
                return await lane.run(mode, work, timeout=max(0.0, deadline - self._clock.monotonic()))
            except DependencyUnavailable as error:
                if reconnected or not _was_stale(error):
                    raise
                reconnected = True
                self._retries.labels("reconnect").inc()
            except Contention as error:
                pause = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE) * random.random()  # noqa: S311 - jitter
                needed = pause + (sqlite.BUSY_SECONDS if error.foreign_lock else 0.0)
                if attempt + 1 == MAX_ATTEMPTS or self._clock.monotonic() + needed >= deadline:
                    raise self._given_up(lane, error) from error
                self._retries.labels("contention").inc()
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _given_up(self, lane: Lane, error: Contention) -> Exception:
        if error.foreign_lock:
            return DependencyUnavailable(lane.guard.dependency, "another process holds the database file's lock")
        return Conflict(
            "Too many others were changing the same thing; try again.", code="write_contention", retry_after=1.0
        )


def _was_stale(error: DependencyUnavailable) -> bool:
    return isinstance(error.__cause__, StoreOutage) and error.__cause__.stale_connection
