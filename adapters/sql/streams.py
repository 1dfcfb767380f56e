"""kernel.streams.DurableStreams over SQL.

A row per stream holds its newest position; whoever appends locks that row, so positions have no gaps and become
visible in order. Appends of this process that arrive while a transaction runs share the next one: a commit costs
a sync of the disk or a round trip whether it carries one record or a hundred.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from adapters.sql.lane import SqlTransaction
from adapters.sql.metadata import Bytes, Integer, Moment, Text, metadata, storable, upsert
from adapters.sql.units import SqlUnits
from kernel.bus import EventBus
from kernel.clock import Clock
from kernel.ephemeral import MAX_KEY_BYTES, require_key
from kernel.errors import DependencyUnavailable, Overloaded, SecureConnectError
from kernel.metrics import Metrics
from kernel.streams import StreamRecord

# A transaction takes this much at most: enough to make the commit's cost negligible, little enough to finish
# well within a timeout.
BATCH_RECORDS = 500
BATCH_BYTES = 4 << 20
# Waiting appends beyond this are refused (Overloaded): at the slowest rate seen they would time out anyway.
MAX_PENDING = 10_000
# Wake-ups waiting to be published; one per stream, the newest position wins. Beyond this they are dropped and
# counted: waiting readers look for themselves anyway.
MAX_WAKEUPS = 10_000
# How often a waiting reader looks for itself: with a bus only in case an event was lost, without one to notice.
POLL_WITH_BUS = 2.0
POLL_WITHOUT_BUS = 0.1

STREAMS = Table(
    "streams",
    metadata,
    Column("name", Text, nullable=False),
    Column("last", Integer, nullable=False),
    PrimaryKeyConstraint("name"),
)

RECORDS = Table(
    "stream_records",
    metadata,
    Column("stream", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("key", Text),
    Column("payload", Bytes, nullable=False),
    Column("appended_at", Moment, nullable=False),
    PrimaryKeyConstraint("stream", "position"),
    UniqueConstraint("stream", "key"),
)


def _advance_statement() -> ReturningInsert[str, int]:
    statement = upsert(STREAMS)
    return statement.on_conflict_do_update(
        index_elements=[STREAMS.c.name], set_={"last": STREAMS.c.last + statement.excluded.last}
    ).returning(STREAMS.c.name, STREAMS.c.last)


ADVANCE = _advance_statement()
TAKE_BACK = update(STREAMS).where(STREAMS.c.name == bindparam("stream")).values(last=bindparam("newest"))
KNOWN_KEYS = select(RECORDS.c.stream, RECORDS.c.key, RECORDS.c.position).where(
    tuple_(RECORDS.c.stream, RECORDS.c.key).in_(bindparam("keys", expanding=True))
)
ADD = insert(RECORDS)
READ = (
    select(RECORDS)
    .where(RECORDS.c.stream == bindparam("stream"), RECORDS.c.position > bindparam("after"))
    .order_by(RECORDS.c.position)
    .limit(bindparam("limit"))
)
LAST = select(STREAMS.c.last).where(STREAMS.c.name == bindparam("stream"))
TRIM = delete(RECORDS).where(RECORDS.c.stream == bindparam("stream"), RECORDS.c.position <= bindparam("through"))


@dataclass(slots=True, eq=False)
class _Append:
    stream: str
    payload: bytes
    key: str | None
    position: asyncio.Future[int]


class SqlStreams:
    def __init__(
        self, units: SqlUnits, *, timeout: float, bus: EventBus | None, clock: Clock, metrics: Metrics
    ) -> None:
        self._units = units
        self._timeout = timeout
        self._bus = bus
        self._clock = clock
        self._pending: deque[_Append] = deque()
        self._work = asyncio.Event()
        self._wakeups: dict[str, int] = {}
        self._to_publish = asyncio.Event()
        self._batches = metrics.histogram(
            "stream_batch_records", "Records appended by one transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
        )
        self._missed = metrics.counter("stream_wakeups_dropped_total", "Wake-ups of readers that were not published")
        metrics.gauge("stream_appends_waiting", "Appends waiting for their transaction").set_function(
            lambda: len(self._pending)
        )

    async def append(self, stream: str, payload: bytes, *, key: str | None = None) -> int:
        for name in (stream,) if key is None else (stream, key):
            require_key(storable(name))
        if len(self._pending) >= MAX_PENDING:
            raise Overloaded("Too many events are waiting to be stored.", code="database_overloaded")
        entry = _Append(stream, payload, key, asyncio.get_running_loop().create_future())
        self._pending.append(entry)
        self._work.set()
        try:
            async with asyncio.timeout(self._timeout):
                return await entry.position
        except TimeoutError as error:
            raise DependencyUnavailable("database", f"an append took longer than {self._timeout:g} s") from error

    async def read(self, stream: str, *, after: int = 0, limit: int = 100) -> Sequence[StreamRecord]:
        async def fetch(transaction: SqlTransaction) -> list[StreamRecord]:
            rows = await transaction.connection.execute(READ, {"stream": stream, "after": after, "limit": limit})
            return [StreamRecord(row.stream, row.position, row.payload, row.appended_at) for row in rows]

        return await self._units.read(fetch)

    async def last(self, stream: str) -> int:
        async def fetch(transaction: SqlTransaction) -> int:
            return (await transaction.connection.execute(LAST, {"stream": stream})).scalar_one_or_none() or 0

        return await self._units.read(fetch)

    async def trim(self, stream: str, *, through: int) -> int:
        async def erase(transaction: SqlTransaction) -> int:
            return (await transaction.connection.execute(TRIM, {"stream": stream, "through": through})).rowcount

        return await self._units.write(erase, serializable=False)

    async def wait(self, stream: str, *, after: int, timeout: float) -> bool:
        # Only the pauses are cut short, never a look into the store: that would cost its connection.
        deadline = self._clock.monotonic() + timeout
        async with self._pauses(stream) as pause:
            while not await self._has_more(stream, after):
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return False
                await pause(left)
            return True

    @asynccontextmanager
    async def _pauses(self, stream: str) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """Something to await before looking again, at most so many seconds long."""
        if self._bus is None:
            yield lambda left: asyncio.sleep(min(left, POLL_WITHOUT_BUS))
            return
        async with self._bus.subscribe([channel_of(stream)], queue=1) as subscription:
            events = aiter(subscription)

            async def until_an_event(left: float) -> None:
                # Any will do, EventsLost too: the store knows what there is.
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, POLL_WITH_BUS)):
                        await anext(events)

            yield until_an_event

    async def _has_more(self, stream: str, after: int) -> bool:
        return bool(await self.read(stream, after=after, limit=1))

    async def commit_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while batch := self._next_batch():
                await self._commit(batch)

    def _next_batch(self) -> list[_Append]:
        batch: list[_Append] = []
        size = 0
        while self._pending and len(batch) < BATCH_RECORDS and size < BATCH_BYTES:
            entry = self._pending.popleft()
            if not entry.position.done():  # its caller was cancelled, or out of time
                batch.append(entry)
                size += len(entry.payload)
        return batch

    async def _commit(self, batch: list[_Append]) -> None:
        self._batches.observe(len(batch))
        now = self._clock.now()
        try:
            positions = await self._units.write(lambda unit: _append_all(unit, batch, now), serializable=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, every caller of this batch gets it
            for entry in batch:
                if not entry.position.done():
                    entry.position.set_exception(error)
            return
        for entry, position in zip(batch, positions, strict=True):
            if not entry.position.done():
                entry.position.set_result(position)
            self._wake(entry.stream, position)

    def _wake(self, stream: str, position: int) -> None:
        if self._bus is None:
            return
        if stream not in self._wakeups and len(self._wakeups) >= MAX_WAKEUPS:
            self._missed.inc()
            return
        self._wakeups[stream] = max(position, self._wakeups.get(stream, 0))
        self._to_publish.set()

    async def publish_forever(self, bus: EventBus) -> None:
        while True:
            await self._to_publish.wait()
            self._to_publish.clear()
            wakeups, self._wakeups = self._wakeups, {}
            for stream, position in wakeups.items():
                try:
                    await bus.publish(channel_of(stream), str(position).encode())
                except SecureConnectError:
                    self._missed.inc()

    def abandon(self) -> None:
        for entry in self._pending:
            if not entry.position.done():
                entry.position.set_exception(DependencyUnavailable("database", "this node is shutting down"))
        self._pending.clear()


@asynccontextmanager
async def open_streams(
    units: SqlUnits, *, timeout: float, bus: EventBus | None, clock: Clock, metrics: Metrics
) -> AsyncIterator[SqlStreams]:
    opened = SqlStreams(units, timeout=timeout, bus=bus, clock=clock, metrics=metrics)
    tasks = [asyncio.create_task(opened.commit_forever(), name="stream appends")]
    if bus is not None:
        tasks.append(asyncio.create_task(opened.publish_forever(bus), name="stream wake-ups"))
    try:
        yield opened
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        opened.abandon()


def channel_of(stream: str) -> str:
    """Where an append is announced. Names of channels are as short as those of streams, so long ones are hashed."""
    channel = f"stream:{stream}"
    if len(channel.encode()) <= MAX_KEY_BYTES:
        return channel
    return f"stream:{hashlib.sha256(stream.encode()).hexdigest()}"


async def _append_all(transaction: SqlTransaction, batch: Sequence[_Append], now: float) -> list[int]:
    """Answers the positions in the order of ``batch``."""
    connection = transaction.connection
    counts = Counter(stream for stream, _ in {_identity(entry) for entry in batch})
    # In the order of names, as every other node does it: otherwise two of them could lock each other out.
    advances = [{"name": name, "last": counts[name]} for name in sorted(counts)]
    ends = {row.name: row.last for row in await connection.execute(ADVANCE, advances)}
    newest = {name: end - counts[name] for name, end in ends.items()}
    positions = await _known_positions(connection, batch)
    rows: list[dict[str, object]] = []
    for entry in batch:
        identity = _identity(entry)
        if identity in positions:
            continue
        newest[entry.stream] += 1
        positions[identity] = newest[entry.stream]
        rows.append(
            {
                "stream": entry.stream,
                "position": newest[entry.stream],
                "key": entry.key,
                "payload": entry.payload,
                "appended_at": now,
            }
        )
    if rows:
        await connection.execute(ADD, rows)
    if newest != ends:  # some were known already, so fewer positions were used than were taken
        corrections = [{"stream": name, "newest": last} for name, last in newest.items() if last != ends[name]]
        await connection.execute(TAKE_BACK, corrections)
    return [positions[_identity(entry)] for entry in batch]


_Identity = tuple[str, str | int]


def _identity(entry: _Append) -> _Identity:
    """What makes two appends the same one: stream and key, or nothing but being the same call."""
    return entry.stream, id(entry) if entry.key is None else entry.key


async def _known_positions(connection: AsyncConnection, batch: Sequence[_Append]) -> dict[_Identity, int]:
    """Looked up after the streams are locked, so that nobody can add one of the keys in between."""
    keys = {(entry.stream, entry.key) for entry in batch if entry.key is not None}
    if not keys:
        return {}
    rows = await connection.execute(KNOWN_KEYS, {"keys": list(keys)})
    return {(row.stream, row.key): row.position for row in rows}
