"""The embedded message log behind its ports."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

from adapters.guard import Guard
from adapters.sqlitelog.batch import Amendment, Erasure, Heartbeat
from adapters.sqlitelog.file import FileTrouble
from adapters.sqlitelog.readers import Readers
from adapters.sqlitelog.writer import GroupCommit, WriterThread
from config.sections import Messages
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable
from kernel.health import ProbeResult
from kernel.messagelog import LogEntry, check_append, check_body, check_limit
from kernel.metrics import Metrics

# Erasing holds the writer this many entries at a time; appends get their turn in between.
ERASED_AT_A_TIME = 500

# Blobs below and above every id.
_FIRST = b""
_LAST = b"\xff" * 17

Row = tuple[bytes, str, int, bytes]


class SqliteMessageLog:
    def __init__(self, writer: GroupCommit, readers: Readers, clock: Clock) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock

    async def append(self, entry: LogEntry) -> LogEntry:
        check_append(entry, self._clock.now())
        return cast(LogEntry, await self._writer.submit(entry, len(entry.body)))

    async def get(self, conversation: UUID, entry: UUID) -> LogEntry | None:
        def read(connection: sqlite3.Connection) -> list[Row]:
            return connection.execute(
                "SELECT id, key, version, body FROM entries WHERE conversation = ? AND id = ?",
                (conversation.bytes, entry.bytes),
            ).fetchall()

        rows = await self._readers.read(read)
        return _entry(conversation, rows[0]) if rows else None

    async def before(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        return await self._range(
            conversation, "id < ? ORDER BY id DESC", _LAST if bound is None else bound.bytes, limit
        )

    async def after(self, conversation: UUID, bound: UUID | None, *, limit: int) -> Sequence[LogEntry]:
        return await self._range(conversation, "id > ? ORDER BY id", _FIRST if bound is None else bound.bytes, limit)

    async def amend(self, conversation: UUID, entry: UUID, *, expected_version: int, body: bytes) -> LogEntry:
        check_body(body)
        amendment = Amendment(conversation, entry, expected_version, body)
        return cast(LogEntry, await self._writer.submit(amendment, len(body)))

    async def forget(self, conversation: UUID, *, older_than: UUID) -> int:
        forgotten = 0
        erased = ERASED_AT_A_TIME
        while erased == ERASED_AT_A_TIME:
            erased = cast(int, await self._writer.submit(Erasure(conversation, older_than, ERASED_AT_A_TIME)))
            forgotten += erased
        return forgotten

    async def _range(self, conversation: UUID, part: str, bound: bytes, limit: int) -> Sequence[LogEntry]:
        check_limit(limit)
        statement = f"SELECT id, key, version, body FROM entries WHERE conversation = ? AND {part} LIMIT ?"

        def read(connection: sqlite3.Connection) -> list[LogEntry]:
            rows = connection.execute(statement, (conversation.bytes, bound, limit))
            return [_entry(conversation, row) for row in rows]

        return await self._readers.read(read)


class SqliteLogDependency:
    """Healthy means that a write reaches the disk."""

    name = "messages"
    required = True

    def __init__(self, guard: Guard, thread: WriterThread) -> None:
        self._guard = guard
        self._thread = thread

    async def probe(self) -> ProbeResult:
        return await self._guard.probe(lambda: self._thread.write([Heartbeat()]))


@dataclass(frozen=True, slots=True)
class SqliteLogStores:
    messages: SqliteMessageLog
    dependency: SqliteLogDependency
    guard: Guard


@asynccontextmanager
async def open_sqlite_log(
    settings: Messages, path: Path, *, clock: Clock, metrics: Metrics
) -> AsyncIterator[SqliteLogStores]:
    """The log in the file ``path``, created when missing. DependencyUnavailable says why it cannot be used;
    leaving the context writes what waits and ends the threads."""

    def guard(name: str) -> Guard:
        return Guard(name, timeout=settings.timeout, outages=(FileTrouble,), clock=clock, metrics=metrics)

    # A full disk stops writing, not reading: two circuits.
    writing, reading = guard("messages"), guard("messages_reads")
    thread = WriterThread(path)
    readers = Readers(path, guard=reading, metrics=metrics)
    try:
        await _open(thread, readers, path, settings.timeout)
        writer = GroupCommit(thread, guard=writing, clock=clock, metrics=metrics)
        committing = asyncio.create_task(writer.run(), name="message log writer")
        try:
            yield SqliteLogStores(
                SqliteMessageLog(writer, readers, clock), SqliteLogDependency(writing, thread), writing
            )
        finally:
            writer.close()
            await committing
    finally:
        await readers.close(timeout=settings.timeout)
        await thread.close(timeout=settings.timeout)


async def _open(thread: WriterThread, readers: Readers, path: Path, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await thread.open()
            await readers.open()
    except FileTrouble as trouble:
        raise DependencyUnavailable("messages", f"{path}: {trouble}") from trouble
    except TimeoutError as error:
        raise DependencyUnavailable("messages", f"{path}: its disk did not answer within {timeout:g} s") from error


def _entry(conversation: UUID, row: Row) -> LogEntry:
    return LogEntry(conversation, UUID(bytes=row[0]), row[1], row[3], row[2])
