"""Stopping: what runs may finish, sockets are told why, nothing new is taken, and it ends in time."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from kernel.clock import SystemClock
from tests.api.serving import Running, running


async def stop(server: Running, within: float) -> float:
    started = time.monotonic()
    await server.server.stop(SystemClock().monotonic() + within)
    return time.monotonic() - started


async def test_a_running_request_is_finished_and_its_connection_closed() -> None:
    async with running() as server:
        asked = asyncio.create_task(server.client.post("/v1/slow"))
        await asyncio.sleep(0.1)
        took = await stop(server, 5)
        answer = await asked
        assert answer.status == 204
        assert answer.headers["Connection"] == "close"
        assert took < 1.5


async def test_nobody_new_is_let_in() -> None:
    async with running() as server:
        await stop(server, 1)
        with pytest.raises(aiohttp.ClientConnectorError):
            await server.client.get("/health")


async def test_a_socket_is_closed_with_a_reason() -> None:
    async with running() as server, server.client.ws_connect("/v1/socket") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "heard"
        assert server.lifecycle.open_sockets() == 1
        stopping = asyncio.create_task(stop(server, 5))
        message = await socket.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert (socket.close_code, message.extra) == (1001, "server is stopping")
        assert await stopping < 2
        assert server.lifecycle.open_sockets() == 0


async def test_a_request_that_never_ends_is_cut_at_the_deadline() -> None:
    async with running() as server:
        asked = asyncio.create_task(server.client.post("/v1/stuck"))
        await asyncio.sleep(0.1)
        took = await stop(server, 1)
        assert took < 3
        with pytest.raises(aiohttp.ClientError):
            await asked


async def test_a_stream_is_cut_at_the_deadline() -> None:
    async with running() as server, server.client.get("/v1/linger") as answer:
        await answer.content.readany()
        assert await stop(server, 1) < 3


async def test_health_says_that_it_is_stopping() -> None:
    async with running() as server:
        server.lifecycle.stop()
        async with server.client.get("/health/ready") as answer:
            assert answer.status == 503
            assert (await answer.json())["stopping"] is True
