"""A lane: one pool of connections, a bounded queue in front of it, and the promise that whatever happens to a unit
of work, its connection comes back clean or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from adapters.guard import Guard
from adapters.sql.errors import Phase, translate
from kernel.breaker import Circuit
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, Overloaded, SecureConnectError
from kernel.health import ProbeResult
from kernel.metrics import Metrics

Result = TypeVar("Result")

# Waiters beyond this could not be served within any sensible timeout; refusing at once is kinder.
MAX_WAITING = 2000
# How long the end of a cancelled unit is waited for. Its connection was cut before, so this is only used up when
# a disk hangs or the work ignores its cancellation; the task stays ours and keeps its permit until it does end.
CLEANUP_SECONDS = 0.2
CLOSE_SECONDS = 1.0

log = logging.getLogger(__name__)


class Mode(Enum):
    """What a unit of work needs of its transaction."""

    WRITE = "write"
    QUEUE = "queue"
    READ = "read"


class SqlTransaction:
    """An open transaction; stores that take part in it execute their statements on ``connection``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._callbacks: list[Callable[[], None]] = []

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def committed(self) -> None:
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                # The data is durable: a wake-up that failed must not make the write look failed.
                log.exception("a callback after a commit failed")


Work = Callable[[SqlTransaction], Awaitable[Result]]


class Driver(Protocol):
    """What a backend's driver can say and do about one of its connections without awaiting anything."""

    def is_dead(self, connection: Any) -> bool: ...

    def cut(self, connection: Any) -> None:
        """Whatever runs on it fails soon, without anything to negotiate with a server that may not answer."""
        ...


