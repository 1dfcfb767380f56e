"""Durable jobs end to end: added one by one by concurrent callers, claimed, handled, settled.

``python -m benchmarks.jobs`` measures the embedded store and a PostgreSQL of its own, both with every commit synced
to disk. Each figure is the median of the runs; the disk's own sync time is printed beside them, because every
figure here is made of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from adapters.sql.engine import open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config.sections import Database, Jobs
from config.values import Secret
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.jobrunner import Handler, JobRunner
from kernel.jobs import Job, NewJob
from kernel.metrics import Metrics
from tests.services.postgres import PostgresService
from tests.services.process import Session

CALLERS = 100
PAYLOAD = b'{"conversation": "0190a8f2-3c4e-7d10-9b1a-1f2e3d4c5b6a", "template": "invitation"}'
PICK_UPS = 200
# Far beyond any run; a store that dies meanwhile ends the benchmark instead of being waited for.
LONGEST_RUN_SECONDS = 120.0
SETTINGS = Jobs()


@dataclass(frozen=True, slots=True)
class Figures:
    """Jobs a second until the last was acknowledged and until the last was settled; milliseconds from the call that
    adds a job to the start of its handler, the queue being empty otherwise."""

    added_per_second: float
    ended_per_second: float
    pick_up_p50_ms: float
    pick_up_p99_ms: float


class SyncedPostgres(PostgresService):
    """The tests' server spares itself what only a power cut needs; a benchmark of durable jobs does not."""

    def command(self) -> list[str]:
        return [*super().command(), "-c", "fsync=on", "-c", "full_page_writes=on"]


@asynccontextmanager
async def store(url: str) -> AsyncIterator[SqlJobs]:
    clock, metrics = SystemClock(), Metrics()
    with tempfile.TemporaryDirectory() as directory:
        settings = Database(url=Secret(url))
        async with (
            open_database(settings, data_dir=Path(directory), clock=clock, metrics=metrics) as database,
            open_jobs(database, SETTINGS, clock=clock, metrics=metrics, ids=IdGenerator(clock)) as jobs,
        ):
            await upgrade(database)
            yield jobs


def runner(jobs: SqlJobs, handler: Handler) -> JobRunner:
    return JobRunner(
        jobs.queue,
        {"mail": handler},
        SETTINGS,
        schedules=jobs.schedules,
        dead_letters=jobs.dead_letters,
        clock=SystemClock(),
        metrics=Metrics(),
    )


async def throughput(jobs: SqlJobs, count: int) -> tuple[float, float]:
    left = count
    all_handled = asyncio.Event()

    async def handle(_: Job) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            all_handled.set()

    async def caller() -> None:
        for _ in range(count // CALLERS):
            await jobs.queue.enqueue([NewJob("mail", PAYLOAD)])

    started = time.perf_counter()
    async with runner(jobs, handle):
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        added = time.perf_counter() - started
        await all_handled.wait()
    # Stopping the runner has waited for the last outcome.
    ended = time.perf_counter() - started
    assert not any((await jobs.dead_letters.counts()).values())
    return count / added, count / ended


async def pick_up(jobs: SqlJobs) -> list[float]:
    handled: asyncio.Queue[float] = asyncio.Queue()

    async def handle(_: Job) -> None:
        handled.put_nowait(time.perf_counter())

    milliseconds = []
    async with runner(jobs, handle):
        for _ in range(PICK_UPS):
            asked = time.perf_counter()
            await jobs.queue.enqueue([NewJob("mail", PAYLOAD)])
            milliseconds.append((await handled.get() - asked) * 1000)
            await asyncio.sleep(0.002)
    return milliseconds


async def measure(url: Callable[[], str], *, runs: int, count: int) -> Figures:
    added, ended, p50, p99 = [], [], [], []
    for _ in range(runs):
        async with asyncio.timeout(LONGEST_RUN_SECONDS), store(url()) as jobs:
            added_now, ended_now = await throughput(jobs, count)
            hundredths = statistics.quantiles(await pick_up(jobs), n=100)
        added.append(added_now)
        ended.append(ended_now)
        p50.append(hundredths[49])
        p99.append(hundredths[98])
    return Figures(*(round(statistics.median(values), 2) for values in (added, ended, p50, p99)))


def sync_milliseconds() -> float:
    """What one write and fsync takes where the embedded store would lie."""
    with tempfile.NamedTemporaryFile() as file:
        times = []
        for _ in range(100):
            started = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=5000, help="jobs a run")
    parser.add_argument("--only", choices=("embedded", "postgresql"))
    chosen = parser.parse_args()
    results: dict[str, object] = {"fsync_ms": sync_milliseconds()}
    if chosen.only != "postgresql":
        embedded = measure(lambda: "", runs=chosen.runs, count=chosen.jobs)
        results["embedded"] = asdict(uvloop.run(embedded))
    if chosen.only != "embedded":
        session = Session()
        try:
            server = SyncedPostgres(session)
            server.start()
            results["postgresql"] = asdict(
                uvloop.run(measure(server.create_database, runs=chosen.runs, count=chosen.jobs))
            )
        finally:
            session.close()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
