"""One transaction of the writer: what waits is written together, and every operation gets an answer of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from adapters.sqlitelog.file import trouble_in
from kernel.errors import Conflict, NotFound
from kernel.messagelog import LogEntry


@dataclass(frozen=True, slots=True)
class Amendment:
    conversation: UUID
    id: UUID
    expected_version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Erasure:
    """Of the oldest entries below ``older_than``, at most ``limit``."""

    conversation: UUID
    older_than: UUID
    limit: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A write of no consequence: proves that the disk takes writes."""


Operation = LogEntry | Amendment | Erasure | Heartbeat
# What the caller is answered: a result, or an exception to raise there.
Outcome = LogEntry | int | None | Exception

# One statement takes many rows. Every statement gives up the interpreter's lock and has to win it back from the
# event loop, so a batch of hundreds must not be hundreds of statements. Powers of two keep the prepared ones few.
_CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_INSERTS = {
    rows: "INSERT INTO entries (conversation, id, key, version, body) VALUES "
    + ", ".join(["(?, ?, ?, 1, ?)"] * rows)
    + " ON CONFLICT DO NOTHING"
    for rows in _CHUNKS
}


def write(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
    """All of it in one durable transaction. An operation that fails by itself fails alone; trouble with the file
    or the disk (sqlite3.Error that ``trouble_in`` explains) is raised, and nothing was written."""
    try:
        try:
            return _transact(connection, operations, _together)
        except Exception as error:
            if trouble_in(error) is not None:
                raise
            return _transact(connection, operations, _one_by_one)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _transact(
    connection: sqlite3.Connection,
    operations: Sequence[Operation],
    way: Callable[[sqlite3.Connection, Sequence[Operation]], list[Outcome]],
) -> list[Outcome]:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    outcomes = way(connection, operations)
    connection.execute("COMMIT")
    return outcomes


def _together(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for kind, run in groupby(operations, type):
        outcomes += _HANDLERS[kind](connection, list(run))
    return outcomes


def _one_by_one(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for operation in operations:
        connection.execute("SAVEPOINT one")
        try:
            outcomes += _HANDLERS[type(operation)](connection, [operation])
        except Exception as error:
            if trouble_in(error) is not None:
                raise
            connection.execute("ROLLBACK TO one")
            outcomes.append(error)
        connection.execute("RELEASE one")
    return outcomes


def _append(connection: sqlite3.Connection, entries: list[LogEntry]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    start = 0
    for size in _CHUNKS:
        while len(entries) - start >= size:
            outcomes += _append_chunk(connection, entries[start : start + size])
            start += size
    return outcomes


def _append_chunk(connection: sqlite3.Connection, chunk: list[LogEntry]) -> Sequence[Outcome]:
    values: list[bytes | str] = []
    for entry in chunk:
        values += (entry.conversation.bytes, entry.id.bytes, entry.key, entry.body)
    inserted = connection.execute(_INSERTS[len(chunk)], values).rowcount
    if inserted == len(chunk):
        return chunk
    return [_stored(connection, entry) for entry in chunk]


def _stored(connection: sqlite3.Connection, entry: LogEntry) -> Outcome:
    row = connection.execute(
        "SELECT id, version, body FROM entries WHERE conversation = ? AND key = ?",
        (entry.conversation.bytes, entry.key),
    ).fetchone()
    if row is None:
        return Conflict("This id already belongs to another entry.", code="id_taken")
    return LogEntry(entry.conversation, UUID(bytes=row[0]), entry.key, row[2], row[1])


def _amend(connection: sqlite3.Connection, amendments: list[Amendment]) -> list[Outcome]:
    return [_amend_one(connection, amendment) for amendment in amendments]


def _amend_one(connection: sqlite3.Connection, change: Amendment) -> Outcome:
    place = (change.conversation.bytes, change.id.bytes)
    row = connection.execute(
        "UPDATE entries SET body = ?, version = version + 1"
        " WHERE conversation = ? AND id = ? AND version = ? RETURNING key",
        (change.body, *place, change.expected_version),
    ).fetchone()
    if row is not None:
        return LogEntry(change.conversation, change.id, row[0], change.body, change.expected_version + 1)
    if connection.execute("SELECT 1 FROM entries WHERE conversation = ? AND id = ?", place).fetchone() is None:
        return NotFound("There is no such message.")
    return Conflict("The message was changed by someone else.", code="version_conflict")


def _erase(connection: sqlite3.Connection, erasures: list[Erasure]) -> list[Outcome]:
    return [
        connection.execute(
            "DELETE FROM entries WHERE rowid IN"
            " (SELECT rowid FROM entries WHERE conversation = ? AND id < ? ORDER BY id LIMIT ?)",
            (erasure.conversation.bytes, erasure.older_than.bytes, erasure.limit),
        ).rowcount
        for erasure in erasures
    ]


def _beat(connection: sqlite3.Connection, heartbeats: list[Heartbeat]) -> list[Outcome]:
    connection.execute("UPDATE heartbeat SET beats = beats + 1")
    return [None] * len(heartbeats)


# groupby hands each handler a run of its own type; the table's type cannot say so.
_HANDLERS: dict[type[Operation], Callable[[sqlite3.Connection, list[Any]], Sequence[Outcome]]] = {
    LogEntry: _append,
    Amendment: _amend,
    Erasure: _erase,
    Heartbeat: _beat,
}
