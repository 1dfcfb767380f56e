"""Under a load of everything at once, the event loop of the embedded product never stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest

from tests.product import server as program
from tests.product import workload
from tests.product.load import Client, running_load
from tests.product.processes import ServerProcess, running_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SECONDS = 8.0
CLIENTS_PER_WRITE = 6
LARGE = 8 << 20


async def test_nothing_holds_up_the_loop_under_a_mixed_load(tmp_path: Path) -> None:
    """What a busy machine keeps the process waiting does not count, see tests/blocking.py."""
    blocked = tmp_path / "blocked"
    server = ServerProcess(tmp_path, {"LIMITS_ENABLED": "false"}, variables={program.BLOCKED_FILE: str(blocked)})
    async with running_process(server):
        names = [(write, number) for write in workload.WRITES for number in range(CLIENTS_PER_WRITE)]
        clients = [Client(f"{write}-{number}", write, payload="x" * 2000) for write, number in names]
        async with running_load(server.url, clients) as load, asyncio.timeout(SECONDS * 4):
            await asyncio.gather(uploads(server.url), reads(server.url), hostile(server.url), asyncio.sleep(SECONDS))
        assert not load.failures(*workload.WRITES)
        assert await server.stop() == 0
    assert not blocked.read_text(), blocked.read_text()


async def uploads(url: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        for number in range(4):
            upload = {"name": f"file-{number}", "size": LARGE}
            async with session.post("/v1/product/uploads", json=upload) as answer:
                signed = await answer.json()
            async with session.put(signed["url"], data=pieces(), headers=signed["headers"]) as answer:
                assert answer.status == 200, await answer.text()


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(LARGE >> 18):
        yield bytes(1 << 18)


async def reads(url: str) -> None:
    """What is asked for all the time while it runs."""
    async with aiohttp.ClientSession(url) as session:
        for path in ("/metrics", "/health", "/openapi.json", "/docs", "/", "/v1/nowhere") * 10:
            async with session.get(path) as answer:
                await answer.read()


async def hostile(url: str) -> None:
    """Bodies of the largest size there may be, as costly to read as one can make them."""
    size = (1 << 20) - 100
    bodies = [
        b"[" * size,
        b"[" + b"1," * (size // 2) + b"1]",
        b'{"a":"' + b"\\u0041" * (size // 6) + b'"}',
        b"[" + b'{"x":1},' * (size // 8) + b"{}]",
        b"{" + b",".join(b'"%06x":1' % number for number in range(size // 11)) + b"}",
        b'"' * size,
        b"9" * size,
    ]
    async with aiohttp.ClientSession(url) as session:
        for body in bodies * 2:
            headers = {"Content-Type": "application/json"}
            async with session.post("/v1/product/messages", data=BytesIO(body), headers=headers) as answer:
                assert answer.status in (400, 422), await answer.text()
