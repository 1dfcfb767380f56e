"""Requests to an S3 server: signed, guarded, retried where that is safe, streamed both ways in constant memory."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
from yarl import URL

from adapters.guard import Guard
from adapters.objects import s3_xml, sigv4
from adapters.objects.pieces import PIECE, Exactly
from adapters.objects.s3_answer import Answer, answer_of
from adapters.objects.s3_errors import BucketMissing, Failing
from adapters.objects.s3_place import Place
from adapters.objects.s3_upload import Upload
from adapters.objects.s3_xml import Element
from kernel.clock import Clock
from kernel.errors import Conflict, DependencyUnavailable, NotFound, Overloaded
from kernel.metrics import Metrics

Result = TypeVar("Result")

# What a client of ours raises when the server is not reachable or not well; also what a repetition may cure.
OUTAGES: Final = (Failing, aiohttp.ClientError, OSError)

# Before the second and third attempt; with jitter, so that many callers do not come back as one. Short, because
# the circuit takes over when it is more than a hiccup.
_PAUSES: Final = (0.1, 0.4)


@dataclass(frozen=True, slots=True)
class Call:
    """One request; the empty key is the bucket."""

    method: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class S3Client:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        guard: Guard,
        place: Place,
        credentials: sigv4.Credentials,
        *,
        stall_timeout: float,
        transfers: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.guard = guard
        self._session = session
        self._place = place
        self._credentials = credentials
        self._stall_timeout = stall_timeout
        self._slots = asyncio.Semaphore(transfers)
        self._clock = clock
        self._broken_transfers = metrics.counter(
            "dependency_errors_total", "Calls to a dependency that failed, by reason", ("dependency", "reason")
        ).labels(guard.dependency, "transfer")

    async def request(self, call: Call, body: bytes = b"", *, timeout: float | None = None) -> Answer:
        """A request that may be repeated, and is, on a hiccup of the server or the network."""
        return await self.guard.call(lambda: self._in_bucket(lambda: self._once(call, body)), timeout=timeout)

    async def document(self, call: Call, root: str, body: bytes = b"", *, timeout: float | None = None) -> Element:
        """The same, for an answer that is the XML document ``root``."""

        async def attempt() -> Element:
            return (await self._once(call, body)).xml(root)

        return await self.guard.call(lambda: self._in_bucket(attempt), timeout=timeout)

    async def look(self) -> None:
        """Whether the server knows the bucket and us; for probes, so neither guarded nor repeated."""
        await self._once(Call("HEAD", "", {}, {}), b"")

    async def ensure_bucket(self) -> None:
        try:
            await self.guard.call(lambda: _repeated(self.look))
        except NotFound:
            await self.guard.call(self._create_bucket)

    async def upload(self, call: Call, pieces: Exactly, size: int) -> Answer:
        """Sends the pieces as they come. Not repeated once the server has taken the first byte.

        The server is asked first (100-continue): whether it is there and takes the upload shows within the usual
        timeout, before the source is touched, and only that counts for the circuit. From then on every piece has
        ``stall_timeout`` to move; waiting for the source is the source's business.
        """
        async with self._slot() as left:
            upload = await self.guard.call(
                lambda: self._in_bucket(lambda: self._begin_upload(call, pieces, size)), timeout=left
            )
            try:
                answer = await upload.finished(self._stall_timeout)
            except OUTAGES as error:
                raise self._broken(error) from error
            except BucketMissing as error:
                # Some servers look for the bucket only when they have the bytes, and those are gone.
                await self.guard.call(self._create_bucket)
                raise DependencyUnavailable(self.guard.dependency, "its bucket had to be made first") from error
            finally:
                await upload.stop()
            if not _is_intact(answer, upload.md5):
                raise self._broken(Failing("it answered another checksum than that of the bytes sent"))
            return answer

    @asynccontextmanager
    async def download(self, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._slot() as left:
            response = await self.guard.call(lambda: self._in_bucket(lambda: self._begin_download(call)), timeout=left)
            try:
                yield self._content(response)
            finally:
                # Read to its end the connection goes back to the pool; broken off, it is closed at once.
                response.release() if response.content.at_eof() else response.close()

    def presigned(self, place: Place, call: Call, expires_in: int) -> str:
        request = sigv4.Request(call.method, place.host, place.path(call.key), call.query, call.headers)
        query = sigv4.presigned_query(request, expires_in, self._credentials, self._clock.now())
        return place.url(call.key, query)

    async def _once(self, call: Call, body: bytes) -> Answer:
        digest = hashlib.sha256(body).hexdigest() if body else sigv4.EMPTY_SHA256
        async with await self._send(call, digest, data=body or None) as response:
            return await answer_of(response)

    async def _in_bucket(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await _repeated(attempt)
        except BucketMissing:
            await self._create_bucket()
        try:
            return await attempt()
        except BucketMissing as error:
            raise DependencyUnavailable(self.guard.dependency, "the bucket vanishes as soon as it is made") from error

    async def _create_bucket(self) -> None:
        region = self._credentials.region
        body = b"" if region == "us-east-1" else s3_xml.location(region)
        try:
            await _repeated(lambda: self._once(Call("PUT", "", {}, {}), body))
        except Conflict:
            return  # another node was first

    async def _begin_upload(self, call: Call, pieces: Exactly, size: int) -> Upload:
        headers = {**call.headers, "Content-Length": str(size)}
        full = Call(call.method, call.key, call.query, headers)

        async def send(body: AsyncIterator[bytes]) -> Answer:
            async with await self._send(full, sigv4.UNSIGNED_PAYLOAD, data=body, expect100=True) as response:
                return await answer_of(response)

        return await Upload.begun(send, pieces)

    async def _begin_download(self, call: Call) -> aiohttp.ClientResponse:
        response = await self._send(call, sigv4.EMPTY_SHA256)
        if response.status >= 300:
            async with response:
                await answer_of(response)
        return response

    async def _send(
        self,
        call: Call,
        payload_sha256: str,
        *,
        data: bytes | AsyncIterator[bytes] | None = None,
        expect100: bool = False,
    ) -> aiohttp.ClientResponse:
        place = self._place
        request = sigv4.Request(call.method, place.host, place.path(call.key), call.query, call.headers)
        headers = sigv4.signed_headers(request, payload_sha256, self._credentials, self._clock.now())
        url = URL(place.url(call.key, sigv4.query_string(call.query)), encoded=True)
        return await self._session.request(
            call.method, url, headers=headers, data=data, expect100=expect100, allow_redirects=False
        )

    async def _content(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_chunked(PIECE):
                yield piece
        except OUTAGES as error:
            raise self._broken(error) from error

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[float]:
        """A transfer holds a connection for as long as its slowest end wants; the rest is kept for quick requests.

        Yields what is left of the timeout, at least half of it.
        """
        timeout, started = self.guard.timeout, self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout / 2):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded("Too many transfers are under way.", retry_after=timeout) from None
        try:
            yield max(timeout / 2, timeout - (self._clock.monotonic() - started))
        finally:
            self._slots.release()

    def _broken(self, error: Exception) -> DependencyUnavailable:
        self._broken_transfers.inc()
        return DependencyUnavailable(self.guard.dependency, f"a transfer broke: {type(error).__name__}")


async def _repeated(attempt: Callable[[], Awaitable[Result]]) -> Result:
    for pause in _PAUSES:
        try:
            return await attempt()
        except OUTAGES:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
    return await attempt()


def _is_intact(answer: Answer, md5: str) -> bool:
    """Under encryption by a key service the ETag is no checksum; TLS has to do there."""
    return answer.headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or answer.etag == md5
