"""Opening the relational store: which backend the settings name, its lanes, its health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.guard import Guard
from adapters.sql import cockroach, postgres, sqlite
from adapters.sql.errors import StoreOutage
from adapters.sql.lane import Lane, Mode
from adapters.sql.streams import SqlStreams, open_streams
from adapters.sql.units import SqlUnits
from config.sections import Database as DatabaseSettings
from config.values import Secret
from kernel.bus import EventBus
from kernel.clock import Clock
from kernel.health import ProbeResult
from kernel.metrics import Metrics

DEPENDENCY = "database"
_DRIVERS = {"postgresql": "postgresql+asyncpg", "cockroachdb": "cockroachdb+asyncpg"}
_OPTIONS: Mapping[str, Mapping[Mode, Mapping[str, Any]]] = {
    "postgresql": postgres.OPTIONS,
    "cockroachdb": cockroach.OPTIONS,
}


class SqlDependency:
    """kernel.health.Dependency of one lane."""

    def __init__(self, lane: Lane, *, required: bool) -> None:
        self._lane = lane
        self._required = required

    @property
    def name(self) -> str:
        return self._lane.guard.dependency

    @property
    def required(self) -> bool:
        return self._required

    async def probe(self) -> ProbeResult:
        return await self._lane.probe()


@dataclass(frozen=True, slots=True)
class Database:
    """The open store. ``backend`` is ``sqlite``, ``postgresql`` or ``cockroachdb``.

    Nothing is connected yet, and the schema is as it was: adapters.sql.migrate brings it up to date.
    """

    backend: str
    units: SqlUnits
    streams: SqlStreams
    dependency: SqlDependency
    replicas: Sequence[SqlDependency]
    guard: Guard
    writes: Lane
    reads: Lane
    clock: Clock


@asynccontextmanager
async def open_database(
    settings: DatabaseSettings, *, data_dir: Path, clock: Clock, metrics: Metrics, bus: EventBus | None = None
) -> AsyncIterator[Database]:
    opening = _Opening(settings, clock, metrics)
    async with AsyncExitStack() as stack:
        backend, writes, reads, replicas = await opening.lanes(data_dir)
        for lane in {id(lane): lane for lane in (writes, reads, *replicas)}.values():
            stack.push_async_callback(lane.aclose)
        units = SqlUnits(
            writes=writes, reads=reads, replicas=replicas, timeout=settings.timeout, clock=clock, metrics=metrics
        )
        streams = await stack.enter_async_context(
            open_streams(units, timeout=settings.timeout, bus=bus, clock=clock, metrics=metrics)
        )
        yield Database(
            backend=backend,
            units=units,
            streams=streams,
            dependency=SqlDependency(writes, required=True),
            replicas=[SqlDependency(lane, required=False) for lane in replicas],
            guard=writes.guard,
            writes=writes,
            reads=reads,
            clock=clock,
        )


class _Opening:
    def __init__(self, settings: DatabaseSettings, clock: Clock, metrics: Metrics) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def lanes(self, data_dir: Path) -> tuple[str, Lane, Lane, list[Lane]]:
        if not self._settings.url:
            return await self._sqlite(data_dir)
        url = parse_url(self._settings.url, key="database.url")
        primary = self._server_lane(DEPENDENCY, url)
        replicas = [
            self._server_lane(f"{DEPENDENCY}_replica_{number}", parse_url(secret, key="database.replica_urls"))
            for number, secret in enumerate(self._settings.replica_urls, start=1)
        ]
        return url.get_backend_name(), primary, primary, replicas

    async def _sqlite(self, data_dir: Path) -> tuple[str, Lane, Lane, list[Lane]]:
        if self._settings.replica_urls:
            raise ValueError("database.replica_urls: SQLite has no replicas; set database.url too, or empty this list")
        path = data_dir / sqlite.FILE_NAME
        await asyncio.to_thread(sqlite.create_file, path)
        guard = self._guard(DEPENDENCY)
        readers = min(sqlite.READERS, self._settings.pool_size)
        writes = Lane(
            "writer",
            sqlite.writer_engine(path),
            permits=1,
            options=sqlite.OPTIONS,
            driver=sqlite.AiosqliteDriver(),
            guard=guard,
            clock=self._clock,
            metrics=self._metrics,
        )
        reads = Lane(
            "readers",
            sqlite.reader_engine(path, size=readers),
            permits=readers,
            options=sqlite.OPTIONS,
            driver=sqlite.AiosqliteDriver(),
            guard=guard,
            clock=self._clock,
            metrics=self._metrics,
        )
        return "sqlite", writes, reads, []

    def _server_lane(self, name: str, url: URL) -> Lane:
        settings = self._settings
        engine = postgres.create_engine(
            url,
            size=settings.pool_size + settings.pool_overflow,
            timeout=settings.timeout,
            tls=postgres.tls_context(settings.tls_ca) if settings.tls else None,
        )
        return Lane(
            name,
            engine,
            permits=settings.pool_size + settings.pool_overflow,
            options=_OPTIONS[url.get_backend_name()],
            driver=postgres.AsyncpgDriver(),
            guard=self._guard(name),
            clock=self._clock,
            metrics=self._metrics,
        )

    def _guard(self, name: str) -> Guard:
        return Guard(
            name, timeout=self._settings.timeout, outages=(StoreOutage,), clock=self._clock, metrics=self._metrics
        )


def parse_url(secret: Secret, *, key: str) -> URL:
    try:
        url = make_url(secret.reveal())
    except ArgumentError:
        raise ValueError(f"{key}: not a URL such as postgresql://user:password@host/name") from None
    if url.drivername not in _DRIVERS:
        raise ValueError(f"{key}: {url.drivername!r} is not supported; use postgresql:// or cockroachdb://")
    if url.query:
        raise ValueError(f"{key}: options after ? are not supported; TLS is set by database.tls and database.tls_ca")
    return url.set(drivername=_DRIVERS[url.drivername])
