"""Every way in which a request can carry something that must never be written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

import aiohttp

from tests.product import workload
from tests.services.process import HOST

# Whoever asks, as told by a proxy that is trusted.
CLIENT_ADDRESSES = ("203.0.113.77", "2001:db8::77:beef")
OVERSIZED = 2 << 20


async def push(port: int, marker: str) -> None:
    """``marker`` through each part of a request, well-formed and not, to addresses that exist and to some that do not.
    The answers do not matter here."""
    async with aiohttp.ClientSession(f"http://{HOST}:{port}") as session:
        for path in ("/", "/health", "/metrics", "/v1/nowhere", "/v1/product/plain", f"/v1/objects/{marker}"):
            for headers in _headers(marker):
                for method in ("GET", "POST"):
                    with suppress(aiohttp.ClientError):
                        async with session.request(method, path, headers=headers, params={"token": marker}):
                            pass
        for name in (*workload.WRITES, "uploads", "nowhere"):
            for body in _bodies(marker):
                headers = {"Content-Type": "application/json", "X-Forwarded-For": CLIENT_ADDRESSES[0]}
                with suppress(aiohttp.ClientError):
                    async with session.post(f"/v1/product/{name}", data=BytesIO(body), headers=headers):
                        pass
        for protocols in ((marker,), ("bearer", marker)):
            with suppress(aiohttp.ClientError):
                async with session.ws_connect(f"/v1/product/{marker}", protocols=protocols):
                    pass
    await asyncio.gather(*(_send(port, raw) for raw in _raw(marker)))


def _headers(marker: str) -> Iterator[dict[str, str]]:
    yield {"Authorization": f"Bearer {marker}", "X-Forwarded-For": CLIENT_ADDRESSES[0]}
    yield {"Authorization": f"Basic {marker}", "X-Forwarded-For": CLIENT_ADDRESSES[1]}
    yield {"Authorization": marker}
    yield {"Cookie": f"refresh={marker}", "Origin": f"https://{marker}.example", "Referer": f"https://x/{marker}"}
    yield {"User-Agent": marker, "Idempotency-Key": marker, "X-Api-Key": marker, "If-None-Match": f'"{marker}"'}
    yield {"Content-Type": f"text/{marker}", "Accept": f"{marker}/*", "Range": f"bytes={marker}"}
    yield {"X-Forwarded-For": f"{CLIENT_ADDRESSES[1]}, {marker}", "Expect": marker, "traceparent": f"00-{marker}-01"}


def _bodies(marker: str) -> Iterator[bytes]:
    write = {"client": "pushed", "number": 1, "payload": marker}
    yield json.dumps(write).encode()
    yield json.dumps(write | {"client": marker}).encode()
    yield json.dumps(write | {marker: 1}).encode()
    yield json.dumps(write | {"number": marker, "password": marker}).encode()
    yield json.dumps([marker]).encode()
    yield f'{{"client": "{marker}", "client": "{marker}"}}'.encode()
    yield f'{{"client": "{marker}'.encode()
    yield f'{{"{marker}": {"[" * 500}'.encode()
    yield marker.encode() + b"\xff\xfe"
    yield json.dumps(write | {"payload": marker * (OVERSIZED // len(marker))}).encode()


def _raw(marker: str) -> Iterator[bytes]:
    token = marker.encode()
    rest = b" HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + CLIENT_ADDRESSES[0].encode() + b"\r\n"
    yield token + b"\r\n\r\n"
    yield b"GET /" + token + b"\r\n\r\n"
    yield b"GET /" + token + b" HTTP/9.9\r\n\r\n"
    yield token.upper() + b" /health" + rest + b"\r\n"
    yield b"GET /" + token * 300 + rest + b"\r\n"
    yield b"GET /health" + rest + token + b"\r\n\r\n"
    yield b"GET /health" + rest + b"X: " + token * 300 + b"\r\n\r\n"
    yield b"GET /health" + rest + b"Cookie: " + token + b"\x00\r\n\r\n"
    yield b"GET /health" + rest + b"".join(b"%s-%d: x\r\n" % (token, number) for number in range(200)) + b"\r\n"
    body = rest + b"Content-Type: application/json\r\n"
    yield b"POST /v1/product/plain" + body + b"Content-Length: " + token + b"\r\n\r\n"
    yield b"POST /v1/product/messages" + body + b"Content-Length: 1000\r\n\r\n" + token
    yield b"POST /v1/product/messages" + body + b"Transfer-Encoding: chunked\r\n\r\n" + token + b"\r\n"
    yield (
        b"POST /v1/product/messages" + body + b"Content-Encoding: gzip\r\nContent-Length: 40\r\n\r\n" + token.ljust(40)
    )
    yield b"PUT /v1/objects/" + token + b"?signature=" + token + body + b"Content-Length: 4\r\n\r\nabcd"


async def _send(port: int, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        with suppress(OSError, TimeoutError):
            writer.write(raw)
            await writer.drain()
            async with asyncio.timeout(0.5):
                await reader.read()
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
