"""Signed URLs of the S3 server, for clients that reach it at its public address."""

from __future__ import annotations

import math
from collections.abc import Mapping

from adapters.objects.keys import (
    checked_content_type,
    checked_expiry,
    checked_key,
    checked_number,
    checked_size,
    checked_upload,
)
from adapters.objects.s3_client import Call, S3Client
from adapters.objects.s3_place import Place
from adapters.objects.serving import content_disposition
from kernel.clock import Clock
from kernel.objects import SignedUrl


class S3Signer:
    """Pure arithmetic: nothing here talks to the server."""

    def __init__(self, client: S3Client, public: Place, clock: Clock) -> None:
        self._client = client
        self._public = public
        self._clock = clock

    async def sign_get(self, key: str, *, expires_in: float, file_name: str | None = None) -> SignedUrl:
        shown = {} if file_name is None else {"response-content-disposition": content_disposition(file_name)}
        return self._sign("GET", key, shown, {}, expires_in)

    async def sign_put(self, key: str, *, expires_in: float, content_type: str, size: int) -> SignedUrl:
        headers = {"Content-Type": checked_content_type(content_type), "Content-Length": str(checked_size(size))}
        return self._sign("PUT", key, {}, headers, expires_in)

    async def sign_part(self, key: str, upload: str, number: int, *, expires_in: float, size: int) -> SignedUrl:
        query = {"uploadId": checked_upload(upload), "partNumber": str(checked_number(number))}
        return self._sign("PUT", key, query, {"Content-Length": str(checked_size(size))}, expires_in)

    def _sign(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], expires_in: float
    ) -> SignedUrl:
        life = math.ceil(checked_expiry(expires_in))
        url = self._client.presigned(self._public, Call(method, checked_key(key), query, headers), life)
        return SignedUrl(url, method, headers, self._clock.now() + life)
