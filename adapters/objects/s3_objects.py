"""Objects in a bucket of an S3 server."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.objects.keys import checked_content_type, checked_key, checked_prefix, checked_size
from adapters.objects.pieces import PIECE, Exactly
from adapters.objects.s3_answer import Answer
from adapters.objects.s3_client import Call, S3Client
from adapters.objects.s3_errors import OutsideObject
from kernel.clock import Clock
from kernel.errors import NotFound
from kernel.objects import ObjectInfo

# Up to here a body is held in memory: its checksum is signed ahead, and it can be sent again.
_HELD: Final = 2 * PIECE

# What S3 answers at most in one list.
_PAGE: Final = 1000


class S3Objects:
    def __init__(self, client: S3Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, size: int, content_type: str) -> ObjectInfo:
        call = Call("PUT", checked_key(key), {}, {"Content-Type": checked_content_type(content_type)})
        answer = await stored(self._client, call, Exactly(chunks, checked_size(size)), size)
        return ObjectInfo(key, size, content_type, answer.etag, self._clock.now())

    @asynccontextmanager
    async def open(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        if length == 0:
            if await self.stat(key) is None:
                raise NotFound("There is no such object.")
            yield _nothing()
            return
        call = Call("GET", checked_key(key), {}, _range_header(start, length))
        async with AsyncExitStack() as stack:
            try:
                content = await stack.enter_async_context(self._client.download(call))
            except OutsideObject:
                content = _nothing()
            yield content

    async def stat(self, key: str) -> ObjectInfo | None:
        try:
            answer = await self._client.request(Call("HEAD", checked_key(key), {}, {}))
        except NotFound:
            return None
        return ObjectInfo(
            key,
            int(answer.headers["Content-Length"]),
            answer.headers.get("Content-Type", "application/octet-stream"),
            answer.etag,
            parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp(),
        )

    async def delete(self, key: str) -> None:
        with suppress(NotFound):
            await self._client.request(Call("DELETE", checked_key(key), {}, {}))

    async def keys(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        found: list[str] = []
        checked_prefix(prefix)
        while len(found) < limit:
            page = min(_PAGE, limit - len(found))
            query = {"list-type": "2", "prefix": prefix, "max-keys": str(page)}
            if after:
                query["start-after"] = after
            listing = await self._client.document(Call("GET", "", query, {}), "ListBucketResult")
            keys = [entry.value("Key") for entry in listing.all("Contents")]
            found += keys
            if not keys or listing.value("IsTruncated") != "true":
                break
            after = keys[-1]
        return found


async def stored(client: S3Client, call: Call, pieces: Exactly, size: int) -> Answer:
    """Sends an object or a part, checked on arrival by the signed SHA-256 when small, by the ETag when streamed."""
    if size > _HELD:
        return await client.upload(call, pieces, size)
    return await client.request(call, await pieces.whole())


def _range_header(start: int, length: int | None) -> Mapping[str, str]:
    if start == 0 and length is None:
        return {}
    return {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece
