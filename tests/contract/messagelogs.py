"""How tests open each of the message logs."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from adapters.cassandra.stores import open_cassandra
from adapters.sql import migrate
from adapters.sql.messagelog import SqlMessageLog
from adapters.sqlitelog.log import open_sqlite_log
from config.sections import Messages
from config.values import Duration
from kernel.clock import Clock, SystemClock
from kernel.ids import floor_at
from kernel.messagelog import LogEntry, MessageLog, MessageRetention
from kernel.metrics import Metrics
from tests.adapters.sql.relational import BACKENDS as RELATIONAL
from tests.adapters.sql.relational import opened, settings_for, url_for
from tests.services.cassandra import CassandraService

DAY_MS = 86_400_000
BACKENDS = ("embedded", *RELATIONAL, pytest.param("cassandra", marks=pytest.mark.service("cassandra")))


class Log(MessageLog, MessageRetention, Protocol):
    """What every adapter of the log is."""


def cassandra_settings(
    server: CassandraService, *, port: int | None = None, keyspace: str = "contract", timeout: float = 10.0
) -> Messages:
    return Messages(
        cassandra_hosts=tuple(server.hosts),
        cassandra_port=port or server.port,
        keyspace=keyspace,
        replication_factor=1,
        timeout=Duration(timeout),
    )


def open_log(
    backend: str, request: pytest.FixtureRequest, directory: Path, databases: dict[str, str]
) -> AbstractAsyncContextManager[Log]:
    """``databases`` remembers the relational ones: the tests keep apart by conversation, and share a schema."""
    if backend == "embedded":
        return embedded(directory / "messages.db")
    if backend == "cassandra":
        return on_cassandra(cassandra_settings(request.getfixturevalue("cassandra")))
    if backend not in databases:
        databases[backend] = url_for(backend, request)
    return relational(databases[backend], directory)


@asynccontextmanager
async def embedded(path: Path, *, timeout: float = 5.0) -> AsyncIterator[Log]:
    settings = Messages(timeout=Duration(timeout))
    async with open_sqlite_log(settings, path, clock=SystemClock(), metrics=Metrics()) as stores:
        yield stores.messages


@asynccontextmanager
async def relational(url: str, directory: Path) -> AsyncIterator[Log]:
    async with opened(settings_for(url), directory) as database:
        await migrate.upgrade(database)
        yield SqlMessageLog(database.units, database.clock)


@asynccontextmanager
async def on_cassandra(settings: Messages, clock: Clock | None = None) -> AsyncIterator[Log]:
    async with open_cassandra(settings, clock=clock or SystemClock(), metrics=Metrics()) as stores:
        yield stores.messages


def id_at(milliseconds: int) -> uuid.UUID:
    """A UUIDv7 of that moment, random in everything else that may be."""
    low = int.from_bytes(os.urandom(8), "big") >> 2
    sequence = int.from_bytes(os.urandom(2), "big") >> 4
    return uuid.UUID(int=floor_at(milliseconds).int | (sequence << 64) | low)


def id_ago(days: float) -> uuid.UUID:
    return id_at(int(time.time() * 1000 - days * DAY_MS))


def entry(conversation: uuid.UUID, *, days_ago: float = 0.0, key: str | None = None, body: bytes = b"hi") -> LogEntry:
    return LogEntry(conversation, id_ago(days_ago), key or uuid.uuid4().hex, body)
