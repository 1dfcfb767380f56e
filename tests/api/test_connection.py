"""Clients that misbehave below HTTP are answered or cut, and never keep a connection for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from config.sections import Server
from config.values import Duration
from tests.api.serving import Running, running

QUICK = Server(
    port=0,
    header_timeout=Duration(0.4),
    body_timeout=Duration(0.5),
    request_timeout=Duration(1.0),
    keepalive_timeout=Duration(2.0),
    max_connections=20,
)


@asynccontextmanager
async def raw(server: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def closes_within(reader: asyncio.StreamReader, seconds: float) -> float:
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


def cut(server: Running, reason: str) -> float:
    return (
        server.metrics.registry.get_sample_value("secureconnect_http_connections_cut_total", {"reason": reason}) or 0.0
    )


async def test_headers_sent_a_byte_at_a_time_are_cut_off() -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, writer):

        async def trickle() -> None:
            for byte in b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        took = await closes_within(reader, 2)
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        assert 0.3 < took < 1.0
        assert cut(server, "slow_headers") == 1


async def test_a_connection_that_never_sends_anything_is_cut_off() -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, _):
        assert 0.3 < await closes_within(reader, 2) < 1.0


async def test_a_kept_alive_connection_may_rest_longer_than_the_header_timeout_and_is_used_again() -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"}")
            await asyncio.sleep(0.7)
        assert cut(server, "slow_headers") == 0


async def test_the_next_request_on_a_kept_alive_connection_has_the_keep_alive_timeout_to_arrive() -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, writer):
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")

        async def trickle() -> None:
            for byte in b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert 1.5 < await closes_within(reader, 4) < 3
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_a_request_that_takes_longer_than_the_header_timeout_is_answered() -> None:
    slow = Server(port=0, header_timeout=Duration(0.2))
    async with running(server=slow) as server, raw(server) as (reader, writer):
        writer.write(b"POST /v1/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(2):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 204")


async def test_a_body_that_does_not_arrive_is_408() -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, writer):
        writer.write(
            b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
        async with asyncio.timeout(2):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 408")
            assert b'"code":"body_timeout"' in await reader.readuntil(b"}")


async def test_a_reader_that_never_reads_is_cut_off() -> None:
    async with running(server=QUICK) as server, raw(server) as (_, writer):
        request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        async with asyncio.timeout(10):
            while not cut(server, "slow_reader"):
                writer.write(request * 50)
                await asyncio.sleep(0.02)


MANY_HEADERS = b"".join(b"X-%d: 1\r\n" % number for number in range(200))


@pytest.mark.parametrize(
    ("bytes_sent", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "malformed_http"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed_http"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_http"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400, "malformed_http"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + MANY_HEADERS + b"\r\n",
            400,
            "malformed_http",
        ),
        (b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400, "malformed_http"),
        (
            b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "malformed_http",
        ),
    ],
)
async def test_what_is_not_http_is_refused_in_the_same_form_as_every_error(
    bytes_sent: bytes, status: int, code: str
) -> None:
    async with running(server=QUICK) as server, raw(server) as (reader, writer):
        writer.write(bytes_sent)
        async with asyncio.timeout(3):
            answer = await reader.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == str(status).encode(), answer[:200]
        assert b"application/problem+json" in head
        assert b"nosniff" in head
        assert b"aiohttp" not in head
        assert json.loads(body)["code"] == code


async def test_a_malformed_chunked_body_is_400_and_the_server_lives_on() -> None:
    async with running(server=QUICK) as server:
        async with raw(server) as (reader, writer):
            writer.write(
                b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"
            )
            async with asyncio.timeout(3):
                assert (await reader.read()).split(b" ")[1] == b"400"
        async with server.client.get("/health/live") as answer:
            assert answer.status == 200


async def test_a_body_that_is_not_compressed_as_it_says_is_400_and_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as server, raw(server) as (reader, writer):
        head = b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        writer.write(head + b"Content-Length: 30\r\n\r\nnot gzip at all")
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"400"
        writer.write(b"nor is the rest")
        await closes_within(reader, 5)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_client_that_resets_its_connection_half_way_is_nobodys_fault(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        async with raw(server) as (_, writer):
            writer.write(b"POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            await writer.drain()
            async with asyncio.timeout(5):
                while not server.lifecycle.requests_running:
                    await asyncio.sleep(0.01)
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        async with asyncio.timeout(5):
            while server.lifecycle.requests_running:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert cut(server, "malformed") == 0


async def test_connections_beyond_the_bound_are_refused_and_room_is_found_again() -> None:
    async with running(server=QUICK) as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        await asyncio.sleep(0.05)
        async with raw(server) as (reader, _):
            assert await closes_within(reader, 1) < 0.3
        assert cut(server, "too_many") == 1
        for _, writer in held:
            writer.transport.abort()
        await asyncio.sleep(0.05)
        async with server.client.get("/health/live") as answer:
            assert answer.status == 200


async def test_open_connections_are_counted_up_and_down() -> None:
    async with running(server=QUICK) as server:
        async with raw(server) as (reader, writer):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"}")
            assert server.metrics.registry.get_sample_value("secureconnect_http_connections") == 1
        await asyncio.sleep(0.05)
        assert server.metrics.registry.get_sample_value("secureconnect_http_connections") == 0


async def test_garbage_on_a_hundred_connections_leaves_nothing_behind() -> None:
    async with running(server=Server(port=0, header_timeout=Duration(0.4))) as server:

        async def vandal(number: int) -> None:
            async with raw(server) as (reader, writer):
                writer.write(bytes((number * 7 + place * 13) % 256 for place in range(200)))
                await closes_within(reader, 3)

        await asyncio.gather(*(vandal(number) for number in range(100)))
        await asyncio.sleep(0.05)
        assert server.metrics.registry.get_sample_value("secureconnect_http_connections") == 0
