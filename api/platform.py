"""The ground under every room, opened in order and closed in reverse: stores first, the job runner last.

Which adapter serves which port is decided here and nowhere else, by what the configuration names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from adapters.cache import ReadCache, open_cache
from adapters.memory import MemoryBus, MemoryState
from adapters.objects import ObjectStore, open_objects
from adapters.outbound import open_mailer
from adapters.sql import migrate
from adapters.sql.engine import Database, open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.messagelog import SqlMessageLog
from adapters.sqlitelog.log import open_sqlite_log
from config.secrets import derive_key
from config.sections import Settings
from config.values import Secret
from kernel.bus import EventBus
from kernel.clock import Clock
from kernel.ephemeral import Counters, KeyValues, Locks, TimedSets, TokenBuckets
from kernel.errors import DependencyUnavailable
from kernel.health import Dependency
from kernel.ids import IdGenerator
from kernel.jobrunner import Handler, JobRunner
from kernel.mail import Mailer
from kernel.messagelog import MessageLog, MessageRetention
from kernel.metrics import Metrics
from kernel.streams import DurableStreams

_log = structlog.stdlib.get_logger("api.platform")

# Stores that start together with us (a compose file, a rebooted machine) get this long to be there.
PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.5
# Of the shutdown deadline, for running jobs to finish. See api/server.py for what comes before.
JOBS_SHARE = 0.15

# The purpose of the key that signs URLs of the local object store.
OBJECT_URLS = "object urls"

Opened = TypeVar("Opened")


class SchemaBehind(Exception):
    """The schema is older than the program, and the configuration says not to touch it."""

    def __init__(self, pending: Sequence[str]) -> None:
        super().__init__(
            f"The database schema lacks {len(pending)} revision(s); run `secureconnect db upgrade`, "
            "or set database.migrate_on_start."
        )


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """The ports of kernel.ephemeral, all from the same store."""

    key_values: KeyValues
    sets: TimedSets
    counters: Counters
    locks: Locks
    buckets: TokenBuckets


@dataclass(frozen=True, slots=True)
class Messages:
    log: MessageLog
    retention: MessageRetention


@dataclass(frozen=True, slots=True)
class Platform:
    """Every port, open. ``local`` is this process's own ephemeral state, shared with nobody."""

    settings: Settings
    clock: Clock
    ids: IdGenerator
    metrics: Metrics
    secret: Secret
    ephemeral: Ephemeral
    local: Ephemeral
    bus: EventBus
    streams: DurableStreams
    database: Database
    cache: ReadCache | None
    messages: Messages
    objects: ObjectStore
    mailer: Mailer
    jobs: SqlJobs
    dependencies: Sequence[Dependency]


