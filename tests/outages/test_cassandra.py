"""Cassandra is killed, stopped and cut off under load: typed errors in time, nothing acknowledged lost, nothing
leaked, and back without a restart."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import psutil
import pytest

from adapters.cassandra.stores import CassandraStores, open_cassandra
from kernel.breaker import Circuit
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from kernel.ids import IdGenerator
from kernel.messagelog import LogEntry
from kernel.metrics import Metrics
from tests.adapters.sqlitelog.history import Acknowledged, body_of, check
from tests.contract.messagelogs import cassandra_settings
from tests.services.cassandra import CassandraService
from tests.services.cut import CutProxy

Result = TypeVar("Result")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TIMEOUT = 2.0
LATEST = TIMEOUT * 1.2
RECOVERY = 2.0
# Longer than a request waits, and than the driver takes to give up on a connection that is refused.
OUTAGE = 3.0
CALLERS = 10
AMENDED_EVERY = 4


@dataclass
class Line:
    """What lies between us and Cassandra, and how it breaks and mends."""

    port: int
    begin: Callable[[], object]
    end: Callable[[], Awaitable[object]]


@asynccontextmanager
async def line_to(server: CassandraService, outage: str) -> AsyncIterator[Line]:
    async def resume() -> None:
        server.resume()

    if outage == "killed":
        try:
            yield Line(server.port, server.kill, lambda: asyncio.to_thread(server.start))
        finally:
            await asyncio.to_thread(server.start)
    elif outage == "stopped":
        try:
            yield Line(server.port, server.pause, resume)
        finally:
            server.resume()
    else:
        async with CutProxy(server.host, server.port) as proxy:

            async def mend() -> None:
                proxy.mend()

            yield Line(proxy.port, proxy.cut if outage == "cut" else proxy.stall, mend)


def connections_to(port: int) -> int:
    return sum(
        bool(connection.raddr) and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
        for connection in psutil.Process().net_connections("tcp")
    )


def threads() -> list[str]:
    """Without those that run a test's own blocking calls."""
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if not name.startswith(("asyncio", "uvloop"))]


@dataclass
class Sender:
    """One conversation: appends, amends and reads; repeats with the same key what may or may not have happened."""

    stores: CassandraStores
    ids: IdGenerator
    conversation: uuid.UUID = field(default_factory=uuid.uuid4)
    told: Acknowledged = field(default_factory=Acknowledged)
    count: int = 0
    latest_success: float = 0.0
    slowest_failure: float = 0.0
    failures: list[Exception] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            self.count += 1
            key = str(self.count)
            stored = await self.repeated(partial(self.append, key))
            assert stored.key == key
            self.told.ids.append(stored.id)
            self.told.versions[stored.id] = stored.version
            if self.count % AMENDED_EVERY == 0:
                await self.repeated(partial(self.amend, stored))
            await self.repeated(lambda: self.stores.messages.before(self.conversation, None, limit=5))

    async def append(self, key: str) -> LogEntry:
        return await self.stores.messages.append(LogEntry(self.conversation, self.ids.next(), key, body_of(key, 1)))

    async def amend(self, stored: LogEntry) -> None:
        """Who is left in doubt looks before it tries again."""
        now = await self.stores.messages.get(self.conversation, stored.id)
        assert now is not None
        if now.version == 1:
            now = await self.stores.messages.amend(
                self.conversation, stored.id, expected_version=1, body=body_of(stored.key, 2)
            )
        self.told.versions[stored.id] = now.version

    async def repeated(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            started = time.monotonic()
            try:
                result = await operation()
            except DependencyUnavailable as failure:
                self.failures.append(failure)
                self.slowest_failure = max(self.slowest_failure, time.monotonic() - started)
                await asyncio.sleep(failure.retry_after or 0.02)
            else:
                self.latest_success = time.monotonic()
                return result


async def all_have_succeeded_since(senders: list[Sender], moment: float) -> None:
    """Polled: the senders are in the middle of their loops."""
    async with asyncio.timeout(30):
        while any(sender.latest_success <= moment for sender in senders):
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("outage", ["killed", "stopped", "cut", "stalled"])
async def test_an_outage_is_typed_timely_and_over_when_cassandra_is_back(
    cassandra: CassandraService, outage: str
) -> None:
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(line_to(cassandra, outage))
        settings = cassandra_settings(cassandra, port=line.port, keyspace="outages", timeout=TIMEOUT)
        before_opening = threads()
        async with open_cassandra(settings, clock=SystemClock(), metrics=Metrics()) as stores:
            ids = IdGenerator(SystemClock())
            senders = [Sender(stores, ids) for _ in range(CALLERS)]
            running = [asyncio.create_task(sender.run()) for sender in senders]
            await all_have_succeeded_since(senders, time.monotonic())
            before = connections_to(line.port)

            line.begin()
            await asyncio.sleep(OUTAGE)
            assert all(sender.failures for sender in senders)
            assert stores.guard.circuit in {Circuit.OPEN, Circuit.HALF_OPEN}
            probe = await stores.dependency.probe()
            assert not probe.ok
            assert probe.latency <= LATEST

            await line.end()
            back = time.monotonic()
            await all_have_succeeded_since(senders, back)
            recovery = time.monotonic() - back
            slowest = max(sender.slowest_failure for sender in senders)
            print(f"{outage}: slowest failure {slowest:.3f} s, recovery {recovery:.3f} s")
            assert slowest <= LATEST
            assert recovery <= RECOVERY
            probe = await stores.dependency.probe()
            assert probe.ok
            assert probe.circuit is Circuit.CLOSED

            for task in running:
                task.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
            for sender in senders:
                await check(stores.messages, sender.conversation, sender.told, unacknowledged=1)
            assert connections_to(line.port) <= before
        assert connections_to(line.port) == 0
        # The driver's reactor thread stays for the next cluster.
        assert set(threads()) - set(before_opening) <= {"event_loop"}


async def test_opening_while_cassandra_is_away_says_where_it_was_looked_for(cassandra: CassandraService) -> None:
    async with CutProxy(cassandra.host, cassandra.port) as proxy:
        proxy.cut()
        started = time.monotonic()
        with pytest.raises(DependencyUnavailable, match=f"no node can be reached.*127.0.0.1; port {proxy.port}"):
            async with open_cassandra(
                cassandra_settings(cassandra, port=proxy.port), clock=SystemClock(), metrics=Metrics()
            ):
                pass
        assert time.monotonic() - started < 5


async def test_an_opening_that_is_given_up_leaves_no_connection(cassandra: CassandraService) -> None:
    async with CutProxy(cassandra.host, cassandra.port) as proxy:
        proxy.stall()

        async def use() -> None:
            async with open_cassandra(
                cassandra_settings(cassandra, port=proxy.port), clock=SystemClock(), metrics=Metrics()
            ):
                pass

        opening = asyncio.create_task(use())
        while not proxy.connections:  # nothing announces a connection that is accepted
            await asyncio.sleep(0.01)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        async with asyncio.timeout(10):
            while connections_to(proxy.port):  # the thread ends when its attempt has timed out
                await asyncio.sleep(0.05)
