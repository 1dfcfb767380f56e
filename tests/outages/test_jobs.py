"""The store of the job queue goes away under load: nothing acknowledged is lost, and the runner goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from adapters.sql.engine import open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config.sections import Jobs
from config.values import Duration
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from kernel.ids import IdGenerator
from kernel.jobrunner import JobRunner
from kernel.jobs import Job, NewJob
from kernel.metrics import Metrics
from tests.adapters.sql.relational import settings_for
from tests.services.cut import CutProxy
from tests.services.postgres import PostgresService

pytestmark = pytest.mark.slow

TIMEOUT = 0.5
# The promise: a typed error within the timeout and a fifth; beyond that the scheduling of a busy machine.
LATEST = TIMEOUT * 1.2 + 0.15
RECOVERY = 2.0
OUTAGE = 1.5
CALLERS = 10
SETTINGS = Jobs(lease=Duration(2), poll=Duration(0.2))

Act = Callable[[], Awaitable[object]]


class Load:
    """Callers that add jobs and try again, and what came of their jobs."""

    def __init__(self, jobs: SqlJobs) -> None:
        self._jobs = jobs
        self.acknowledged: set[UUID] = set()
        self.ran: dict[UUID, float] = {}
        self.slowest_refusal = 0.0
        self.refusals = 0

    async def handle(self, job: Job) -> None:
        self.ran[job.id] = time.monotonic()

    async def add_for_ever(self) -> None:
        while True:
            started = time.monotonic()
            try:
                self.acknowledged.update(await self._jobs.queue.enqueue([NewJob("mail", b"")]))
            except DependencyUnavailable:
                self.refusals += 1
                self.slowest_refusal = max(self.slowest_refusal, time.monotonic() - started)
            await asyncio.sleep(0.01)

    async def first_run_after(self, moment: float) -> float:
        async with asyncio.timeout(30):
            while not (later := [ran for ran in self.ran.values() if ran > moment]):
                await asyncio.sleep(0.01)
        return min(later)

    async def all_ran(self) -> None:
        """What was refused may have been added all the same, so the queue has to be seen empty as well."""
        async with asyncio.timeout(30):
            while not self.acknowledged <= self.ran.keys() or any((await self._jobs.dead_letters.counts()).values()):
                await asyncio.sleep(0.1)


async def survive(url: str, directory: Path, *, begin: Act, end: Act) -> None:
    clock, metrics = SystemClock(), Metrics()
    async with (
        open_database(settings_for(url, timeout=TIMEOUT), data_dir=directory, clock=clock, metrics=metrics) as database,
        open_jobs(database, SETTINGS, clock=clock, metrics=metrics, ids=IdGenerator(clock)) as jobs,
    ):
        await upgrade(database)
        load = Load(jobs)
        runner = JobRunner(
            jobs.queue,
            {"mail": load.handle},
            SETTINGS,
            schedules=jobs.schedules,
            dead_letters=jobs.dead_letters,
            clock=clock,
            metrics=metrics,
        )
        async with runner:
            callers = [asyncio.create_task(load.add_for_ever()) for _ in range(CALLERS)]
            await load.first_run_after(0.0)
            await begin()
            await asyncio.sleep(OUTAGE)
            await end()
            back = time.monotonic()
            assert await load.first_run_after(back) - back < RECOVERY
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await load.all_ran()
        assert load.refusals > 0
        assert load.slowest_refusal < LATEST
        assert await jobs.dead_letters.counts() == {"queued": 0, "claimed": 0, "dead": 0}


def at(url: str, proxy: CutProxy, server: PostgresService) -> str:
    return url.replace(f":{server.port}/", f":{proxy.port}/")


async def test_jobs_survive_the_death_of_their_server(postgres: PostgresService, tmp_path: Path) -> None:
    url = postgres.create_database()
    try:
        await survive(
            url,
            tmp_path,
            begin=lambda: asyncio.to_thread(postgres.kill),
            end=lambda: asyncio.to_thread(postgres.start),
        )
    finally:
        await asyncio.to_thread(postgres.start)


@pytest.mark.parametrize("outage", ["cut", "stall"])
async def test_jobs_survive_a_broken_line(postgres: PostgresService, tmp_path: Path, outage: str) -> None:
    async with CutProxy(postgres.host, postgres.port) as proxy:

        async def begin() -> None:
            getattr(proxy, outage)()

        async def end() -> None:
            proxy.mend()

        await survive(at(postgres.create_database(), proxy, postgres), tmp_path, begin=begin, end=end)
