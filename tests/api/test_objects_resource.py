"""Signed URLs of the embedded store, used as a browser would."""

from __future__ import annotations

import asyncio
import resource as process_resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from adapters.objects import ObjectStore, open_objects
from api.resources import objects
from config.sections import Objects
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.objects import UploadedPart
from tests.api.serving import Running, running

KEY = b"k" * 32
MEBI = 1 << 20


@dataclass
class Serving:
    server: Running
    store: ObjectStore

    async def put(self, key: str, data: bytes, content_type: str = "text/plain") -> None:
        signed = await self.store.signer.sign_put(key, expires_in=60, content_type=content_type, size=len(data))
        async with self.server.client.put(signed.url, data=data, headers=signed.headers) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Serving]:
    clock = SystemClock()
    async with open_objects(
        Objects(), data_dir=folder, signing_key=KEY, base_url="", clock=clock, metrics=Metrics()
    ) as store:
        async with running(resources=[objects.resource(store, KEY, clock)]) as server:
            yield Serving(server, store)


async def test_what_was_uploaded_comes_down_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as it:
        await it.put("a/b.txt", b"hello")
        signed = await it.store.signer.sign_get("a/b.txt", expires_in=60, file_name="grüße.txt")
        async with it.server.client.get(signed.url) as answer:
            assert (answer.status, await answer.read()) == (200, b"hello")
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert "UTF-8''gr%C3%BC%C3%9Fe.txt" in answer.headers["Content-Disposition"]
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            etag = answer.headers["ETag"]
        async with it.server.client.get(signed.url, headers={"If-None-Match": etag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with it.server.client.head(signed.url) as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, "5")


async def test_ranges_are_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as it:
        await it.put("r", bytes(range(100)))
        url = (await it.store.signer.sign_get("r", expires_in=60)).url
        async with it.server.client.get(url, headers={"Range": "bytes=10-19"}) as answer:
            assert (answer.status, await answer.read()) == (206, bytes(range(10, 20)))
            assert answer.headers["Content-Range"] == "bytes 10-19/100"
        async with it.server.client.get(url, headers={"Range": "bytes=500-"}) as answer:
            assert answer.status == 416


@pytest.mark.parametrize("change", ["?", "&size=6", "&expires=9999999999", "#", "signature"])
async def test_a_changed_url_opens_nothing(tmp_path: Path, change: str) -> None:
    async with serving(tmp_path) as it:
        await it.put("x", b"12345")
        url = (await it.store.signer.sign_get("x", expires_in=60)).url
        changed = {
            "?": url.partition("?")[0],
            "#": url.replace("/x?", "/y?"),
            "signature": url[:-1] + ("0" if url[-1] != "0" else "1"),
        }.get(change, url + change)
        async with it.server.client.get(changed) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "signature_invalid")


async def test_an_upload_is_exactly_what_was_signed_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as it:
        signed = await it.store.signer.sign_put("x", expires_in=60, content_type="text/plain", size=5)
        for data, kind in ((b"123456", "text/plain"), (b"1234", "text/plain"), (b"12345", "text/html")):
            async with it.server.client.put(signed.url, data=data, headers={"Content-Type": kind}) as answer:
                assert (answer.status, (await answer.json())["code"]) == (403, "signature_invalid")
        assert await it.store.objects.stat("x") is None


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as it:
        signed = await it.store.signer.sign_put("x", expires_in=60, content_type="text/plain", size=MEBI)
        _, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
        writer.write(f"PUT {signed.url} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n".encode())
        writer.write(f"Content-Length: {MEBI}\r\n\r\n".encode() + b"x" * 1000)
        await asyncio.sleep(0.1)
        writer.transport.abort()
        async with asyncio.timeout(5):
            while it.server.lifecycle.requests_running:
                await asyncio.sleep(0.02)
        assert await it.store.objects.stat("x") is None


async def test_parts_are_uploaded_by_url_and_put_together(tmp_path: Path) -> None:
    async with serving(tmp_path) as it:
        first, last = b"a" * (5 * MEBI), b"b" * 100
        upload = await it.store.multipart.begin("big", content_type="video/mp4")
        parts = []
        for number, data in ((2, last), (1, first)):
            signed = await it.store.signer.sign_part("big", upload, number, expires_in=60, size=len(data))
            async with it.server.client.put(signed.url, data=BytesIO(data), headers=signed.headers) as answer:
                assert answer.status == 200
                parts.append(UploadedPart(number, answer.headers["ETag"].strip('"')))
        info = await it.store.multipart.complete("big", upload, sorted(parts, key=lambda part: part.number))
        assert info.size == len(first) + len(last)


async def test_a_large_object_moves_in_constant_memory(tmp_path: Path) -> None:
    size = 64 * MEBI

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(size // MEBI):
            yield bytes(MEBI)

    async with serving(tmp_path) as it:
        before = process_resource.getrusage(process_resource.RUSAGE_SELF).ru_maxrss
        signed = await it.store.signer.sign_put("z", expires_in=60, content_type="video/mp4", size=size)
        headers = {**signed.headers, "Content-Length": str(size)}
        async with it.server.client.put(signed.url, data=zeros(), headers=headers) as answer:
            assert answer.status == 200
        received = 0
        url = (await it.store.signer.sign_get("z", expires_in=60)).url
        async with it.server.client.get(url) as answer:
            async for chunk in answer.content.iter_chunked(MEBI):
                received += len(chunk)
        grown = process_resource.getrusage(process_resource.RUSAGE_SELF).ru_maxrss - before
        assert received == size
        assert grown < 24 * 1024, f"{grown} KiB more at the peak"
