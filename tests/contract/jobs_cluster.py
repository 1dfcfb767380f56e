"""Two nodes of one cluster that share a job queue, on each backend of the relational adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from adapters.memory.bus import MemoryBus
from adapters.sql.engine import Database, open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config.sections import Jobs as JobsSettings
from kernel.ids import IdGenerator
from kernel.jobs import Job, NewJob
from kernel.metrics import Metrics
from tests.adapters.sql.relational import settings_for, url_for
from tests.clocks import MovableClock

LEASE = 30.0


@dataclass
class Node:
    database: Database
    jobs: SqlJobs

    async def enqueue(self, *jobs: NewJob) -> list[UUID]:
        return list(await self.jobs.queue.enqueue(jobs))

    async def claim(self, *kinds: str, limit: int = 100, lease: float = LEASE) -> list[Job]:
        return list(await self.jobs.queue.claim(kinds or ("mail",), limit=limit, lease=lease))

    async def claim_one(self) -> Job:
        [job] = await self.claim()
        return job


@dataclass
class Cluster:
    clock: MovableClock
    one: Node
    other: Node


@asynccontextmanager
async def open_cluster(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Cluster]:
    """``request.param`` is one of relational.BACKENDS."""
    settings = settings_for(url_for(request.param, request))
    clock, bus = MovableClock(), MemoryBus(Metrics())
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(2):
            metrics = Metrics()
            opening_database = open_database(settings, data_dir=directory, clock=clock, metrics=metrics)
            database = await stack.enter_async_context(opening_database)
            await upgrade(database)
            ids = IdGenerator(clock)
            opening_jobs = open_jobs(database, JobsSettings(), clock=clock, metrics=metrics, ids=ids, bus=bus)
            nodes.append(Node(database, await stack.enter_async_context(opening_jobs)))
        yield Cluster(clock, *nodes)


def mail(
    payload: bytes = b"", *, key: str | None = None, run_at: float | None = None, max_attempts: int = 10
) -> NewJob:
    return NewJob("mail", payload, key=key, run_at=run_at, max_attempts=max_attempts)