@asynccontextmanager
async def open_platform(
    settings: Settings,
    secret: Secret,
    *,
    base_url: str,
    clock: Clock,
    metrics: Metrics,
    announce: Callable[[str], None],
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[Platform]:
    """``announce`` gets lines for the person at the console: what is waited for, what is being done. A store that is
    needed to open and is not there is waited for as long as ``patience``; then DependencyUnavailable."""
    opening = _Opening(settings, secret, base_url, clock=clock, metrics=metrics, announce=announce, patience=patience)
    async with AsyncExitStack() as stack:
        yield await opening.open(stack)


@asynccontextmanager
async def running_jobs(platform: Platform, handlers: Mapping[str, Handler]) -> AsyncIterator[JobRunner]:
    """The worker of this node. Opened last and closed first, so that handlers find everything they need."""
    settings = platform.settings
    runner = JobRunner(
        platform.jobs.queue,
        handlers,
        settings.jobs,
        schedules=platform.jobs.schedules,
        dead_letters=platform.jobs.dead_letters,
        clock=platform.clock,
        metrics=platform.metrics,
        drain=settings.server.shutdown_timeout * JOBS_SHARE,
    )
    async with runner:
        yield runner


class _Opening:
    def __init__(
        self,
        settings: Settings,
        secret: Secret,
        base_url: str,
        *,
        clock: Clock,
        metrics: Metrics,
        announce: Callable[[str], None],
        patience: float,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._base_url = base_url
        self._clock = clock
        self._metrics = metrics
        self._announce = announce
        self._patience = patience
        self._data_dir = Path(settings.server.data_dir)
        self._dependencies: list[Dependency] = []

    async def open(self, stack: AsyncExitStack) -> Platform:
        clock, metrics, settings = self._clock, self._metrics, self._settings
        ids = IdGenerator(clock)
        memory = MemoryState(clock, metrics)
        local = Ephemeral(memory.key_values, memory.sets, memory.counters, memory.locks, memory.buckets)
        ephemeral, bus, redis_streams = await self._shared_state(stack, local)
        database = await stack.enter_async_context(
            open_database(settings.database, data_dir=self._data_dir, clock=clock, metrics=metrics, bus=bus)
        )
        self._dependencies += [database.dependency, *database.replicas]
        await self._patiently(lambda: self._schema(database))
        jobs = await stack.enter_async_context(
            open_jobs(database, settings.jobs, clock=clock, metrics=metrics, ids=ids, bus=bus)
        )
        cache = await self._cache(stack, bus)
        messages = await self._patiently(lambda: self._messages(stack, database))
        objects = await self._patiently(lambda: self._objects(stack))
        mailer = await self._mailer(stack)
        return Platform(
            settings=settings,
            clock=clock,
            ids=ids,
            metrics=metrics,
            secret=self._secret,
            ephemeral=ephemeral,
            local=local,
            bus=bus,
            streams=redis_streams or database.streams,
            database=database,
            cache=cache,
            messages=messages,
            objects=objects,
            mailer=mailer,
            jobs=jobs,
            dependencies=tuple(self._dependencies),
        )

    async def _shared_state(
        self, stack: AsyncExitStack, local: Ephemeral
    ) -> tuple[Ephemeral, EventBus, DurableStreams | None]:
        settings = self._settings.redis
        if not settings.url:
            return local, MemoryBus(self._metrics), None
        from adapters.redis import open_redis  # noqa: PLC0415 - only who uses a store pays for importing its client

        stores = await stack.enter_async_context(open_redis(settings, clock=self._clock, metrics=self._metrics))
        self._dependencies.append(stores.dependency)
        shared = Ephemeral(stores.key_values, stores.sets, stores.counters, stores.locks, stores.buckets)
        return shared, stores.bus, stores.streams if settings.durable_streams else None

    async def _schema(self, database: Database) -> None:
        if not self._settings.database.migrate_on_start:
            found = await migrate.status(database)
            if found.pending:
                raise SchemaBehind(found.pending)
            return
        await migrate.upgrade(
            database,
            progress=lambda step: self._announce(f"database schema {step.number}/{step.total}: {step.title}"),
        )

    async def _cache(self, stack: AsyncExitStack, bus: EventBus) -> ReadCache | None:
        settings = self._settings.database
        if not settings.cache_ttl:
            return None
        return await stack.enter_async_context(
            open_cache(bus, ttl=settings.cache_ttl, size=settings.cache_size, clock=self._clock, metrics=self._metrics)
        )

    async def _messages(self, stack: AsyncExitStack, database: Database) -> Messages:
        settings = self._settings.messages
        if settings.cassandra_hosts:
            from adapters.cassandra.stores import open_cassandra  # noqa: PLC0415 - its driver takes half a second to import

            cassandra = await stack.enter_async_context(
                open_cassandra(settings, clock=self._clock, metrics=self._metrics)
            )
            self._dependencies.append(cassandra.dependency)
            return Messages(cassandra.messages, cassandra.messages)
        if database.backend != "sqlite":
            log = SqlMessageLog(database.units, self._clock)
            return Messages(log, log)
        path = self._data_dir / "messages.db"
        embedded = await stack.enter_async_context(
            open_sqlite_log(settings, path, clock=self._clock, metrics=self._metrics)
        )
        self._dependencies.append(embedded.dependency)
        return Messages(embedded.messages, embedded.messages)

    async def _objects(self, stack: AsyncExitStack) -> ObjectStore:
        store = await stack.enter_async_context(
            open_objects(
                self._settings.objects,
                data_dir=self._data_dir,
                signing_key=derive_key(self._secret, OBJECT_URLS),
                base_url=self._base_url,
                clock=self._clock,
                metrics=self._metrics,
            )
        )
        self._dependencies.append(store.dependency)
        return store

    async def _mailer(self, stack: AsyncExitStack) -> Mailer:
        post = await stack.enter_async_context(
            open_mailer(
                self._settings.mail,
                data_dir=self._data_dir,
                announce=self._announce,
                clock=self._clock,
                metrics=self._metrics,
            )
        )
        self._dependencies.append(post.dependency)
        return post.mailer

    async def _patiently(self, step: Callable[[], Awaitable[Opened]]) -> Opened:
        """Retry while a store is not there yet, saying what is waited for."""
        until = self._clock.monotonic() + self._patience
        said: str | None = None
        while True:
            try:
                return await step()
            except DependencyUnavailable as error:
                if self._clock.monotonic() >= until:
                    raise
                if error.dependency != said:
                    said = error.dependency
                    self._announce(f"waiting for {error.dependency}: {error.reason}")
                    _log.warning("waiting for a dependency", dependency=error.dependency, reason=error.reason)
            await asyncio.sleep(RETRY_SECONDS)