class Lane:
    """Connections are not pinged before use, which would cost a round trip each time. A killed server closes its
    sockets, which the driver has noticed by then; what breaks later is run again once (units.py); and once the
    circuit has opened, no connection from before is trusted again."""

    def __init__(
        self,
        name: str,
        engine: AsyncEngine,
        *,
        permits: int,
        options: Mapping[Mode, Mapping[str, object]],
        driver: Driver,
        guard: Guard,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self.guard = guard
        self.engine = engine
        self._engines = {mode: engine.execution_options(**chosen) for mode, chosen in options.items()}
        self._driver = driver
        self._trusted_since = clock.monotonic()
        self._clock = clock
        self.permits = permits
        self._permits = asyncio.Semaphore(permits)
        self._waiting = 0
        self._running: set[asyncio.Task[object]] = set()
        self._closed = False
        self._watch(metrics)
        self._open: set[Any] = set()
        event.listen(engine.sync_engine, "connect", self._opened)
        event.listen(engine.sync_engine, "close", lambda connection, _record: self._open.discard(connection))
        event.listen(engine.sync_engine, "checkout", self._checked_out)

    def _opened(self, connection: object, record: ConnectionPoolEntry) -> None:
        self._open.add(connection)
        record.info["opened_at"] = self._clock.monotonic()

    def _checked_out(self, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if self._driver.is_dead(connection):
            raise DisconnectionError
        if record.info["opened_at"] < self._trusted_since:
            self._driver.cut(connection)  # closing it politely could wait for a server that is no longer there
            raise DisconnectionError

    def _watch(self, metrics: Metrics) -> None:
        def gauge(name: str, text: str, value: Callable[[], float]) -> None:
            metrics.gauge(f"database_pool_{name}", text, ("pool",)).labels(self.name).set_function(value)

        gauge("connections", "Connections that are open", lambda: float(self.open_connections))
        gauge("in_use", "Units of work that hold a connection", lambda: float(self.in_use))
        gauge("waiting", "Units of work that wait for a connection", lambda: float(self._waiting))
        self._wait_seconds = metrics.histogram(
            "database_pool_wait_seconds", "Time units of work waited for a connection", ("pool",)
        ).labels(self.name)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def in_use(self) -> int:
        return len(self._running)

    async def run(self, mode: Mode, work: Work[Result], *, timeout: float) -> Result:
        """One attempt at a unit of work, the wait for a connection included in ``timeout``."""
        deadline = self._clock.monotonic() + timeout
        await self._admit(timeout)
        handed_over = False
        try:
            if self._closed:  # a connection opened now would be closed by nobody
                raise DependencyUnavailable(self.guard.dependency, "it was closed; the process is ending")
            async with self.guard.guarded(timeout=max(0.0, deadline - self._clock.monotonic())):
                unit = _Unit(self._engines[mode], work, read_only=mode is Mode.READ)
                task = asyncio.create_task(unit.run(), name=f"unit of work on {self.name}")
                self._running.add(task)
                # From here on the permit comes back with the connection, not when the caller gives up.
                task.add_done_callback(self._finished)
                handed_over = True
                return await self._supervise(unit, task)
        except DependencyUnavailable:
            if self.guard.circuit is not Circuit.CLOSED:
                self._trusted_since = self._clock.monotonic()
            raise
        finally:
            if not handed_over:
                self._permits.release()

    async def probe(self) -> ProbeResult:
        """A round trip past an open circuit and past the queue of units."""

        async def ask() -> None:
            unit = _Unit(self._engines[Mode.READ], _select_one, read_only=True)
            task = asyncio.create_task(unit.run(), name=f"probe of {self.name}")
            await self._supervise(unit, task)

        return await self.guard.probe(ask)

    async def _admit(self, timeout: float) -> None:
        if not self._permits.locked():
            await self._permits.acquire()
            return
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many requests are waiting for the database.", code="database_overloaded")
        self._waiting += 1
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout):
                await self._permits.acquire()
        except TimeoutError as error:
            reason = f"no connection became free within {timeout:g} s"
            raise DependencyUnavailable(self.guard.dependency, reason) from error
        finally:
            self._waiting -= 1
            self._wait_seconds.observe(self._clock.monotonic() - started)

    async def _supervise(self, unit: _Unit[Result], task: asyncio.Task[Result]) -> Result:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                self._cut(unit.connection)
                task.cancel()
                await asyncio.wait({task}, timeout=CLEANUP_SECONDS)
            raise

    def _cut(self, connection: AsyncConnection | None) -> None:
        sync = connection.sync_connection if connection is not None else None
        if sync is not None and not sync.closed and not sync.invalidated:
            self._driver.cut(sync.connection.dbapi_connection)

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        self._permits.release()
        if not task.cancelled():
            task.exception()  # its caller may be gone; an exception nobody fetches would be reported as forgotten

    async def idle(self) -> None:
        """Until no unit holds a connection."""
        while self._running:
            await asyncio.wait(self._running)

    async def aclose(self) -> None:
        """Units that run are cancelled, later ones refused."""
        self._closed = True
        for task in self._running:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_SECONDS):
                await self.idle()
        closing = asyncio.create_task(self.engine.dispose(), name=f"closing {self.name}")
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        for connection in self._open:  # those whose server did not answer the farewell
            self._driver.cut(connection)
        await closing


class _Unit(Generic[Result]):
    """One attempt, on one connection, from checkout to commit."""

    def __init__(self, engine: AsyncEngine, work: Work[Result], *, read_only: bool) -> None:
        self.connection: AsyncConnection | None = None
        self._engine = engine
        self._work = work
        self._read_only = read_only
        self._phase = Phase.CONNECTING

    async def run(self) -> Result:
        try:
            return await self._run()
        except Exception as error:
            if isinstance(error, StatementError) and isinstance(error.orig, SecureConnectError):
                raise error.orig from None  # a column type refused a value
            translated = translate(error, self._phase, read_only=self._read_only)
            if translated is None:
                raise
            raise translated from error

    async def _run(self) -> Result:
        connection = await self._engine.connect()
        self.connection = connection
        try:
            self._phase = Phase.WORKING
            transaction = SqlTransaction(connection)
            result = await self._work(transaction)
            self._phase = Phase.COMMITTING
            await connection.commit()
        except Exception:
            await _roll_back(connection)
            raise
        except asyncio.CancelledError:
            await _roll_back(connection)
            await connection.invalidate()  # whatever a statement left half read must not reach the next unit
            raise
        finally:
            self.connection = None
            await connection.close()
        transaction.committed()
        return result


async def _roll_back(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except (SQLAlchemyError, OSError):
        # What is wrong with it was raised by the statement before; a connection in doubt is not kept.
        await connection.invalidate()


async def _select_one(transaction: SqlTransaction) -> None:
    await transaction.connection.execute(text("SELECT 1"))
