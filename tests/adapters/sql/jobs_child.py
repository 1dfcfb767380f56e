"""A process that adds and runs jobs and is killed in the middle of it: ``python -m tests.adapters.sql.jobs_child``.

It writes what happened to an operation log, one line an event: ``ack`` once an enqueue was acknowledged, ``ran`` by
the handler, ``settled`` once the store has acknowledged that the job is done.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import uvloop

from adapters.sql.engine import open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config.sections import Jobs
from config.values import Duration
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.jobrunner import JobRunner
from kernel.jobs import Job, JobDone, JobOutcome, JobQueue, NewJob
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.adapters.sql.relational import settings_for

CALLERS = 8
# Long enough to outlive a busy machine's pauses, short enough that the next process takes over soon.
LEASE = Duration(1.0)
SETTINGS = Jobs(lease=LEASE, poll=Duration(0.05), workers=8)


class OperationLog:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, event: str, job: UUID) -> None:
        os.write(self._file, f"{event} {job}\n".encode())
        os.fsync(self._file)


class WitnessedQueue:
    """The real queue; what it acknowledges as done is written down."""

    def __init__(self, queue: JobQueue, log: OperationLog) -> None:
        self._queue = queue
        self._log = log

    async def enqueue(self, jobs: Sequence[NewJob], *, within: Transaction | None = None) -> Sequence[UUID]:
        return await self._queue.enqueue(jobs, within=within)

    async def claim(self, kinds: Sequence[str], *, limit: int, lease: float) -> Sequence[Job]:
        return await self._queue.claim(kinds, limit=limit, lease=lease)

    async def renew(self, jobs: Sequence[Job], *, lease: float) -> frozenset[UUID]:
        return await self._queue.renew(jobs, lease=lease)

    async def settle(self, outcomes: Sequence[JobOutcome]) -> frozenset[UUID]:
        held = await self._queue.settle(outcomes)
        for outcome in outcomes:
            if isinstance(outcome, JobDone) and outcome.job.id in held:
                self._log.write("settled", outcome.job.id)
        return held

    async def wait(self, *, timeout: float) -> None:
        await self._queue.wait(timeout=timeout)


async def add_for_ever(jobs: SqlJobs, log: OperationLog, caller: int) -> None:
    number = 0
    while True:
        number += 1
        key = f"{os.getpid()}-{caller}-{number}" if number % 3 == 0 else None
        # Every kill costs the jobs that were claimed an attempt; none of them may run out of them.
        [job] = await jobs.queue.enqueue([NewJob("work", str(number).encode(), key=key, max_attempts=1000)])
        log.write("ack", job)


async def run(url: str, data_dir: Path, log: OperationLog, *, finish: bool) -> None:
    clock, metrics = SystemClock(), Metrics()

    async def work(job: Job) -> None:
        log.write("ran", job.id)
        await asyncio.sleep(int(job.payload) % 7 / 1000)
        if int(job.payload) % 50 == 1 and job.attempt == 1:
            raise ValueError("every fiftieth job fails once")

    async with (
        open_database(settings_for(url), data_dir=data_dir, clock=clock, metrics=metrics) as database,
        open_jobs(database, SETTINGS, clock=clock, metrics=metrics, ids=IdGenerator(clock)) as jobs,
    ):
        await upgrade(database)
        runner = JobRunner(
            WitnessedQueue(jobs.queue, log),
            {"work": work},
            SETTINGS,
            schedules=jobs.schedules,
            dead_letters=jobs.dead_letters,
            clock=clock,
            metrics=metrics,
        )
        async with runner:
            if not finish:
                await asyncio.gather(*(add_for_ever(jobs, log, caller) for caller in range(CALLERS)))
            while any((await jobs.dead_letters.counts()).values()):
                await asyncio.sleep(0.05)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # jobs that fail here do so on purpose
    _, database_url, directory, log_file, mode = sys.argv
    uvloop.run(run(database_url, Path(directory), OperationLog(Path(log_file)), finish=mode == "finish"))
