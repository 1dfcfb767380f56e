"""The server, or its database, is killed at any moment while clients write: what was acknowledged is there, once and
in order, and every acknowledged job runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from config.sections import Settings
from config.values import Secret
from tests.product import workload
from tests.product.history import Writer, check, expected_runs
from tests.product.platforms import embedded_settings, open_product
from tests.product.processes import ServerProcess, running_process
from tests.services.postgres import PostgresService

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KINDS = ("messages", "events", "units", "objects", "jobs")
WRITERS_PER_KIND = 4
KILLS = 5
# Jobs of a killed process are taken over after this.
LEASE = {"JOBS_LEASE": "2s"}


@asynccontextmanager
async def writing(server: ServerProcess) -> AsyncIterator[list[Writer]]:
    """Ends when every writer was told about its last write."""
    writers = [Writer(kind) for kind in KINDS for _ in range(WRITERS_PER_KIND)]
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=0)) as session:
        async with asyncio.TaskGroup() as tasks:
            for writer in writers:
                tasks.create_task(writer.run(session))
            yield writers
            for writer in writers:
                writer.ending = True


async def progress(writers: list[Writer]) -> None:
    """Everyone has been told something new."""
    before = [len(writer.acknowledged) for writer in writers]
    async with asyncio.timeout(30):
        while any(len(writer.acknowledged) <= told for writer, told in zip(writers, before, strict=True)):
            await asyncio.sleep(0.01)


async def judge(settings: Settings, writers: list[Writer]) -> None:
    """Opened here, after the process is gone: what it never did it cannot do any more."""
    async with open_product(settings, handlers=workload.handlers) as product:
        found = await check(product.platform, writers)
        missing = expected_runs(writers)
        async with asyncio.timeout(60):
            while missing := missing - set(await workload.Traces(product.platform).runs()):
                await asyncio.sleep(0.2)
    repeats = sum(writer.repeats for writer in writers)
    print(f"{found} acknowledged writes, {repeats} repeats")
    assert found > 100 * KILLS


async def run(server: ServerProcess, kill: Callable[[], Awaitable[None]], seed: int) -> list[Writer]:
    moments = random.Random(seed)  # noqa: S311 - when to kill, the same each time
    async with running_process(server), writing(server) as writers:
        for _ in range(KILLS):
            await progress(writers)
            await asyncio.sleep(moments.uniform(0.0, 0.8))
            await kill()
        await progress(writers)
    return writers


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_acknowledged_is_lost_doubled_or_reordered_when_the_server_is_killed(
    tmp_path: Path, seed: int
) -> None:
    server = ServerProcess(tmp_path, LEASE)

    async def kill() -> None:
        await server.kill()
        await server.start()

    writers = await run(server, kill, seed)
    await judge(embedded_settings(server.data_dir), writers)


async def test_nothing_acknowledged_is_lost_doubled_or_reordered_when_the_database_is_killed(
    postgres: PostgresService, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(postgres.create_database)
    server = ServerProcess(tmp_path, {**LEASE, "DATABASE_URL": url, "DATABASE_TIMEOUT": "2s"})

    async def kill() -> None:
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)

    try:
        writers = await run(server, kill, 3)
    finally:
        await asyncio.to_thread(postgres.start)
    settings = embedded_settings(server.data_dir)
    database = msgspec.structs.replace(settings.database, url=Secret(url))
    await judge(msgspec.structs.replace(settings, database=database), writers)
