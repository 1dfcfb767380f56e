"""Opening the cluster: what needs it, behind its ports, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.cassandra import migrate
from adapters.cassandra.buckets import LAST, Buckets
from adapters.cassandra.failures import StoreOutage
from adapters.cassandra.log import CassandraMessageLog
from adapters.cassandra.requests import Requests
from adapters.cassandra.statements import Statements, prepare
from adapters.guard import Guard
from config.sections import Messages
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable
from kernel.health import ProbeResult
from kernel.metrics import Metrics

if TYPE_CHECKING:
    from adapters.cassandra.driver import Bridge

DEPENDENCY = "cassandra"


@dataclass(frozen=True, slots=True)
class _Opened:
    cluster: Any
    bridge: Bridge
    statements: Statements


class CassandraDependency:
    """Healthy means that a quorum answers for the tables of the log."""

    name = DEPENDENCY
    required = True

    def __init__(self, bridge: Bridge, statements: Statements, guard: Guard) -> None:
        self._bridge = bridge
        self._statements = statements
        self._guard = guard

    async def probe(self) -> ProbeResult:
        nobody = UUID(int=0)
        return await self._guard.probe(
            lambda: self._bridge.execute(self._statements.buckets_down.bind((nobody, LAST, 1)))
        )


@dataclass(frozen=True, slots=True)
class CassandraStores:
    """``messages`` is MessageLog and MessageRetention."""

    messages: CassandraMessageLog
    dependency: CassandraDependency
    guard: Guard


@asynccontextmanager
async def open_cassandra(settings: Messages, *, clock: Clock, metrics: Metrics) -> AsyncIterator[CassandraStores]:
    """A connected cluster with an up-to-date keyspace; the keyspace and its tables are made when missing.

    DependencyUnavailable says why it cannot be used. Leaving the context closes every connection and ends the
    threads.
    """
    buckets = Buckets(settings.bucket)
    guard = Guard(DEPENDENCY, timeout=settings.timeout, outages=(StoreOutage,), clock=clock, metrics=metrics)
    # Connecting and closing block, for seconds when a node does not answer.
    worker = ThreadPoolExecutor(1, thread_name_prefix="cassandra-opener")
    try:
        opened = await _wait_for(worker.submit(_open, settings))
        try:
            requests = Requests(guard, clock, metrics)
            yield CassandraStores(
                CassandraMessageLog(opened.bridge, opened.statements, requests, buckets, clock),
                CassandraDependency(opened.bridge, opened.statements, guard),
                guard,
            )
        finally:
            await asyncio.get_running_loop().run_in_executor(worker, opened.cluster.shutdown)
            worker.shutdown()
    finally:
        worker.shutdown(wait=False)


async def _wait_for(opening: Future[_Opened]) -> _Opened:
    try:
        return await asyncio.wrap_future(opening)
    except asyncio.CancelledError:
        # The thread goes on until it has a cluster or an error; nobody is left to close what it opens.
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: Future[_Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().cluster.shutdown()


def _open(settings: Messages) -> _Opened:
    from adapters.cassandra import driver  # noqa: PLC0415 - see the package's docstring

    cluster = driver.make_cluster(settings)
    try:
        session = driver.connect(cluster)
        migrate.upgrade(session, settings, driver.datacenter_of(session))
        return _Opened(cluster, driver.Bridge(session), prepare(session, settings.keyspace))
    except BaseException as error:
        cluster.shutdown()
        reason = driver.explain(error)
        if reason is None:
            raise
        asked = ", ".join(settings.cassandra_hosts)
        raise DependencyUnavailable(
            DEPENDENCY, f"{reason} (messages.cassandra_hosts: {asked}; port {settings.cassandra_port})"
        ) from error
