"""Minutes of mixed load on the embedded product: nothing grows that should not. SOAK_SECONDS sets how long."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, mean, median, quantiles

import aiohttp
import psutil
import pytest

from tests.product import workload
from tests.product.load import Client, Load, running_load
from tests.product.processes import ServerProcess, running_process
from tests.product.pushing import push

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SAMPLES = 60
CLIENTS_PER_WRITE = 4
MEBI = 1 << 20

# Caches of the stores and of the allocator fill in the first half; what goes on growing after that is a leak.
MAX_RSS_GROWTH = 8 * MEBI
MAX_NEW_DESCRIPTORS = 16
MAX_NEW_TASKS = 16
# A checkpoint is due every 16 MiB of the message log and every 4 MiB of the other.
MAX_WAL = 64 * MEBI

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS * 1.5 + 300)]


@dataclass(frozen=True)
class Sample:
    at: float
    rss: int
    descriptors: int
    threads: int
    tasks: int
    wal: int


async def sample(server: ServerProcess, session: aiohttp.ClientSession) -> Sample:
    process = psutil.Process(server.pid)
    async with session.post("/v1/product/vitals") as answer:
        tasks = (await answer.json())["tasks"]
    wal = max(path.stat().st_size for path in server.data_dir.glob("*-wal"))
    return Sample(time.monotonic(), process.memory_info().rss, process.num_fds(), process.num_threads(), tasks, wal)


async def disturb(server: ServerProcess) -> None:
    """What is refused, malformed and cut off leaves nothing behind either."""
    while True:
        await push(server.port, "nonsense")
        await asyncio.sleep(1)


async def samples_of(server: ServerProcess) -> list[Sample]:
    found = []
    async with aiohttp.ClientSession(server.url) as session:
        for _ in range(SAMPLES):
            await asyncio.sleep(SECONDS / SAMPLES)
            found.append(await sample(server, session))
            async with session.get("/metrics") as answer:
                assert answer.status == 200
    return found


async def test_nothing_grows_but_the_data(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, {"LIMITS_ENABLED": "false", "LOGGING_LEVEL": "warning"})
    async with running_process(server):
        clients = [
            Client(f"{write}-{number}", write, payload="x" * 1000)
            for write in workload.WRITES
            for number in range(CLIENTS_PER_WRITE)
        ]
        async with running_load(server.url, clients) as load:
            disturbing = asyncio.create_task(disturb(server))
            try:
                samples = await samples_of(server)
            finally:
                disturbing.cancel()
                await asyncio.gather(disturbing, return_exceptions=True)
        report(samples, load)
        assert not load.failures(*workload.WRITES)
        assert await server.stop() == 0
    judge(samples)
    judge_latencies(load)


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[len(samples) // 2 :]


def rss_growth(samples: Sequence[Sample]) -> float:
    """Bytes in the second half, noise evened out."""
    later = settled(samples)
    slope = linear_regression([item.at for item in later], [item.rss for item in later]).slope
    return slope * (later[-1].at - later[0].at)


def judge(samples: Sequence[Sample]) -> None:
    first, last = samples[: SAMPLES // 4], settled(samples)
    assert rss_growth(samples) < MAX_RSS_GROWTH
    assert mean(item.descriptors for item in last) < mean(item.descriptors for item in first) + MAX_NEW_DESCRIPTORS
    assert mean(item.tasks for item in last) < mean(item.tasks for item in first) + MAX_NEW_TASKS
    assert max(item.threads for item in last) <= max(item.threads for item in first) + 2
    assert max(item.wal for item in samples) < MAX_WAL


def judge_latencies(load: Load) -> None:
    """A store that holds more answers no slower."""
    for client in load.clients:
        quarter = len(client.seconds) // 4
        assert median(client.seconds[-quarter:]) < 3 * median(client.seconds[:quarter]) + 0.02


def report(samples: Sequence[Sample], load: Load) -> None:
    for item in samples[:: SAMPLES // 12]:
        at = item.at - samples[0].at
        sizes = f"RSS {item.rss / MEBI:.1f} MiB, WAL {item.wal / MEBI:.1f} MiB"
        print(f"{at:6.0f} s  {sizes}, {item.descriptors} descriptors, {item.threads} threads, {item.tasks} tasks")
    print(f"RSS grew by {rss_growth(samples) / MEBI:.1f} MiB in the second half")
    for write in workload.WRITES:
        seconds = [taken for client in load.of(write) for taken in client.seconds]
        cuts = quantiles(seconds, n=100)
        rate = len(seconds) / SECONDS
        print(f"{write:10} {rate:6.0f}/s  p50 {cuts[49] * 1000:6.1f} ms, p99 {cuts[98] * 1000:6.1f} ms")
