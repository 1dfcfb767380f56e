"""A second connection, to put the tables into states that only a crash leaves, and to look at them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy

from adapters.cassandra.driver import PROTOCOL
from tests.services.cassandra import CassandraService


class Tables:
    def __init__(self, session: Any) -> None:
        self._session = session

    async def run(self, statement: str, *values: object) -> list[Any]:
        return await asyncio.to_thread(lambda: list(self._session.execute(statement, values or None)))

    async def tombstones_read(self, statement: str, *values: object) -> int:
        """How many a query had to step over, as the server's trace tells."""

        def trace() -> list[str]:
            result = self._session.execute(statement, values or None, trace=True)
            return [event.description for event in result.get_query_trace(max_wait_sec=10).events]

        (reading,) = [event for event in await asyncio.to_thread(trace) if " live rows and " in event]
        return int(reading.split(" live rows and ")[1].split()[0])


@asynccontextmanager
async def tables_of(server: CassandraService) -> AsyncIterator[Tables]:
    def connect() -> tuple[Any, Any]:
        profile = ExecutionProfile(
            load_balancing_policy=RoundRobinPolicy(),
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=30.0,
        )
        cluster = Cluster(
            server.hosts, server.port, protocol_version=PROTOCOL, execution_profiles={EXEC_PROFILE_DEFAULT: profile}
        )
        return cluster, cluster.connect()

    cluster, session = await asyncio.to_thread(connect)
    try:
        yield Tables(session)
    finally:
        await asyncio.to_thread(cluster.shutdown)
