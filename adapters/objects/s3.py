"""Objects on an S3 server: MinIO, Swift, AWS and their like.

The requests are our own over aiohttp, not those of the S3 library: its calls block, and run in threads they would
neither stream nor be cancelled.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from adapters.guard import Guard
from adapters.objects.pieces import PIECE
from adapters.objects.s3_client import OUTAGES, S3Client
from adapters.objects.s3_multipart import S3Uploads
from adapters.objects.s3_objects import S3Objects
from adapters.objects.s3_place import Place
from adapters.objects.s3_signer import S3Signer
from adapters.objects.sigv4 import Credentials
from adapters.objects.store import ObjectStore
from config import sections
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable
from kernel.health import ProbeResult
from kernel.metrics import Metrics

_log = logging.getLogger(__name__)


class S3Server:
    """The dependency. Not required: without objects there are still calls and messages."""

    name = "objects"
    required = False

    def __init__(self, client: S3Client) -> None:
        self._client = client

    async def probe(self) -> ProbeResult:
        return await self._client.guard.probe(self._client.look)


@asynccontextmanager
async def open_s3(settings: sections.Objects, *, clock: Clock, metrics: Metrics) -> AsyncIterator[ObjectStore]:
    """A server that is away at start-up is waited for by nobody: the bucket is made on first use, and health tells.
    One that refuses us raises, for no waiting cures a wrong key."""
    guard = Guard("objects", timeout=settings.timeout, outages=OUTAGES, clock=clock, metrics=metrics)
    place = Place.of(settings.endpoint, settings.bucket, settings.addressing)
    public = Place.of(settings.public_endpoint or settings.endpoint, settings.bucket, settings.addressing)
    async with _session(settings) as session:
        client = S3Client(
            session,
            guard,
            place,
            Credentials(settings.access_key, settings.secret_key, settings.region),
            stall_timeout=settings.stall_timeout,
            transfers=max(1, settings.connections - _kept_for_requests(settings.connections)),
            clock=clock,
            metrics=metrics,
        )
        try:
            await client.ensure_bucket()
        except DependencyUnavailable as error:
            if not isinstance(error.__cause__, (*OUTAGES, TimeoutError)):
                raise
            _log.warning("the S3 server does not answer yet: %s", error.reason)
        objects = S3Objects(client, clock)
        yield ObjectStore(
            objects=objects,
            signer=S3Signer(client, public, clock),
            multipart=S3Uploads(client, objects),
            dependency=S3Server(client),
            signs_own_urls=False,
        )


def _kept_for_requests(connections: int) -> int:
    return max(1, connections // 5)


@asynccontextmanager
async def _session(settings: sections.Objects) -> AsyncIterator[aiohttp.ClientSession]:
    trust = ssl.create_default_context(cafile=str(Path(settings.tls_ca)) if settings.tls_ca else None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.connections, ssl=trust),
        # The guard bounds each request as a whole; these bound what goes on after it, the bytes of a download.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.stall_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        # What is stored compressed is handed out compressed, and nothing is to be compressed on the way.
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "Content-Type"),
        read_bufsize=PIECE,
    ) as session:
        yield session
