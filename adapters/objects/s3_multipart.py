"""Multipart uploads over S3. Uploads nobody finishes are the server's to expire (MinIO does after a day; on AWS and
others a lifecycle rule has to say so)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from typing import Final

from adapters.objects import s3_xml
from adapters.objects.keys import (
    checked_content_type,
    checked_key,
    checked_number,
    checked_parts,
    checked_size,
    checked_upload,
)
from adapters.objects.pieces import Exactly
from adapters.objects.s3_client import Call, S3Client
from adapters.objects.s3_objects import S3Objects, stored
from kernel.errors import DependencyUnavailable, NotFound
from kernel.objects import ObjectInfo, UploadedPart

# Of the usual timeout: S3 joins gigabytes before it answers.
_JOINING: Final = 6.0


class S3Uploads:
    def __init__(self, client: S3Client, objects: S3Objects) -> None:
        self._client = client
        self._objects = objects

    async def begin(self, key: str, *, content_type: str) -> str:
        headers = {"Content-Type": checked_content_type(content_type)}
        call = Call("POST", checked_key(key), {"uploads": ""}, headers)
        return (await self._client.document(call, "InitiateMultipartUploadResult")).value("UploadId")

    async def put_part(
        self, key: str, upload: str, number: int, chunks: AsyncIterable[bytes], *, size: int
    ) -> UploadedPart:
        query = {"uploadId": checked_upload(upload), "partNumber": str(checked_number(number))}
        call = Call("PUT", checked_key(key), query, {})
        answer = await stored(self._client, call, Exactly(chunks, checked_size(size)), size)
        return UploadedPart(number, answer.etag)

    async def parts(self, key: str, upload: str) -> Sequence[UploadedPart]:
        found: list[UploadedPart] = []
        marker = "0"
        while marker:
            query = {"uploadId": checked_upload(upload), "part-number-marker": marker}
            page = await self._client.document(Call("GET", checked_key(key), query, {}), "ListPartsResult")
            found += [
                UploadedPart(int(part.value("PartNumber")), part.value("ETag").strip('"')) for part in page.all("Part")
            ]
            marker = page.value("NextPartNumberMarker") if page.value("IsTruncated") == "true" else ""
        return found

    async def complete(self, key: str, upload: str, parts: Sequence[UploadedPart]) -> ObjectInfo:
        ordered = checked_parts(parts)
        call = Call("POST", checked_key(key), {"uploadId": checked_upload(upload)}, {"Content-Type": "application/xml"})
        missing: NotFound | None = None
        try:
            await self._client.document(
                call,
                "CompleteMultipartUploadResult",
                s3_xml.completion(ordered),
                timeout=self._client.guard.timeout * _JOINING,
            )
        except NotFound as error:
            missing = error
        found = await self._objects.stat(key)
        if missing is not None and (found is None or found.etag != _joined_etag(ordered)):
            raise missing
        if found is None:
            raise DependencyUnavailable("objects", "an upload was completed and its object is not there")
        # A repeated complete whose first answer got lost finds no upload, but its object.
        return found

    async def abort(self, key: str, upload: str) -> None:
        with suppress(NotFound):
            await self._client.request(Call("DELETE", checked_key(key), {"uploadId": checked_upload(upload)}, {}))


def _joined_etag(ordered: Sequence[UploadedPart]) -> str:
    """As S3 makes it: the MD5 of the parts' MD5s; empty where a server's ETags are something else."""
    try:
        digests = b"".join(bytes.fromhex(part.etag) for part in ordered)
    except ValueError:
        return ""
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(ordered)}"
