"""SIGTERM under load: it ends in time, nothing acknowledged is lost, and nobody who had asked is left unanswered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from kernel.jobs import Job
from tests.product import workload
from tests.product.cables import cables, settings_through
from tests.product.history import Writer, body_of, check
from tests.product.load import Client, running_load
from tests.product.platforms import Stores, embedded_settings, open_product
from tests.product.processes import ServerProcess, running_process
from tests.services.process import HOST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SHUTDOWN = 6.0
SETTINGS = {"SERVER_SHUTDOWN_TIMEOUT": f"{SHUTDOWN:g}s", "LIMITS_ENABLED": "false"}
CALLERS = 40
ROUNDS = 4


@dataclass
class Caller:
    """Speaks HTTP by hand, so that it knows when a request had been sent completely."""

    port: int
    writer: Writer
    keeps_alive: bool
    sent_at: float = 0.0
    broken: list[tuple[float, str]] = field(default_factory=list)

    async def run(self) -> None:
        while not self.broken:
            try:
                reader, writer = await asyncio.open_connection(HOST, self.port)
            except OSError as error:
                self.broken.append((float("inf"), repr(error)))
                return
            try:
                await self._talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.broken.append((self.sent_at, repr(error)))
            finally:
                writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Request after request until one side wants to close."""
        goes_on = True
        while goes_on:
            self.sent_at = float("inf")
            writer.write(self._request())
            await writer.drain()
            self.sent_at = time.monotonic()
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields["content-length"]))
            if head.startswith("HTTP/1.1 200"):
                self.writer.acknowledged.append(json.loads(body)["place"])
            else:
                assert head.startswith("HTTP/1.1 503"), head
            goes_on = self.keeps_alive and fields.get("connection") != "close"

    def _request(self) -> bytes:
        number = len(self.writer.acknowledged) + 1
        body = json.dumps(
            {"client": self.writer.name, "number": number, "payload": body_of(self.writer.name, number)}
        ).encode()
        head = f"POST /v1/product/{self.writer.kind} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection = "" if self.keeps_alive else "Connection: close\r\n"
        return f"{head}{connection}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[list[Caller]]:
    kinds = ("messages", "events", "units", "jobs")
    callers = [Caller(port, Writer(kinds[number % 4]), keeps_alive=number % 8 < 4) for number in range(CALLERS)]
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(caller.run())
        yield callers


async def test_whoever_had_asked_is_answered_and_what_was_acknowledged_is_kept(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, SETTINGS)
    everyone: list[Caller] = []
    for _ in range(ROUNDS):
        async with running_process(server), calling(server.port) as callers:
            while not all(caller.writer.acknowledged for caller in callers):
                await asyncio.sleep(0.01)
            asked_at = time.monotonic()
            code = await server.stop()
            took = time.monotonic() - asked_at
        assert code == 0
        assert took < SHUTDOWN
        left_alone = [what for caller in callers for sent_at, what in caller.broken if sent_at < asked_at]
        assert not left_alone, f"{len(left_alone)} of {CALLERS}: {left_alone[:3]}"
        everyone += callers
    async with open_product(embedded_settings(server.data_dir)) as product:
        assert await check(product.platform, [caller.writer for caller in everyone]) > CALLERS * ROUNDS


async def test_an_upload_that_is_under_way_is_finished(tmp_path: Path) -> None:
    size = 1 << 20
    server = ServerProcess(tmp_path, SETTINGS)
    async with running_process(server), aiohttp.ClientSession(server.url) as session:
        async with session.post("/v1/product/uploads", json={"name": "file", "size": size}) as answer:
            url = (await answer.json())["url"]
        stopped: asyncio.Event = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield bytes(size // 2)
            await stopped.wait()
            await asyncio.sleep(1.0)
            yield bytes(size - size // 2)

        headers = {"Content-Type": "text/plain", "Content-Length": str(size)}
        uploading = asyncio.create_task(session.put(url, data=slowly(), headers=headers))
        await asyncio.sleep(0.3)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        stopped.set()
        assert (await uploading).status == 200
        assert await stopping == 0
    async with open_product(embedded_settings(server.data_dir)) as product:
        info = await product.platform.objects.objects.stat("uploads/file")
        assert info is not None
        assert info.size == size


async def test_jobs_that_cannot_finish_are_given_back_and_what_never_ends_is_cut_in_time(tmp_path: Path) -> None:
    """A job, a request and an upload that would last for minutes: none of them keeps the process from ending."""
    server = ServerProcess(tmp_path, SETTINGS)
    async with running_process(server), aiohttp.ClientSession(server.url) as session:
        async with session.post("/v1/product/long-jobs", json={"seconds": 500}) as answer:
            assert answer.status == 200
        async with session.post("/v1/product/uploads", json={"name": "file", "size": 1000}) as answer:
            upload = (await answer.json())["url"]
        endless = asyncio.create_task(session.post("/v1/product/waits", json={"seconds": 500}))
        headers = {"Content-Type": "text/plain", "Content-Length": "1000"}
        unfinished = asyncio.create_task(session.put(upload, data=never_ending(), headers=headers))
        await asyncio.sleep(1.0)
        asked_at = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - asked_at < SHUTDOWN
        for request in (endless, unfinished):
            [broken] = await asyncio.gather(request, return_exceptions=True)
            assert isinstance(broken, aiohttp.ClientError), broken

    seen: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

    async def take(job: Job) -> None:
        seen.set_result(job)

    async with open_product(embedded_settings(server.data_dir), handlers=lambda _: {workload.JOB: take}) as product:
        async with asyncio.timeout(5):  # far less than the lease a killed process would have left
            job = await seen
        assert job.payload == b"long/500.0"
        assert (job.attempt, job.postponed) == (1, 1)
        assert await product.platform.objects.objects.stat("uploads/file") is None


async def test_it_stops_in_time_while_no_store_answers(stores: Stores, tmp_path: Path) -> None:
    database_url = await asyncio.to_thread(stores.postgres.create_database)
    async with cables(stores) as lines:
        server = ServerProcess(tmp_path, SETTINGS | settings_through(lines, stores, database_url))
        async with running_process(server):
            clients = [Client(f"{write}-{secrets.token_hex(3)}", write) for write in workload.WRITES]
            async with running_load(server.url, clients) as load:
                await load.succeeds(*workload.WRITES, since=time.monotonic(), within=15)
                for line in lines.values():
                    line.stall()
                await asyncio.sleep(1.5)
                asked_at = time.monotonic()
                assert await server.stop() == 0
                assert time.monotonic() - asked_at < SHUTDOWN


async def never_ending() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()
