"""Opening object stores the way the composition root does, for all tests of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from adapters.objects import ObjectStore, open_objects
from config.sections import Objects
from config.values import Duration, Secret
from kernel.clock import Clock, SystemClock
from kernel.metrics import Metrics
from tests.services.s3 import S3Service

SIGNING_KEY = b"a signing key of thirty-two bytes"
BASE_URL = "http://objects.test"
MIB = 1 << 20


def local_store(
    data_dir: Path, *, clock: Clock | None = None, metrics: Metrics | None = None
) -> AbstractAsyncContextManager[ObjectStore]:
    return _opened(Objects(), data_dir, clock, metrics)


def s3_store(
    service: S3Service,
    *,
    bucket: str = "contract",
    endpoint: str = "",
    public_endpoint: str = "",
    secret_key: str = "",
    connections: int = 20,
    timeout: float = 5.0,
    stall_timeout: float = 5.0,
    tls_ca: str = "",
    clock: Clock | None = None,
    metrics: Metrics | None = None,
) -> AbstractAsyncContextManager[ObjectStore]:
    settings = Objects(
        endpoint=endpoint or service.endpoint,
        public_endpoint=public_endpoint,
        region=service.region,
        bucket=bucket,
        access_key=service.access_key,
        secret_key=Secret(secret_key or service.secret_key),
        connections=connections,
        timeout=Duration(timeout),
        stall_timeout=Duration(stall_timeout),
        tls_ca=tls_ca,
    )
    return _opened(settings, Path("unused"), clock, metrics)


def _opened(
    settings: Objects, data_dir: Path, clock: Clock | None, metrics: Metrics | None
) -> AbstractAsyncContextManager[ObjectStore]:
    return open_objects(
        settings,
        data_dir=data_dir,
        signing_key=SIGNING_KEY,
        base_url=BASE_URL,
        clock=clock or SystemClock(),
        metrics=metrics or Metrics(),
    )


async def chunked(data: bytes, size: int = 64 << 10) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def repeated(chunk: bytes, times: int) -> AsyncIterator[bytes]:
    """Large without being held."""
    for _ in range(times):
        yield chunk


async def stuck_after(data: bytes, reached: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """Yields ``data`` and never anything again; ``reached`` is set once that has been taken."""
    yield data
    reached.set()
    await asyncio.Event().wait()


async def read(store: ObjectStore, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    async with store.objects.open(key, start=start, length=length) as content:
        return b"".join([piece async for piece in content])


async def digest(store: ObjectStore, key: str) -> tuple[int, str]:
    """Size and SHA-256 of what is stored, in constant memory."""
    size, sha256 = 0, hashlib.sha256()
    async with store.objects.open(key) as content:
        async for piece in content:
            size += len(piece)
            sha256.update(piece)
    return size, sha256.hexdigest()


async def put(store: ObjectStore, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
    await store.objects.put(key, chunked(data), size=len(data), content_type=content_type)
